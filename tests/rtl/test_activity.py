"""Every cycle of `Activity`, beside a count of frames in Python."""

import random

from amaranth.sim import Simulator

from emamba.rtl.activity import Activity


def follow(cycles, input_beats=1, output_beats=1, written=()):
    """`active` in each of `cycles`: (input valid, input ready, output valid, output ready)."""
    dut, seen = Activity(input_beats, output_beats), []

    async def bench(ctx):
        for number, (valid, ready, leaving, taken) in enumerate(cycles):
            ctx.set(dut.input_valid, valid)
            ctx.set(dut.input_ready, ready)
            ctx.set(dut.output_valid, leaving)
            ctx.set(dut.output_ready, taken)
            ctx.set(dut.written, number in written)
            await ctx.delay(1e-9)
            seen.append(bool(ctx.get(dut.active)))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return seen


NOTHING = (0, 1, 0, 1)


def test_a_frame_keeps_it_active_from_the_offer_to_the_last_beat():
    cycles = [NOTHING, (1, 0, 0, 1), (1, 1, 0, 1), NOTHING, (1, 1, 1, 1), NOTHING, (0, 1, 1, 0), (0, 1, 1, 1), NOTHING]
    assert follow(cycles, 2, 2) == [False, True, True, True, True, True, True, True, False]


def test_a_weight_is_written_a_cycle_later():
    assert follow([NOTHING] * 5, written=(1,)) == [False, True, True, False, False]


def test_it_is_active_while_a_beat_is_offered_or_a_frame_inside():
    draw = random.Random(0)
    ins, outs, cycles, expected = 0, 0, [], []
    for _ in range(3000):
        busy = draw.random() < 0.6
        inside = -(-ins // 3) - outs // 2
        valid, ready = int(busy and draw.random() < 0.5), draw.randrange(2)
        leaving, taken = int(outs < 2 * (ins // 3) and busy), draw.randrange(2)
        cycles.append((valid, ready, leaving, taken))
        expected.append(bool(valid or inside))
        ins, outs = ins + (valid and ready), outs + (leaving and taken)
    assert follow(cycles, 3, 2) == expected
    assert 100 < expected.count(False) < 2900
