"""When beats move: the control of every stage and of what joins them, cycle by cycle, without data, compiled.

Each kind of part repeats the ready, valid and counters of the component it is named after, so that cycles and
latency are those of the Verilog, exactly (`rtl.timing` makes the parts). In a cycle, first `_offer` says which
outputs are valid, from the sources to the output; then `_accept` says which sources are ready, the other way; then
`_clock` updates the registers.

A part `p` has one stream at one end, `p.one`, and at the other end those in `many`: its sources, or the outputs of a
fork. Streams are places in the arrays `valid` and `ready`. The registers of a stage move together, when the last one
is empty or taken (`stream.Exit`, whose skid is a part of its own); `p.beats` says which of them hold one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from emamba.compiled import compiled, inlined
from emamba.rtl.serial_scan import STEPS

SKID, FIFO, FORK, WIDEN, NARROW, REPLAY = range(6)
ELEMENTWISE, POOL, CONVOLUTION, LINEAR, RANGE_NORM, SCAN, SERIAL_SCAN = range(6, 13)

_SIZES = """end most room readers ratio count times sources silent frame steps token_beats tokens ahead columns rows
words groups period states channels""".split()  # noqa: SIM905 - a list of words reads best as words
_REGISTERS = """beats advance full level read waiting at left filled time seen stored step beat done place row column
slot state channel active given arrived known complete looked_up""".split()  # noqa: SIM905
PART = np.dtype([(name, np.int64) for name in ("kind", "one", *_SIZES, *_REGISTERS)])

_LAST_SLOT = STEPS - 1


@inlined
def _all(places: Any, count: Any, flags: Any) -> Any:
    for k in range(count):  # noqa: SIM110 - Numba has no generators in all()
        if not flags[places[k]]:
            return False
    return True


@inlined
def _offer(p: Any, many: Any, valid: Any) -> None:
    """Sets valid of the outputs."""
    if p.kind == FORK:  # to those that have not taken the beat
        for k in range(p.readers):
            valid[many[k]] = valid[p.one] and p.waiting >> k & 1
    elif p.kind == SKID:  # a kept beat goes first
        valid[p.one] = p.full or valid[many[0]]
    elif p.kind in (FIFO, REPLAY):
        valid[p.one] = p.read
    elif p.kind == WIDEN:
        valid[p.one] = p.full
    elif p.kind == NARROW:
        valid[p.one] = p.left > 0
    else:
        valid[p.one] = p.beats >= p.end


@inlined
def _accept(p: Any, many: Any, valid: Any, ready: Any) -> None:
    """Sets ready of the sources."""
    if p.kind == FORK:  # when the last one takes it
        ready[p.one] = True
        for k in range(p.readers):
            ready[p.one] &= ready[many[k]] or not p.waiting >> k & 1
    elif p.kind == SKID:
        ready[many[0]] = not p.full
    elif p.kind == FIFO:  # with one place, the register is the memory
        ready[many[0]] = p.level != p.room if p.room else not p.read
    elif p.kind == WIDEN:  # all but the last beat of a group always fit
        ready[many[0]] = p.at != p.ratio - 1 or not p.full or ready[p.one]
    elif p.kind == NARROW:  # when the last narrow beat goes
        ready[many[0]] = p.left == 0 or (p.left == 1 and ready[p.one])
    elif p.kind == REPLAY:  # room for two tokens
        ready[many[0]] = p.filled != 2 * p.count
    else:
        p.advance = ready[p.one] or p.beats < p.end
        _meet(p, many, valid, ready)


@inlined
def _clock(p: Any, many: Any, valid: Any, ready: Any) -> None:
    """Moves the registers."""
    if p.kind == FORK:
        _clock_fork(p, many, valid, ready)
    elif p.kind == SKID:  # keeps what the output does not take
        p.full = valid[p.one] and not ready[p.one]
    elif p.kind == FIFO:
        _clock_fifo(p, many, valid, ready)
    elif p.kind == WIDEN:
        _clock_widen(p, many, valid, ready)
    elif p.kind == NARROW:  # one narrow beat less, or a new wide one
        p.left -= valid[p.one] and ready[p.one]
        if valid[many[0]] and ready[many[0]]:
            p.left = p.ratio
    elif p.kind == REPLAY:
        _clock_replay(p, many, valid, ready)
    else:
        _clock_stage(p, many, valid, ready)


@inlined
def _clock_fork(p: Any, many: Any, valid: Any, ready: Any) -> None:
    """Remembers who does not have the beat that waits."""
    if valid[p.one]:
        for k in range(p.readers):
            if ready[many[k]]:
                p.waiting &= ~(1 << k)
        if p.waiting == 0:
            p.waiting = (1 << p.readers) - 1


@inlined
def _clock_fifo(p: Any, many: Any, valid: Any, ready: Any) -> None:
    """A beat in, a beat from the memory to the register, a beat out."""
    moved = valid[many[0]] and ready[many[0]]
    free = not p.read or ready[p.one]
    if p.room == 0:
        p.read = moved or not free
        return
    fetched = free and p.level > 0
    p.level += moved - fetched
    p.read = fetched or not free


@inlined
def _clock_widen(p: Any, many: Any, valid: Any, ready: Any) -> None:
    """The last beat of a group completes the wide one."""
    if ready[p.one]:
        p.full = False
    if valid[many[0]] and ready[many[0]]:
        p.at = (p.at + 1) % p.ratio
        p.full = p.full or p.at == 0


@inlined
def _clock_replay(p: Any, many: Any, valid: Any, ready: Any) -> None:
    """A beat in, a beat to the register; after its last time a token makes room."""
    free = not p.read or ready[p.one]
    fetched = free and p.at < p.filled
    p.filled += valid[many[0]] and ready[many[0]]
    p.read = fetched or not free
    if fetched:
        p.at = (p.at + 1) % p.count
        if p.at == 0:
            p.time = (p.time + 1) % p.times
            p.filled -= p.count * (p.time == 0)


@inlined
def _meet(p: Any, many: Any, valid: Any, ready: Any) -> None:
    """Says which sources of a stage are ready."""
    if p.kind in (ELEMENTWISE, POOL):  # together; a single one needs no look at its valid
        together = p.advance and (p.sources == 1 or _all(many, p.sources, valid))
        for k in range(p.sources):
            ready[many[k]] = together
    elif p.kind == CONVOLUTION:  # the ring takes what fits
        ready[many[0]] = p.stored != p.room
    elif p.kind == LINEAR:  # a new beat when none is held, or with the last step of the one that is
        ready[many[0]] = not p.waiting or (p.advance and p.row == p.rows - 1)
    elif p.kind == RANGE_NORM:
        ready[many[0]] = p.known > 0 and p.advance
    elif p.kind == SCAN:
        _meet_scan(p, many, valid, ready)
    else:  # serial: in the last slot of a channel's last state, and of the token's
        done = p.advance and p.active and p.slot == _LAST_SLOT and p.state == p.states - 1
        _take_scan(many, ready, done, done and p.channel == p.channels - 1)


@inlined
def _meet_scan(p: Any, many: Any, valid: Any, ready: Any) -> None:
    """x and delta with the last group of their beat, b and c with the last step of the token."""
    useful = p.place < p.words
    p.step = p.advance and valid[many[2]] and valid[many[3]] and (not useful or _all(many, 2, valid))
    done = useful and p.place % p.groups == p.groups - 1
    _take_scan(many, ready, p.step and done, p.step and p.place == p.period - 1)


@inlined
def _take_scan(many: Any, ready: Any, channel: Any, token: Any) -> None:
    ready[many[0]] = ready[many[1]] = channel
    ready[many[2]] = ready[many[3]] = token


@inlined
def _clock_stage(p: Any, many: Any, valid: Any, ready: Any) -> None:
    """All registers move, or none; then what lies in front of them."""
    p.done = False
    if p.advance:
        p.done = _entering(p, many, valid)
        p.beats = (p.beats << 1 | p.done) & p.most
    moved = valid[many[0]] and ready[many[0]]
    if p.kind == LINEAR:  # the next beat is held
        p.waiting = p.waiting or moved
    elif p.kind == CONVOLUTION:
        _clock_convolution(p, moved)
    elif p.kind == RANGE_NORM:
        _clock_norm(p, moved, valid[many[1]] and ready[many[1]])


@inlined
def _clock_convolution(p: Any, moved: Any) -> None:
    """Beats written, less beats of output that are done; then the next beat's token."""
    p.stored += moved - p.done
    if p.done:
        p.beat = (p.beat + 1) % p.token_beats
        if p.beat == 0:
            p.left = p.left - 1 if p.left else p.tokens - 1


