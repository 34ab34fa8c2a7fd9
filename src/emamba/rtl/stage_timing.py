"""When beats move through stages: the control of each kind, as `rtl.timing` has it for what joins them."""

from __future__ import annotations

from collections.abc import Sequence

from emamba.rtl.convolution import SPARE
from emamba.rtl.serial_scan import STEPS
from emamba.rtl.timing import Fifo, Wire


class _Staged:
    """Registers that move together, the last one with a `Skid` behind it, as `stream.Exit` has them.

    Without the `skid`, what follows is a component of its own.
    """

    def __init__(self, sources: Sequence[Wire], output: Wire, moves: int, skid: bool = True) -> None:
        self.sources, self.output = tuple(sources), output
        self._beats, self._end, self._most = 0, 1 << (moves - 1), (1 << moves) - 1  # one bit a register, lowest first
        self._skid, self._full = skid, False
        self.advance = False

    def offer(self) -> None:
        """What the skid keeps, or the last register."""
        self.output.valid = self._full or self._beats >= self._end

    def accept(self) -> None:
        """The registers move when the last one is empty or taken."""
        taken = not self._full if self._skid else self.output.ready
        self.advance = taken or self._beats < self._end
        self.meet()

    def meet(self) -> None:
        """Says which sources are ready, from `advance`."""
        raise NotImplementedError

    def entering(self) -> bool:
        """Whether the first register takes an output beat; only asked when registers move. Counts the steps."""
        raise NotImplementedError

    def clock(self) -> None:
        """All registers move, or none."""
        self._full = self._skid and self.output.valid and not self.output.ready
        if self.advance:
            self._beats = (self._beats << 1 | self.entering()) & self._most


class Elementwise(_Staged):
    """`ActivationStage`, `PairStage`: one beat of each source for each of the output."""

    def meet(self) -> None:
        """All sources together; a single one needs no look at its valid."""
        together = self.advance and (len(self.sources) == 1 or all(source.valid for source in self.sources))
        for source in self.sources:
            source.ready = together

    def entering(self) -> bool:
        """A beat of each."""
        return all(source.valid for source in self.sources)


class Convolution(_Staged):
    """`ConvolutionStage`: a beat of output takes `steps`, once the last beat that it needs is in the ring.

    A frame has `tokens` of `beats`; the last tap is `ahead` tokens after the output's own.
    """

    def __init__(self, source: Wire, output: Wire, moves: int, steps: int, beats: int, tokens: int, ahead: int) -> None:
        super().__init__([source], output, moves)
        self._steps, self._beats_a_token, self._tokens, self._ahead = steps, beats, tokens, ahead
        self._room = ahead * beats + SPARE - 1
        self._stored, self._step, self._beat, self._left = 0, 0, 0, tokens - 1
        self._done = False

    def meet(self) -> None:
        """The ring takes what fits."""
        self.sources[0].ready = self._stored != self._room

    def entering(self) -> bool:
        """The last step of a beat, if that can be computed."""
        if self._stored > min(self._left, self._ahead) * self._beats_a_token:
            self._step = (self._step + 1) % self._steps
            self._done = self._step == 0
        return self._done

    def clock(self) -> None:
        """Beats written, less beats of output that are done; then the next beat's token."""
        self._done = False
        super().clock()
        self._stored += self.sources[0].moves - self._done
        if self._done:
            self._beat = (self._beat + 1) % self._beats_a_token
            if self._beat == 0:
                self._left = self._left - 1 if self._left else self._tokens - 1


class Pool(Elementwise):
    """`PoolStage`: the beats of the last of `tokens` tokens go on."""

    def __init__(self, sources: Sequence[Wire], output: Wire, moves: int, beats: int, tokens: int) -> None:
        super().__init__(sources, output, moves)
        self._beats_seen, self._silent, self._frame = 0, beats * (tokens - 1), beats * tokens

    def entering(self) -> bool:
        """Counts beats of the frame."""
        if not self.sources[0].valid:
            return False
        done = self._beats_seen >= self._silent
        self._beats_seen = (self._beats_seen + 1) % self._frame
        return done


