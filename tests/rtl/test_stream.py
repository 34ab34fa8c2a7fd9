import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from emamba.fixed import Integer
from emamba.rtl.stream import Exit, Fifo, Fork, Narrow, Replay, Skid, Widen, beats, elements
from streams import drive, to_beats

INT5 = Integer(5)
FRAMES = np.random.default_rng(0).integers(-16, 16, (6, 3, 12))


@pytest.mark.parametrize("stalls", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("component", [Skid(INT5, 3), Fifo(INT5, 3, 1), Fifo(INT5, 3, 5)], ids=["skid", "fifo", "deep"])
def test_a_buffer_keeps_every_beat_in_order(component, stalls):
    sent = to_beats(FRAMES, 3)
    assert drive(component, {"source": sent}, len(sent), stalls).beats == sent


@pytest.mark.parametrize("stalls", [0.0, 0.3, 0.8])
@pytest.mark.parametrize(("lanes", "times"), [(3, 2), (12, 3), (1, 1)])
def test_a_replay_repeats_tokens_without_a_gap(lanes, times, stalls):
    sent, count = to_beats(FRAMES, lanes), 12 // lanes
    expected = [beat for start in range(0, len(sent), count) for beat in sent[start : start + count] * times]
    flow = drive(Replay(INT5, lanes, 12 // lanes, times), {"source": sent}, len(expected), stalls)
    assert flow.beats == expected
    assert stalls or np.all(np.diff(flow.cycles) == 1)


def test_a_skid_passes_a_beat_every_cycle():
    sent = to_beats(FRAMES, 3)
    flow = drive(Skid(INT5, 3), {"source": sent}, len(sent))
    assert np.all(np.diff(flow.cycles) == 1)


@pytest.mark.parametrize("stalls", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("ratio", [2, 3, 12])
def test_widen_joins_beats_and_narrow_splits_them(ratio, stalls):
    narrow, wide = to_beats(FRAMES, 12 // ratio), to_beats(FRAMES, 12)
    assert drive(Widen(INT5, 12 // ratio, ratio), {"source": narrow}, len(wide), stalls).beats == wide
    assert drive(Narrow(INT5, 12 // ratio, ratio), {"source": wide}, len(narrow), stalls).beats == narrow


def test_widen_and_narrow_lose_no_cycle():
    narrow, wide = to_beats(FRAMES, 4), to_beats(FRAMES, 12)
    assert np.all(np.diff(drive(Widen(INT5, 4, 3), {"source": narrow}, len(wide)).cycles) == 3)
    assert np.all(np.diff(drive(Narrow(INT5, 4, 3), {"source": wide}, len(narrow)).cycles) == 1)


class _ForkJoin(wiring.Component):
    """A fork whose second branch lags by a FIFO; both outputs meet again as one wide beat."""

    def __init__(self):
        super().__init__({"source": In(beats(INT5, 3)), "output": Out(beats(INT5, 6))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.fork = fork = Fork(INT5, 3, 2)
        m.submodules.fifo = fifo = Fifo(INT5, 3, 4)
        wiring.connect(m, wiring.flipped(self.source), fork.source)
        wiring.connect(m, fork.output_1, fifo.source)
        both = fork.output_0.valid & fifo.output.valid
        taken = both & self.output.ready
        values = [*elements(fork.output_0, 3), *elements(fifo.output, 3)]
        m.d.comb += [
            self.output.valid.eq(both),
            self.output.payload.first.eq(fork.output_0.payload.first),
            fork.output_0.ready.eq(taken),
            fifo.output.ready.eq(taken),
            *(self.output.payload.data[lane].eq(value) for lane, value in enumerate(values)),
        ]
        return m


@pytest.mark.parametrize("stalls", [0.0, 0.5])
def test_a_fork_gives_each_beat_once_to_each_output(stalls):
    sent = to_beats(FRAMES, 3)
    twice = [(data * 2, first) for data, first in sent]
    assert drive(_ForkJoin(), {"source": sent}, len(sent), stalls).beats == twice


class _Register(wiring.Component):
    """Nothing but an exit of the given depth."""

    def __init__(self, depth):
        self._depth = depth
        super().__init__({"source": In(beats(INT5, 3)), "output": Out(beats(INT5, 3))})

    def elaborate(self, platform):
        m = Module()
        exit_ = Exit(m, self.output, INT5, 3, self._depth)
        m.d.comb += self.source.ready.eq(exit_.advance)
        exit_.load(self.source.valid, elements(self.source, 3), self.source.payload.first)
        return m


@pytest.mark.parametrize("depth", [0, 3])
@pytest.mark.parametrize("stalls", [0.0, 0.5])
def test_an_exit_is_a_register_that_waits(depth, stalls):
    sent = to_beats(FRAMES, 3)
    assert drive(_Register(depth), {"source": sent}, len(sent), stalls).beats == sent