@inlined
def _clock_norm(p: Any, taken: Any, arrived: Any) -> None:
    """Statistics are known two cycles after the last beat of a token has arrived, in front of its FIFO."""
    p.given = (p.given + taken) % p.token_beats
    p.known += p.looked_up - (taken and p.given == 0)
    p.arrived = (p.arrived + arrived) % p.token_beats
    p.looked_up, p.complete = p.complete, arrived and p.arrived == 0


@inlined
def _entering(p: Any, many: Any, valid: Any) -> Any:
    """Whether the first register of a stage takes an output beat; only asked when registers move. Counts the steps."""
    if p.kind == ELEMENTWISE:
        return _all(many, p.sources, valid)
    if p.kind == POOL:
        return _entering_pool(p, valid[many[0]])
    if p.kind == CONVOLUTION:
        return _entering_convolution(p)
    if p.kind == LINEAR:
        return _entering_linear(p)
    if p.kind == RANGE_NORM:
        return valid[many[0]] and p.known > 0
    if p.kind == SCAN:
        return _entering_scan(p)
    return _entering_serial_scan(p, _all(many, 4, valid))


@inlined
def _entering_pool(p: Any, valid: Any) -> Any:
    """The beats of the last token of a frame go on."""
    done = valid and p.seen >= p.silent
    p.seen = (p.seen + valid) % p.frame
    return done