class Linear(_Staged):
    """`LinearStage`: a beat is held for `rows` steps; sums are complete in the last of `columns` beats.

    With several of both, sums leave in a burst, for which there is a `Fifo` behind. `LookupStage` has one column.
    """

    def __init__(self, source: Wire, output: Wire, moves: int, columns: int, rows: int) -> None:
        super().__init__([source], output, moves, skid=columns == 1 or rows == 1)
        self._columns, self._rows = columns, rows
        self._waiting, self._row, self._column = False, 0, 0

    def meet(self) -> None:
        """A new beat when none is held, or with the last step of the one that is."""
        self.sources[0].ready = not self._waiting or (self.advance and self._row == self._rows - 1)

    def entering(self) -> bool:
        """One step with the beat that is held."""
        done = self._waiting and self._column == self._columns - 1
        if self._waiting:
            self._row = (self._row + 1) % self._rows
            if self._row == 0:
                self._column = (self._column + 1) % self._columns
                self._waiting = False
        return done

    def clock(self) -> None:
        """Then the next beat is held."""
        super().clock()
        self._waiting = self._waiting or self.sources[0].moves


class Scan(_Staged):
    """`ScanStage`: `words` useful steps of `period` a token; a beat of x and delta goes with `groups` of them."""

    def __init__(self, sources: Sequence[Wire], output: Wire, moves: int, words: int, groups: int, period: int) -> None:
        super().__init__(sources, output, moves)
        self._words, self._groups, self._period = words, groups, period
        self._place, self._steps = 0, False

    def meet(self) -> None:
        """x and delta with the last group of their beat, b and c with the last step of the token."""
        x, delta, b, c = self.sources
        useful = self._place < self._words
        self._steps = self.advance and b.valid and c.valid and (not useful or (x.valid and delta.valid))
        x.ready = delta.ready = self._steps and useful and self._ends_beat()
        b.ready = c.ready = self._steps and self._place == self._period - 1

    def entering(self) -> bool:
        """The last group of a beat completes its readout."""
        done = self._steps and self._place < self._words and self._ends_beat()
        if self._steps:
            self._place = (self._place + 1) % self._period
        return done

    def _ends_beat(self) -> bool:
        return self._place % self._groups == self._groups - 1


class SerialScan(_Staged):
    """`SerialScanStage`: a state begins in slot 0 of three, when all sources are there."""

    def __init__(self, sources: Sequence[Wire], output: Wire, moves: int, states: int, channels: int) -> None:
        super().__init__(sources, output, moves)
        self._states, self._channels = states, channels
        self._slot, self._state, self._channel, self._active = 0, 0, 0, False

    def meet(self) -> None:
        """In the last slot of a channel's last state, and of the token's."""
        x, delta, b, c = self.sources
        done = self.advance and self._active and self._slot == STEPS - 1 and self._state == self._states - 1
        x.ready = delta.ready = done
        b.ready = c.ready = done and self._channel == self._channels - 1

    def entering(self) -> bool:
        """The beginning of a channel's last state."""
        begins = self._slot == 0 and all(source.valid for source in self.sources)
        entered = begins and self._state == self._states - 1
        if self._slot == 0:
            self._active = begins
        elif self._slot == STEPS - 1 and self._active:
            self._active = False
            self._state = (self._state + 1) % self._states
            self._channel = (self._channel + (self._state == 0)) % self._channels
        self._slot = (self._slot + 1) % STEPS
        return entered


class RangeNorm(_Staged):
    """`RangeNormStage`: a token of `beats` waits in a FIFO of `room` until its numbers are known."""

    def __init__(self, source: Wire, output: Wire, moves: int, beats: int, room: int) -> None:
        super().__init__([source], output, moves)
        self._beats_a_token = beats
        self._token = Wire()
        self._fifo = Fifo(source, self._token, room)
        self._arrived, self._given = 0, 0
        self._complete = self._looked_up = False
        self._known = 0  # tokens whose numbers wait

    def offer(self) -> None:
        """The pipeline, and the FIFO in front of it."""
        super().offer()
        self._fifo.offer()

    def meet(self) -> None:
        """The FIFO takes what fits; the second pass takes from it."""
        self._fifo.accept()
        self._token.ready = self._known > 0 and self.advance

    def entering(self) -> bool:
        """A beat of a token whose numbers are known."""
        return self._token.moves

    def clock(self) -> None:
        """Statistics are known two cycles after the last beat of a token."""
        super().clock()
        moved, taken = self.sources[0].moves, self._token.moves
        self._given = (self._given + taken) % self._beats_a_token
        self._known += self._looked_up - (taken and self._given == 0)
        self._arrived = (self._arrived + moved) % self._beats_a_token
        self._looked_up, self._complete = self._complete, moved and self._arrived == 0
        self._fifo.clock()
