"""A host at the pins of the serial top, under Verilator: bytes go in, and what it hears comes back."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from emamba.eda.verilator import verilator, verilator_root
from emamba.files import write

Wave = list[tuple[float, int]]  # so many cycles long the line has this value

# Reads the talks: how many bytes to wait for, and waves before the host listens and from then on. Writes what it heard.
_HOST = """
#include <cstdio>
#include "Model.h"
#include "verilated.h"

Model model;
double bit, now = 0, fell = -1;
int heard = 0, place = 0, before = 1;
long count = 0;

void cycle() {
    model.clk = 0;
    model.eval();
    model.clk = 1;
    model.eval();
    now += 1;
    if (fell < 0 && before && !model.tx) { fell = now; place = 0; heard = 0; }
    before = model.tx;
    if (fell < 0 || now < fell + (1.5 + place) * bit) return;
    if (place < 8) { heard |= model.tx << place++; return; }
    std::printf(" %d", model.tx ? heard : -1);
    ++count;
    fell = -1;
}

void play() {
    long waves;
    if (std::scanf("%ld", &waves) != 1) return;
    for (double left = 0; waves-- > 0;) {
        double length;
        int value;
        if (std::scanf("%lf %d", &length, &value) != 2) return;
        model.rx = value;
        for (left += length; left >= 1; left -= 1) cycle();
    }
}

int main() {
    model.rx = 1;
    for (long wanted; std::scanf("%lf %ld", &bit, &wanted) == 2;) {
        play();
        count = 0;
        std::printf("\\n:");
        play();
        for (long patience = 2000000; count < wanted && patience > 0; --patience) cycle();
        for (int i = 0; i < 40 * bit; ++i) cycle();
        std::printf("\\n");
    }
}
"""


@dataclass(frozen=True)
class Talk:
    """What a host does: `garbage` with bits of `babble` bits, a break of `pause` bits (0: none), then `data`.

    `slow` is how long its bits are, `gaps` how often it pauses behind a byte. `answers` is how many bytes it waits for.
    """

    data: bytes
    answers: int
    slow: float = 1.0
    gaps: float = 0.0
    garbage: bytes = b""
    babble: float = 1.0
    pause: int = 20

    def waves(self, bit_cycles: int, rng: random.Random) -> tuple[Wave, Wave]:
        """The line until the host listens, and from then on. Each begins at any time within a cycle."""
        bit, idle = self.slow * bit_cycles, 12 * bit_cycles + bit_cycles * rng.random()
        start = [(self.pause * bit, 0)] if self.pause else []
        noise = _spoken(self.garbage, self.babble * bit_cycles, 0.3, rng)
        return [*noise, *start, (idle, 1)], _spoken(self.data, bit, self.gaps, rng)


def _spoken(data: bytes, bit: float, gaps: float, rng: random.Random) -> Wave:
    wave = []
    for byte in data:
        wave += [(bit, value) for value in (0, *(byte >> place & 1 for place in range(8)), 1)]
        if rng.random() < gaps:
            wave.append((20 * bit * rng.random(), 1))
    return wave


def answers(verilog: Mapping[str, str], top: str, bit_cycles: int, talks: Sequence[Talk], folder: Path) -> list[bytes]:
    """What the module `top` of the Verilog files says in each of `talks`; an error if a byte has no stop bit."""
    for name, text in {**verilog, "host.cpp": _HOST}.items():
        write(folder / name, text)
    options = ["--cc", "--prefix", "Model", "--top-module", top, "--Mdir", ".", "--output-split", "0", "-Wno-lint"]
    verilator([*options, *verilog], folder, "")
    include = verilator_root() / "include"
    sources = ["host.cpp", *sorted(path.name for path in folder.glob("Model*.cpp"))]
    runtime = [str(include / name) for name in ("verilated.cpp", "verilated_threads.cpp")]
    write(folder / "all.cpp", "".join(f'#undef VL_PCH_INCLUDED\n#include "{name}"\n' for name in [*sources, *runtime]))
    compiler = ["g++", "-std=gnu++17", "-w", "-O0", "-I.", f"-I{include}", f"-I{include / 'vltstd'}"]
    subprocess.run([*compiler, "all.cpp", "-o", "host", "-pthread"], cwd=folder, check=True)
    rng, plan = random.Random(1), []
    for talk in talks:
        plan.append(f"{talk.slow * bit_cycles} {talk.answers}")
        for wave in talk.waves(bit_cycles, rng):
            plan += [str(len(wave)), *(f"{length:.6f} {value}" for length, value in wave)]
    done = subprocess.run([folder / "host"], input="\n".join(plan), capture_output=True, text=True, check=True)
    return [bytes(map(int, line[1:].split())) for line in done.stdout.splitlines() if line.startswith(":")]
