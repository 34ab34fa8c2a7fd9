"""How sums of products leave a stage whose channels have a shift each."""

from __future__ import annotations

from amaranth.hdl import Module, Value

from emamba.fixed import Integer, Integers
from emamba.rtl.fixed import requantize, requantize_further
from emamba.rtl.pipeline import delayed, rom


def requantize_channels(
    m: Module, sums: list[Value], shift: Integers, dtype: Integer, beat: Value, advance: Value, moves: int = 1
) -> list[Value]:
    """Repeats `fixed.requantize` for one sum a lane; `shift` [beats, lanes] in the order of the channels.

    `beat` says which beat the sums will belong to, `moves` >= 1 later. A lane all of whose channels have one
    shift is wires; any other one chooses between the shifts of its channels, which lie in a ROM.
    """
    least = shift.min(axis=0)
    further = shift - least
    varying = [lane for lane in range(len(sums)) if further[:, lane].any()]
    choices: dict[int, Value] = {}
    if varying:
        beat = delayed(m, advance, beat, moves - 1)
        words = rom(m, "shift", further[:, varying], Integer.holding(further), beat, advance)
        choices = dict(zip(varying, words, strict=True))
    return [
        requantize_further(m, value, int(least[lane]), choices[lane], dtype)
        if lane in choices
        else requantize(m, value, int(least[lane]), dtype)
        for lane, value in enumerate(sums)
    ]
