import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from emamba.config import CurveConfig
from emamba.model import layers, scan
from emamba.model.scan import scanned_states, selective_scan

FORMS = ["exact", "segments"]
SHAPES = {  # batch, time, channels, states
    "one": (1, 1, 1, 1),
    "one token": (3, 1, 5, 4),
    "one state": (2, 7, 3, 1),
    "odd": (2, 5, 3, 4),
    "whole vectors": (3, 6, 16, 2),
    "one chunk": (2, 32, 8, 3),
    "several chunks": (2, 71, 11, 3),
    "more rows than shares": (35, 3, 9, 2),
    "more vectors than shares": (1, 3, 140, 2),
}


def operands(batch, time, channels, states):
    """In float32; b, c and x are views into something larger."""
    torch.manual_seed(0)
    x, delta = torch.randn(batch, channels, time).mT, 0.5 * torch.rand(batch, time, channels)
    b, c = torch.randn(batch, time, 2 * states + 1)[..., 1:].chunk(2, dim=-1)
    rate, skip, state = states * torch.rand(channels, states), torch.randn(channels), torch.randn(states, channels)
    return [x, delta, b, c, rate, skip, state.expand(batch, -1, -1)]


def curve(form):
    return layers.exp(CurveConfig(form=form))


def learned():
    """An exponential whose gradients tell all of its segments apart."""
    return layers.exp(CurveConfig(form="segments", segments=5, knots="learned"))


def gradients(arguments, exp, weights):
    """Output, last state, and gradients of the weighted sum of the output."""
    leaves = [argument.detach().requires_grad_() for argument in arguments]
    x, delta, b, c, rate, skip, state = leaves
    y, last = selective_scan(x, delta, b, c, rate, skip, exp, state)
    return y.detach(), last, torch.autograd.grad((y * weights).sum(), leaves)


@pytest.mark.parametrize("form", FORMS)
def test_scan_is_its_formula(form):
    x, delta, b, c, rate, skip, state = operands(2, 5, 3, 4)
    exp = curve(form)
    y, last = selective_scan(x, delta, b, c, rate, skip, exp, state)
    states = scanned_states(x, delta, b, rate, exp, state)
    for i in range(2):
        for d in range(3):
            h = state[i, :, d]
            for t in range(5):
                h = exp(-delta[i, t, d] * rate[d]) * h + delta[i, t, d] * x[i, t, d] * b[i, t]
                torch.testing.assert_close(states[i, t, :, d], h)
                torch.testing.assert_close(y[i, t, d], (c[i, t] * h).sum() + skip[d] * x[i, t, d])
            torch.testing.assert_close(last[i, :, d], h)


def test_every_gradient_in_float64_is_right():
    arguments = [argument.double().requires_grad_() for argument in operands(2, 5, 3, 4)]
    assert torch.autograd.gradcheck(lambda *a: selective_scan(*a[:6], layers.Exp(), a[6])[0], arguments)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_kernels_agree_with_float64(shape, form):
    arguments, exp = operands(*shape), curve(form)
    weights = torch.randn(shape[:3]).mT.contiguous().mT
    y, last, found = gradients(arguments, exp, weights)
    precise = [argument.double() for argument in arguments]
    exact_y, exact_last, expected = gradients(precise, copy.deepcopy(exp).double(), weights.double())
    for ours, theirs in zip([y, last, *found], [exact_y, exact_last, *expected], strict=True):
        assert ours.dtype == torch.float32
        assert ours.shape == theirs.shape
        error = (ours.double() - theirs).abs().max() / theirs.abs().max().clamp(min=1e-30)
        assert float(error) < 1e-5
    assert not last.requires_grad


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_kernels_agree_with_float64_on_what_is_learned(shape):
    arguments, exp = operands(*shape), learned()
    arguments[4] = 4 * arguments[4]
    weights = torch.randn(shape[:3])
    precise, curve = [argument.double() for argument in arguments], copy.deepcopy(exp).double()
    found = torch.autograd.grad(
        (selective_scan(*arguments[:6], exp, arguments[6])[0] * weights).sum(), exp.parameters()
    )
    y, _ = selective_scan(*precise[:6], curve, precise[6])
    wanted = torch.autograd.grad((y * weights.double()).sum(), curve.parameters())
    for ours, theirs in zip(found, wanted, strict=True):
        assert float((ours.double() - theirs).abs().max()) <= 1e-4 * float(theirs.abs().max())
    if shape == SHAPES["odd"]:
        assert all(bool(it.all()) for it in wanted)


def test_no_number_of_threads_changes_a_byte(monkeypatch):
    pools = []
    monkeypatch.setattr(scan, "_WORTH", 1)
    monkeypatch.setattr(scan, "ThreadPoolExecutor", lambda count: pools.append(count) or ThreadPoolExecutor(count))
    arguments, weights, before, results = operands(33, 40, 27, 8), torch.randn(33, 40, 27), torch.get_num_threads(), []
    exp = learned()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            y, last, found = gradients(arguments, layers.Exp(), weights)
            y, *_ = selective_scan(*arguments[:6], exp, arguments[6])
            found = *found, *torch.autograd.grad((y * weights).sum(), exp.parameters())
            results.append(b"".join(it.detach().contiguous().numpy().tobytes() for it in (y, last, *found)))
    finally:
        torch.set_num_threads(before)
    assert results[0] == results[1] == results[2]
    assert pools == [2, 2, 2, 2, 3, 3, 3, 3]  # forward and backward, with either curve


@pytest.mark.parametrize("shape", [(0, 5, 3, 4), (2, 0, 3, 4)], ids=["no rows", "no tokens"])
def test_nothing_gives_nothing(shape):
    arguments = operands(*shape)
    y, last, found = gradients(arguments, layers.Exp(), torch.ones(shape[:3]))
    assert y.shape == shape[:3]
    np.testing.assert_array_equal(last, arguments[6])
    assert not any(it.any() for it in found)


def test_a_scan_continues_from_its_state():
    x, delta, b, c, rate, skip, state = operands(2, 40, 3, 4)
    whole, end = selective_scan(x, delta, b, c, rate, skip, layers.Exp(), state)
    first, between = selective_scan(x[:, :7], delta[:, :7], b[:, :7], c[:, :7], rate, skip, layers.Exp(), state)
    rest, last = selective_scan(x[:, 7:], delta[:, 7:], b[:, 7:], c[:, 7:], rate, skip, layers.Exp(), between)
    np.testing.assert_array_equal(torch.cat([first, rest], dim=1), whole)
    np.testing.assert_array_equal(last, end)


def test_a_scan_leaves_its_operands_alone():
    arguments = operands(2, 5, 8, 4)
    arguments[-1] = arguments[-1].contiguous()
    before = [argument.clone() for argument in arguments]
    selective_scan(*arguments[:6], layers.Exp(), arguments[6])
    for argument, old in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(argument, old)


def test_what_is_not_a_number_stays_so():
    x, delta, b, c, rate, skip, state = operands(2, 5, 8, 4)
    rate[3, 1] = torch.nan
    y, _ = selective_scan(x, delta, b, c, rate, skip, layers.Exp(), state)
    assert y[:, :, 3].isnan().all()
    assert not y[:, :, :3].isnan().any()


def test_any_curve_goes_through_pytorch():
    arguments = operands(2, 5, 3, 4)
    weights = torch.randn(2, 5, 3)
    ours = gradients(arguments, layers.Exp(), weights)
    theirs = gradients(arguments, torch.exp, weights)
    for one, other in zip([*ours[:2], *ours[2]], [*theirs[:2], *theirs[2]], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
