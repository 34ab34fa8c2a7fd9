"""The accelerator between AXI4-Streams: packets become whole frames, and results become packets.

An element lies in whole bytes of its own (`Port.element_bytes`), the first one lowest; a beat has as many bytes as
`Port.beat_bytes` says. Bits above an element, and bytes above the last lane, mean nothing on the way in; on the way
out elements are extended by sign or zero, and spare bytes are 0. TLAST ends a frame.
"""

from __future__ import annotations

from amaranth.back import rtlil
from amaranth.hdl import ClockDomain, ClockSignal, Instance, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from emamba.rtl import loading
from emamba.rtl.design import Design, Port
from emamba.rtl.pipeline import counter
from emamba.rtl.stream import Skid, beats, elements

_FLAGS = stream.Signature(1)  # pyright: ignore[reportArgumentType]  a number is a shape
_STAGE_CYCLES = 16  # that the pipeline of a stage and its link add to what the stage works, generously


def stream_top(design: Design) -> str:
    """RTLIL of the module `design.stream_top`, which has an instance of the module `design.top`."""
    return rtlil.convert(AxiStreamTop(design), name=design.stream_top, emit_src=False)


class AxiStreamTop(wiring.Component):
    """The core of `design` with AXI4-Stream at both ends.

    Members: `aclk`, `aresetn` (synchronous, active low); `s_axis_*`, one packet a frame; `m_axis_*`, one packet for
    each that came in, with `m_axis_tuser` high in the last beat if that one had a wrong length; `frame_error`, high
    for a cycle when this is seen; `frame_error_sticky`, high from then on until a reset; `load`, which is the core's,
    if weights can be loaded.
    Timing: a cycle more than the core at each end, where all outputs are registers but `s_axis_tready`, which is a
    function of registers. Cycles a frame are those of the core.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        super().__init__(
            {
                "aclk": In(1),
                "aresetn": In(1),
                "s_axis_tdata": In(8 * design.input.beat_bytes),
                "s_axis_tvalid": In(1),
                "s_axis_tready": Out(1),
                "s_axis_tlast": In(1),
                "m_axis_tdata": Out(8 * design.output.beat_bytes),
                "m_axis_tvalid": Out(1),
                "m_axis_tready": In(1),
                "m_axis_tlast": Out(1),
                "m_axis_tuser": Out(1),
                "frame_error": Out(1),
                "frame_error_sticky": Out(1),
                **loading.members(design.regions),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Ingress, core, egress; flags of frames go around the core."""
        m = Module()
        m.domains.sync = ClockDomain("sync")
        m.submodules.ingress = ingress = Ingress(self._design.input, _frames_inside(self._design))
        m.submodules.egress = egress = Egress(self._design.output)
        m.submodules.core = self._core(ingress.output, egress.source)
        wiring.connect(m, ingress.wrong, egress.wrong)
        m.d.comb += [
            ClockSignal().eq(self.aclk),
            ResetSignal().eq(~self.aresetn),
            ingress.tdata.eq(self.s_axis_tdata),
            ingress.tvalid.eq(self.s_axis_tvalid),
            ingress.tlast.eq(self.s_axis_tlast),
            self.s_axis_tready.eq(ingress.tready),
            self.m_axis_tdata.eq(egress.tdata),
            self.m_axis_tvalid.eq(egress.tvalid),
            self.m_axis_tlast.eq(egress.tlast),
            self.m_axis_tuser.eq(egress.tuser),
            egress.tready.eq(self.m_axis_tready),
            self.frame_error.eq(ingress.error),
        ]
        m.d.sync += self.frame_error_sticky.eq(self.frame_error_sticky | ingress.error)
        return m

    def _core(self, source: stream.Interface, output: stream.Interface) -> Instance:
        """The module that `rtl.build` made, between two streams."""
        return Instance(
            self._design.top,
            i_clk=ClockSignal(),
            i_rst=ResetSignal(),
            i_input__payload=Value.cast(source.payload),
            i_input__valid=source.valid,
            o_input__ready=source.ready,
            o_output__payload=Value.cast(output.payload),
            o_output__valid=output.valid,
            i_output__ready=output.ready,
            o_active=Signal(name="unused"),
            **{f"i_load__{name}": getattr(self.load, name) for name in loading.names(self._design.regions)},
        )


