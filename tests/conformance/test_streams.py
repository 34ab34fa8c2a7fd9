"""Stream components lose nothing, double nothing, keep order, keep what waits, and do not stall by themselves: proved
for all inputs and any number of cycles; so do the ends of the AXI4-Stream top, which also keep packets apart, whatever
their length. And the proofs fail for components that are broken.

Components do not look at data, so that elements of one bit stand for all; those on AXI have two, one of them a sign.
"""

import inspect
import sys
import textwrap

import pytest

from emamba.fixed import Integer
from emamba.graph import Flatten
from emamba.rtl.axi_stream import Egress, Ingress
from emamba.rtl.design import Port
from emamba.rtl.frame import FlattenStage
from emamba.rtl.link import Link
from emamba.rtl.stream import Fifo, Fork, Narrow, Replay, Skid, Widen
from packet_proofs import EgressHarness, EndsHarness, IngressHarness
from proofs import BIT, FlattenHarness, ForkHarness, Harness, Register, ReplayHarness, prove


def flattened(kind, tokens):
    op = Flatten(name="flat", source="input", channels=3, dtype=BIT, fraction_bits=0)
    return FlattenHarness(kind(op, tokens, 1), 3, tokens == 1)


def ingress(kind, channels, lanes, tokens, frames):
    port = Port("input", channels, lanes, Integer(2), tokens)
    return IngressHarness(kind(port, frames), port, frames)


def egress(kind, channels, lanes, tokens):
    port = Port("output", channels, lanes, Integer(2), tokens)
    return EgressHarness(kind(port), port)


def ends(kind, tokens, frames, depth, patience):
    """Between the adaptors, a FIFO as the core."""
    port = Port("both", 1, 1, BIT, tokens)
    return EndsHarness(kind(port, frames), Fifo(BIT, 1, depth), Egress(port), patience)