@inlined
def _entering_convolution(p: Any) -> Any:
    """The last step of a beat, if that can be computed: once the last beat that it needs is in the ring."""
    if p.stored <= min(p.left, p.ahead) * p.token_beats:
        return False
    p.step = (p.step + 1) % p.steps
    return p.step == 0


@inlined
def _entering_linear(p: Any) -> Any:
    """One step with the beat that is held; sums are complete in the last of the columns."""
    done = p.waiting and p.column == p.columns - 1
    if p.waiting:
        p.row = (p.row + 1) % p.rows
        if p.row == 0:
            p.column = (p.column + 1) % p.columns
            p.waiting = False
    return done


@inlined
def _entering_scan(p: Any) -> Any:
    """The last group of a beat completes its readout."""
    done = p.step and p.place < p.words and p.place % p.groups == p.groups - 1
    if p.step:
        p.place = (p.place + 1) % p.period
    return done


@inlined
def _entering_serial_scan(p: Any, valid: Any) -> Any:
    """The beginning of a channel's last state: in slot 0, when all sources are there."""
    begins = p.slot == 0 and valid
    entered = begins and p.state == p.states - 1
    if p.slot == 0:
        p.active = begins
    elif p.slot == _LAST_SLOT and p.active:
        p.active = False
        p.state = (p.state + 1) % p.states
        p.channel = (p.channel + (p.state == 0)) % p.channels
    p.slot = (p.slot + 1) % STEPS
    return entered


@compiled
def run(
    parts: NDArray[Any],  # PART, in the order of the data
    many: NDArray[np.int64],  # (parts, streams)
    valid: NDArray[np.bool_],
    ready: NDArray[np.bool_],  # of streams that no part takes: for ever
    ends: tuple[int, int],  # the first and the last stream
    beats: tuple[int, int],  # that enter, and that leave with each frame
    finished: NDArray[np.int64],  # for each frame the cycle in which its last beat leaves
    patience: int,
) -> int:
    """The number of frames that left before `patience` cycles were over."""
    given, taken, frames = 0, 0, 0
    for cycle in range(patience):
        valid[ends[0]] = given < beats[0]
        for k in range(len(parts)):
            _offer(parts[k], many[k], valid)
        for k in range(len(parts) - 1, -1, -1):
            _accept(parts[k], many[k], valid, ready)
        given += valid[ends[0]] and ready[ends[0]]
        if valid[ends[1]]:
            taken += 1
            if taken % beats[1] == 0:
                finished[frames] = cycle
                frames += 1
                if frames == len(finished):
                    break
        for k in range(len(parts)):
            _clock(parts[k], many[k], valid, ready)
    return frames
