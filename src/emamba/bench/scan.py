"""The selective scan against that of other packages: time, memory, exactness of gradients.

All compute `y` of `model.scan.selective_scan` from x, delta, b, c, rate and skip in float32, decay and
readout included, and the gradients of all six. Rivals: `mambapy.pscan.pscan`, a parallel scan, with decay,
drive and readout around it as mambapy's block has them; and `mamba_selective_scan`, the function with which
transformers' Mamba goes through the tokens one by one where it has no CUDA kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from inspect import unwrap
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from emamba.errors import ToolError
from emamba.model.layers import Exp
from emamba.model.scan import scanned_states, selective_scan

Progress = Callable[[int, int, str], None]  # steps done, steps in all, what is being done


@dataclass(frozen=True)
class Case:
    """The size of one scan."""

    batch: int
    time: int
    channels: int
    states: int

    def __str__(self) -> str:
        return f"batch {self.batch}, L {self.time}, d_inner {self.channels}, d_state {self.states}"


CASES = (Case(256, 16, 40, 8), Case(128, 49, 64, 8), Case(8, 1024, 256, 16), Case(1, 8192, 256, 16))
RIVALS = ("mambapy", "transformers")
_WARM = Case(2, 4, 8, 2)


def scan(
    progress: Progress,
    cases: Sequence[Case] = CASES,
    rivals: Sequence[str] = RIVALS,
    rounds: int = 5,
    limit: int = 60,
    device: str = "cpu",
) -> dict[str, Any]:
    """For each case and package the median seconds of forward and backward, and its peak memory in bytes.

    Each measures in a process of its own, in turns; nobody else computes meanwhile. The memory is what the
    largest resident size of that process grew by in its first round (Linux; elsewhere None), or what PyTorch
    allocated on a GPU. A rival that needs more than `limit` seconds for a round is given up: None. `missing` names
    those not installed. `error` is the largest error of our output and gradients against float64 autograd, relative
    to the largest element. ToolError if `device` is "cuda" and PyTorch finds none.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ToolError("bench: PyTorch finds no GPU", "leave --device out, or install PyTorch for the GPU")
    found = [name for name in rivals if find_spec(name)]
    results = []
    for number, case in enumerate(cases):
        progress(number, len(cases), str(case))
        results.append({"case": vars(case), **_compared(case, ["emamba", *found], rounds, limit, device)})
    return {
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "threads": torch.get_num_threads(),
        "rounds": rounds,
        "limit_seconds": limit,
        "missing": [name for name in rivals if name not in found],
        "results": results,
    }