# Per component: lanes in and out, elements inside, cycles until something leaves.
HARNESSES = {
    "skid": lambda: Harness(Skid(BIT, 1), 1, 1, 1, 0),
    "fifo_1": lambda: Harness(Fifo(BIT, 1, 1), 1, 1, 1, 1),
    "fifo_3": lambda: Harness(Fifo(BIT, 1, 3), 1, 1, 3, 2),
    "fifo_5": lambda: Harness(Fifo(BIT, 1, 5), 1, 1, 5, 2),
    "exit": lambda: Harness(Register(0), 1, 1, 2, 1),
    "exit_fifo": lambda: Harness(Register(3), 1, 1, 4, 3),
    "widen_2": lambda: Harness(Widen(BIT, 1, 2), 1, 2, 3, 2),
    "widen_3": lambda: Harness(Widen(BIT, 1, 3), 1, 3, 5, 3),
    "narrow_2": lambda: Harness(Narrow(BIT, 1, 2), 2, 1, 2, 1),
    "narrow_3": lambda: Harness(Narrow(BIT, 1, 3), 3, 1, 3, 1),
    "replay": lambda: ReplayHarness(Replay(BIT, 1, 2, 3), 1, 1, 6, 2, 2, 3),
    "replay_once": lambda: ReplayHarness(Replay(BIT, 1, 3, 1), 1, 1, 9, 2, 3, 1),
    "fork": lambda: ForkHarness(Fork(BIT, 1, 2)),
    "link": lambda: Harness(Link(BIT, 1, 1, 3), 1, 1, 3, 2),
    "link_wider": lambda: Harness(Link(BIT, 1, 2, 3), 1, 2, 6, 5),
    "link_narrower": lambda: Harness(Link(BIT, 2, 1, 3), 2, 1, 8, 3),
    "link_across": lambda: Harness(Link(BIT, 2, 3, 0), 2, 3, 16, 6),
    "flatten": lambda: flattened(FlattenStage, 2),
    "flatten_whole": lambda: flattened(FlattenStage, 1),
    "ingress_one": lambda: ingress(Ingress, 1, 1, 1, 1),
    "ingress_three": lambda: ingress(Ingress, 1, 1, 3, 3),
    "ingress_two_tokens": lambda: ingress(Ingress, 2, 1, 2, 2),
    "ingress_lanes": lambda: ingress(Ingress, 6, 3, 1, 3),
    "egress_one": lambda: egress(Egress, 1, 1, 1),
    "egress_three": lambda: egress(Egress, 1, 1, 3),
    "egress_lanes": lambda: egress(Egress, 6, 3, 2),
    "ends_one_frame": lambda: ends(Ingress, 3, 1, 2, 3),
    "ends_three_frames": lambda: ends(Ingress, 3, 3, 7, 2),
}
# What is broken, how, and the harness that has to see it.
BROKEN = [
    (Fork, "taken.eq(Mux(takes.all(), 0, takes))", "taken.eq(0)", lambda it: ForkHarness(it(BIT, 1, 2))),
    (Fork, "takes.all()", "takes.any()", lambda it: ForkHarness(it(BIT, 1, 2))),
    (Skid, "self.source.ready.eq(~full)", "self.source.ready.eq(1)", lambda it: Harness(it(BIT, 1), 1, 1, 1, 0)),
    (Skid, "with m.If(~full):", "if True:", lambda it: Harness(it(BIT, 1), 1, 1, 1, 0)),
    (Fifo, "eq(memory.w_rdy)", "eq(1)", lambda it: Harness(it(BIT, 1, 3), 1, 1, 3, 2)),
    (Fifo, "valid.eq(memory.r_rdy)", "valid.eq(0)", lambda it: Harness(it(BIT, 1, 3), 1, 1, 3, 2)),
    (Widen, "~Value.cast(last) | ", "1 | ", lambda it: Harness(it(BIT, 1, 2), 1, 2, 3, 2)),
    (Widen, "Cat(filled, incoming))", "Cat(incoming, filled))", lambda it: Harness(it(BIT, 1, 2), 1, 2, 3, 2)),
    (Narrow, "((left == 1) & self.output.ready)", "(left == 1)", lambda it: Harness(it(BIT, 1, 2), 2, 1, 2, 1)),
    (Replay, "(at < filled)", "(at <= filled)", lambda it: ReplayHarness(it(BIT, 1, 2, 3), 1, 1, 6, 2, 2, 3)),
    (Replay, "base.eq(base ^ left)", "base.eq(base)", lambda it: ReplayHarness(it(BIT, 1, 2, 3), 1, 1, 6, 2, 2, 3)),
    (FlattenStage, "begun.eq(first)", "begun.eq(0)", lambda it: flattened(it, 2)),
    *((Ingress, old, new, lambda it: ingress(it, 2, 1, 2, 2)) for old, new in [
        ("padding.eq(early | (padding & ~(enters & last)))", "padding.eq(0)"),
        ("dropping.eq(missing | (dropping & ~(taken & self.tlast)))", "dropping.eq(0)"),
        ("early = taken & ~dropping", "early = taken"),
        ("(fits & ~padding)", "fits"),
        ("fits = (~Value.cast(self.output.valid) | self.output.ready)", "fits = 1"),
        ("(~Value.cast(last) | flags.w_rdy)", "1"),
        ("depth=self._frames", "depth=self._frames + 1"),
        ("flags.w_data.eq(padding | missing)", "flags.w_data.eq(missing)"),
        ("error.eq(early | missing)", "error.eq(early)"),
        ("Mux(padding, 0, element)", "element"),
        ("place < self._port.beats", "place == 0"),
        ("awake.eq(1)", "awake.eq(0)"),
        ("(Signal() for", "(Signal(reset_less=True) for"),
    ]),
    (Ingress, "missing = taken & ~dropping", "missing = taken", lambda it: ingress(it, 1, 1, 1, 1)),
    (Ingress, "w_en.eq(enters & last)", "w_en.eq(taken & last)", lambda it: ends(it, 3, 3, 7, 2)),
    *((Egress, old, new, lambda it: egress(it, 2, 1, 2)) for old, new in [
        ("~Value.cast(last) | self.wrong.valid", "1 | last"),
        ("wrong.ready.eq(leaves & last)", "wrong.ready.eq(leaves)"),
        ("last & self.wrong.payload", "self.wrong.payload"),
        ("advance.eq(~self.tvalid | self.tready)", "advance.eq(1)"),
        ("advance.eq(~self.tvalid | self.tready)", "advance.eq(self.tready)"),
        ("beat.ready.eq(advance & complete)", "beat.ready.eq(advance)"),
        ("self.tlast.eq(last)", "self.tlast.eq(1)"),
        ("(lane + 1) * width].eq(element)", "(lane + 1) * width].eq(element.as_unsigned())"),
    ]),
]  # fmt: skip


@pytest.mark.parametrize("name", HARNESSES)
def test_a_component_keeps_the_rules_of_streams(name):
    verdict = prove(HARNESSES[name]())
    assert verdict.proved, verdict.said


@pytest.mark.parametrize(("kind", "old", "new", "harness"), BROKEN, ids=lambda it: getattr(it, "__name__", ""))
def test_a_broken_component_does_not(kind, old, new, harness):
    assert not prove(harness(broken(kind, old, new))).proved


def broken(kind, old, new):
    """The component with `new` instead of `old` in its source."""
    text = textwrap.dedent(inspect.getsource(kind))
    assert old in text
    names = dict(vars(sys.modules[kind.__module__]))
    exec(compile("from __future__ import annotations\n" + text.replace(old, new), "broken", "exec"), names)
    return names[kind.__name__]


def test_a_component_that_is_slower_than_stated_does_not_pass():
    assert not prove(Harness(Fifo(BIT, 1, 3), 1, 1, 3, 1)).proved
