"""The kernels for GPUs: on one where there is one, else in Triton's interpreter, which computes with NumPy."""

import copy
import os
import sys
from subprocess import run

import pytest
import torch

from emamba.config import CurveConfig
from emamba.model import layers, scan
from emamba.model.scan import scanned_states

ON = "cuda" if torch.cuda.is_available() else "cpu"
if ON == "cpu":
    os.environ["TRITON_INTERPRET"] = "1"  # Triton looks when it is imported, which PyTorch may do in any test
pytest.importorskip("triton", reason="Triton is missing: pip install 'emamba[dev]'")

from emamba.model import gpu  # noqa: E402 - imports Triton

CURVES = {
    "exact": CurveConfig(form="exact"),
    "segments": CurveConfig(form="segments", segments=5),
    "learned": CurveConfig(form="segments", segments=4, knots="learned"),
}
SHAPES = {  # batch, time, channels, states
    "one": (1, 1, 1, 1),
    "one chunk": (2, 16, 8, 2),
    "one token more": (1, 17, 8, 2),
    "several chunks": (2, 50, 9, 8),
    "odd": (3, 7, 11, 3),
}


def operands(batch, time, channels, states):
    """In float32; x, b and c are views into something larger."""
    torch.manual_seed(0)
    x, delta = torch.randn(batch, channels, time).mT, 0.01 + torch.rand(batch, time, channels)
    b, c = torch.randn(batch, time, 2 * states + 1)[..., 1:].chunk(2, dim=-1)
    rate, skip = states * torch.rand(channels, states), torch.randn(channels)
    tensors = (x, delta, b, c, rate, skip, torch.randn(batch, states, channels))
    return [tensor.to(ON) for tensor in tensors]


def kernels(tensors, exp):
    lines = 3 * (torch.empty(0, device=ON),) if isinstance(exp, layers.Exp) else exp.lines
    return gpu.scanned(*tensors, *lines)


def plain(tensors, exp):
    x, delta, b, c, rate, skip, state = tensors
    states = scanned_states(x, delta, b, rate, exp, state)
    return (c[..., None] * states).sum(2) + skip * x, states[:, -1].detach()


def found(function, tensors, exp, above):
    """Output, last state, and the gradients of operands and parameters."""
    leaves = [tensor.detach().clone().requires_grad_() for tensor in tensors]
    y, last = function(leaves, exp)
    return [y.detach(), last, *torch.autograd.grad(y, [*leaves, *exp.parameters()], above)]


@pytest.mark.parametrize("form", CURVES)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_kernels_agree_with_float64(shape, form):
    tensors, exp = operands(*shape), layers.exp(CURVES[form]).to(ON)
    above = torch.randn(shape[:3]).mT.contiguous().mT.to(ON)
    ours = found(kernels, tensors, exp, above)
    precise = [tensor.double() for tensor in tensors]
    exact = found(plain, precise, copy.deepcopy(exp).double(), above.double())
    for mine, wanted in zip(ours, exact, strict=True):
        assert mine.shape == wanted.shape
        assert (mine - wanted).abs().max() <= 1e-5 * wanted.abs().max()


def test_the_same_operands_give_the_same_bytes():
    tensors, exp = operands(2, 17, 9, 4), layers.exp(CURVES["learned"]).to(ON)
    above = torch.randn(2, 17, 9).to(ON)
    first, second = (found(kernels, tensors, exp, above) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.skipif(ON == "cpu", reason="no GPU here")
def test_a_scan_on_a_gpu_goes_through_them():
    tensors, exp = operands(2, 20, 9, 3), layers.Exp()
    assert scan._fused(tensors) is gpu.scanned
    found, expected = scan.selective_scan(*tensors[:6], exp, tensors[6]), kernels(tensors, exp)
    assert all(torch.equal(mine, wanted) for mine, wanted in zip(found, expected, strict=True))


COMPILED = """
from triton import compile
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from emamba.model import gpu

sizes = {"states": 3, "tokens": 16, "padded": 4, "lanes": 8}
exact = {**sizes, "pieces": 0, "learned": False, "most_pieces": 1}
learned = {**sizes, "pieces": 5, "learned": True, "most_pieces": 8}
for kernel in (gpu._scan, gpu._scan_gradients):
    for form in (exact, learned):
        constants = {name: value for name, value in form.items() if name in kernel.arg_names}
        types = {name: "i32" if name in ("time", "channels") else "*fp32" for name in kernel.arg_names}
        types |= dict.fromkeys(constants, "constexpr")
        source = ASTSource(fn=kernel, signature=types, constexprs=constants)
        print(len(compile(source, target=GPUTarget("cuda", 90, 32)).asm["cubin"]))
"""


def test_the_kernels_compile_where_no_gpu_is(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment["TRITON_CACHE_DIR"] = str(tmp_path)
    ended = run([sys.executable, "-c", COMPILED], capture_output=True, text=True, env=environment, check=False)
    assert ended.returncode == 0, ended.stderr
    sizes = [int(size) for size in ended.stdout.split()]
    assert len(sizes) == 4
    assert min(sizes) > 1000