def summary(measured: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Rows of a name, a time, and what there is to say about it."""
    rows = [("batch x L x d_inner x d_state", "time", "peak memory; error against float64")]
    for result in measured["results"]:
        ours = result["packages"]["emamba"]
        rows.append((" x ".join(map(str, result["case"].values())), "", f"error {result['error']:.0e}"))
        for name, found in result["packages"].items():
            if found["seconds"] is None:
                rows.append((f"  {name}", f"> {measured['limit_seconds']} s", "given up"))
                continue
            notes = [] if found["bytes"] is None else [f"{found['bytes'] / 2**20:.0f} MiB"]
            if name != "emamba":
                notes.append(f"{found['seconds'] / ours['seconds']:.1f}x our time")
            rows.append((f"  {name}", f"{1e3 * found['seconds']:.1f} ms", ", ".join(notes)))
    for name in measured["missing"]:
        rows.append((name, "missing", "pip install 'emamba[bench]'"))
    return rows


def _compared(case: Case, names: Sequence[str], rounds: int, limit: int, device: str) -> dict[str, Any]:
    with ExitStack() as stack:
        workers = {name: stack.enter_context(_Worker(name, case, device)) for name in names}
        peaks = {name: worker.asked("memory", limit) for name, worker in workers.items()}
        times: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(rounds):
            for name, worker in workers.items():
                if (seconds := worker.asked("time", limit)) is not None:
                    times[name].append(seconds)
        packages = {
            name: {"seconds": median(times[name]) if times[name] else None, "bytes": peaks[name]} for name in names
        }
        return {"packages": packages, "error": workers["emamba"].asked("error", None)}


class _Worker:
    """A process that knows one package and one case."""

    def __init__(self, name: str, case: Case, device: str = "cpu") -> None:
        context = get_context("spawn")  # a fork would begin with our memory
        self._here, self._there = context.Pipe()
        given = (name, case, torch.get_num_threads(), device, self._there)
        self._process, self._what = context.Process(target=_serve, args=given, daemon=True), f"{name}, {case}"

    def __enter__(self) -> _Worker:
        self._process.start()
        self._there.close()
        self._answer()  # it has imported and compiled
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.join()

    def asked(self, question: str, limit: float | None) -> Any:
        """The answer; None when it takes longer than `limit` seconds, and from then on."""
        if not self._process.is_alive():
            return None
        self._here.send(question)
        if self._here.poll(limit):
            return self._answer()
        self.__exit__()
        return None

    def _answer(self) -> Any:
        try:
            return self._here.recv()
        except EOFError:
            hint = "its traceback is above; without one it was ended from outside, often for lack of memory"
            raise ToolError(f"bench: the process of {self._what} is gone", hint) from None


def _serve(name: str, case: Case, threads: int, device: str, pipe: Connection) -> None:
    """Answers questions until the process is ended."""
    torch.set_num_threads(threads)
    function, operands = FUNCTIONS[name], _operands(case, name, device)
    _gradients(function, _operands(_WARM, name, device))
    answers = {
        "time": partial(_seconds, function, operands),
        "memory": partial(_peak, function, operands),
        "error": partial(_error, function, operands),
    }
    pipe.send("ready")
    while True:
        pipe.send(answers[pipe.recv()]())


def _operands(case: Case, name: str, device: str = "cpu") -> list[Tensor]:
    """x, delta, b, c, rate and skip; delta as it lies in memory where the package makes it."""
    torch.manual_seed(0)
    size = (case.batch, case.time)
    x, delta = torch.randn(*size, case.channels), 0.01 + 0.1 * torch.rand(*size, case.channels)
    b, c = torch.randn(*size, case.states), torch.randn(*size, case.states)
    rate, skip = torch.arange(1.0, case.states + 1).repeat(case.channels, 1), torch.randn(case.channels)
    if name == "transformers":
        delta = delta.mT.contiguous().mT
    return [operand.to(device) for operand in (x, delta, b, c, rate, skip)]


def _gradients(function: Callable[..., Tensor], operands: Sequence[Tensor]) -> list[Tensor]:
    """The output, and the gradients of the sum of its squares."""
    leaves = [operand.detach().requires_grad_() for operand in operands]
    y = function(*leaves)
    return [y.detach(), *torch.autograd.grad(y, leaves, 2 * y.detach())]


def _seconds(function: Callable[..., Tensor], operands: Sequence[Tensor]) -> float:
    _finished(operands)
    begin = perf_counter()
    _gradients(function, operands)
    _finished(operands)
    return perf_counter() - begin


def _finished(operands: Sequence[Tensor]) -> None:
    """Waits for a GPU, which goes on computing when a function has returned."""
    if operands[0].is_cuda:
        torch.cuda.synchronize()


def _peak(function: Callable[..., Tensor], operands: Sequence[Tensor]) -> int | None:
    """Bytes that the largest resident size grows by; Linux alone can forget an earlier peak. On a GPU, of PyTorch."""
    if operands[0].is_cuda:
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        _gradients(function, operands)
        return torch.cuda.max_memory_allocated() - before
    forget = Path("/proc/self/clear_refs")
    if not forget.exists():
        _gradients(function, operands)
        return None
    forget.write_text("5")
    before = _largest()
    _gradients(function, operands)
    return _largest() - before


def _largest() -> int:
    """Largest resident size in bytes, as Linux tells it in kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def _error(function: Callable[..., Tensor], operands: Sequence[Tensor]) -> float:
    exact = _gradients(_plain, [operand.double() for operand in operands])
    found = _gradients(function, operands)
    return max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(found, exact, strict=True))


def _start(x: Tensor, rate: Tensor) -> Tensor:
    return x.new_zeros(len(x), rate.shape[1], x.shape[2])


def _plain(x: Tensor, delta: Tensor, b: Tensor, c: Tensor, rate: Tensor, skip: Tensor) -> Tensor:
    states = scanned_states(x, delta, b, rate, Exp(), _start(x, rate))
    return (c[:, :, None] @ states)[:, :, 0] + skip * x


def _emamba(x: Tensor, delta: Tensor, b: Tensor, c: Tensor, rate: Tensor, skip: Tensor) -> Tensor:
    return selective_scan(x, delta, b, c, rate, skip, Exp(), _start(x, rate))[0]


def _mambapy(x: Tensor, delta: Tensor, b: Tensor, c: Tensor, rate: Tensor, skip: Tensor) -> Tensor:
    from mambapy.pscan import pscan  # pyright: ignore[reportMissingImports]

    decay = torch.exp(delta[..., None] * -rate)
    drive = delta[..., None] * b[:, :, None] * x[..., None]
    return (pscan(decay, drive) @ c[..., None])[..., 0] + skip * x


def _transformers(x: Tensor, delta: Tensor, b: Tensor, c: Tensor, rate: Tensor, skip: Tensor) -> Tensor:
    from transformers.models.mamba.modeling_mamba import (  # pyright: ignore[reportMissingImports]
        mamba_selective_scan,
    )

    plain = unwrap(mamba_selective_scan)  # without the search for a kernel to download
    return plain(x.mT, delta.mT, -rate, b.mT, c.mT, skip).mT


FUNCTIONS: dict[str, Callable[..., Tensor]] = {"emamba": _emamba, "mambapy": _mambapy, "transformers": _transformers}