class Ingress(wiring.Component):
    """Packets as whole frames: the rest of a short one is zeros, the rest of a long one is dropped.

    So stages that count tokens never see a frame of another length, and the next frame is right again.
    Parameters: `port`, the core's input; `frames`, how many may be inside the core.
    Members: `tdata`, `tvalid`, `tready`, `tlast`; `output`, beats for the core; `wrong`, for each frame, once its last
    beat was taken, whether its packet had another length; `error`, high for a cycle for each such packet.
    Timing: one cycle. `tready` is a function of registers if `output.ready` is one; it is low until one cycle after
    a reset.
    """

    def __init__(self, port: Port, frames: int) -> None:
        self._port, self._frames = port, frames
        super().__init__(
            {
                "tdata": In(8 * port.beat_bytes),
                "tvalid": In(1),
                "tready": Out(1),
                "tlast": In(1),
                "output": Out(beats(port.dtype, port.lanes)),
                "wrong": Out(_FLAGS),
                "error": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Beats that enter are counted, whether they were taken or are padding."""
        m = Module()
        awake, padding, dropping, enters, taken = (Signal() for _ in range(5))
        place, last = counter(m, self._port.frame_beats, enters)
        m.submodules.flags = flags = SyncFIFO(width=1, depth=self._frames)
        fits = (~Value.cast(self.output.valid) | self.output.ready) & (~Value.cast(last) | flags.w_rdy)
        early = taken & ~dropping & self.tlast & ~Value.cast(last)
        missing = taken & ~dropping & ~self.tlast & last
        m.d.comb += [
            self.tready.eq(awake & (dropping | (fits & ~padding))),
            taken.eq(self.tvalid & self.tready),
            enters.eq((taken & ~dropping) | (padding & fits)),
            flags.w_en.eq(enters & last),
            flags.w_data.eq(padding | missing),
            self.wrong.payload.eq(flags.r_data),
            self.wrong.valid.eq(flags.r_rdy),
            flags.r_en.eq(self.wrong.ready),
        ]
        m.d.sync += [
            awake.eq(1),
            padding.eq(early | (padding & ~(enters & last))),
            dropping.eq(missing | (dropping & ~(taken & self.tlast))),
            self.error.eq(early | missing),
        ]
        with m.If(~Value.cast(self.output.valid) | self.output.ready):
            m.d.sync += [self.output.valid.eq(enters), self.output.payload.first.eq(place < self._port.beats)]
            m.d.sync += [
                self.output.payload.data[lane].eq(Mux(padding, 0, element))
                for lane, element in enumerate(self._lanes())
            ]
        return m

    def _lanes(self) -> list[Value]:
        """The elements in `tdata`."""
        width, bits = 8 * self._port.element_bytes, self._port.dtype.bits
        return [Value.cast(self.tdata[lane * width :][:bits]) for lane in range(self._port.lanes)]


class Egress(wiring.Component):
    """Frames as packets.

    Parameter: `port`, the core's output. Members: `source`, beats from the core; `wrong`, as `Ingress` gives it;
    `tdata`, `tvalid`, `tready`, `tlast`, and `tuser`, which is `wrong` in the last beat and 0 before.
    Timing: one cycle. `source.ready` and all that leaves are registers.
    """

    def __init__(self, port: Port) -> None:
        self._port = port
        super().__init__(
            {
                "source": In(beats(port.dtype, port.lanes)),
                "wrong": In(_FLAGS),
                "tdata": Out(8 * port.beat_bytes),
                "tvalid": Out(1),
                "tready": In(1),
                "tlast": Out(1),
                "tuser": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The last beat waits for the flag of its frame, which comes when the last beat of that went in."""
        m = Module()
        m.submodules.skid = skid = Skid(self._port.dtype, self._port.lanes)
        wiring.connect(m, wiring.flipped(self.source), skid.source)
        beat, advance, leaves = skid.output, Signal(), Signal()
        _, last = counter(m, self._port.frame_beats, leaves)
        complete = ~Value.cast(last) | self.wrong.valid
        m.d.comb += [
            advance.eq(~self.tvalid | self.tready),
            beat.ready.eq(advance & complete),
            leaves.eq(beat.valid & beat.ready),
            self.wrong.ready.eq(leaves & last),
        ]
        with m.If(advance):
            m.d.sync += [
                self.tvalid.eq(leaves),
                self.tlast.eq(last),
                self.tuser.eq(last & self.wrong.payload),
                *self._extended(beat),
            ]
        return m

    def _extended(self, beat: stream.Interface) -> list[Value]:
        """`tdata` takes the elements of `beat`; a signed one fills its bytes with its sign."""
        width = 8 * self._port.element_bytes
        return [
            self.tdata[lane * width : (lane + 1) * width].eq(element)
            for lane, element in enumerate(elements(beat, self._port.lanes))
        ]


def _frames_inside(design: Design) -> int:
    """Frames that are inside the core at once when it runs at full speed, at most; three of them are a FIFO's least."""
    tokens = {tap.name: tap.tokens for tap in design.taps}
    interval = max(stage.cycles * tokens[name] for stage in design.stages for name in (stage.sources or (stage.name,)))
    return 3 + (design.frame_cycles + _STAGE_CYCLES * len(design.stages)) // interval
