"""The accelerator with a block of registers on AXI4-Lite beside its AXI4-Streams.

`REGISTERS` is the map, which documents and drivers repeat; accelerators whose weights can be loaded have
`WEIGHT_REGISTERS` too. Words of 32 bits; the two lowest address bits mean nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.back import rtlil
from amaranth.hdl import Cat, ClockDomain, ClockSignal, Const, Instance, Module, Mux, ResetSignal, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from emamba import __version__
from emamba.rtl import loading
from emamba.rtl.design import Design
from emamba.rtl.weights import Region

IDENTITY = int.from_bytes(b"EMBA", "big")
OKAY, SLAVE_ERROR = 0, 2  # responses

_ADDRESS_BITS = 12  # one page
_RESET_CYCLES = 16


@dataclass(frozen=True)
class Register:
    """A word of the map. `access`: R, W, or R/W1C for bits that are cleared by writing a one."""

    name: str
    offset: int
    access: str
    meaning: str


REGISTERS = (
    Register("IDENTITY", 0x00, "R", '0x454D4241, "EMBA"'),
    Register("VERSION", 0x04, "R", "of emamba: major, minor, patch in bits 23:16, 15:8, 7:0"),
    Register("GRAPH", 0x08, "R", "the first 32 bits of the graph's hash"),
    Register("CONTROL", 0x0C, "R/W", "bit 0: write 1 for a soft reset; reads 1 while it lasts, 16 cycles"),
    Register("STATUS", 0x10, "R/W1C", "bit 0: a packet had a wrong length"),
    Register("FRAMES", 0x14, "R", "frames that left"),
    Register("ERRORS", 0x18, "R", "packets of a wrong length that came in"),
    Register("STARVED", 0x1C, "R", "cycles in which the input was ready and nothing came"),
    Register("BLOCKED", 0x20, "R", "cycles in which a result waited to be taken"),
)
WEIGHT_REGISTERS = (
    Register("WEIGHT_ADDRESS", 0x24, "R/W", "of the element that WEIGHT_DATA writes next"),
    Register("WEIGHT_DATA", 0x28, "W", "an element of the weights; WEIGHT_ADDRESS then counts up by one"),
)

_PORTS = {
    "s_axi_awaddr": In(_ADDRESS_BITS),
    "s_axi_awprot": In(3),
    "s_axi_awvalid": In(1),
    "s_axi_awready": Out(1),
    "s_axi_wdata": In(32),
    "s_axi_wstrb": In(4),
    "s_axi_wvalid": In(1),
    "s_axi_wready": Out(1),
    "s_axi_bresp": Out(2),
    "s_axi_bvalid": Out(1),
    "s_axi_bready": In(1),
    "s_axi_araddr": In(_ADDRESS_BITS),
    "s_axi_arprot": In(3),
    "s_axi_arvalid": In(1),
    "s_axi_arready": Out(1),
    "s_axi_rdata": Out(32),
    "s_axi_rresp": Out(2),
    "s_axi_rvalid": Out(1),
    "s_axi_rready": In(1),
}


def register_map(design: Design) -> tuple[Register, ...]:
    """The words of the map that `design` has."""
    return REGISTERS + (WEIGHT_REGISTERS if design.regions else ())


def register_top(design: Design) -> str:
    """RTLIL of the module `design.register_top`, which has an instance of the module `design.stream_top`."""
    return rtlil.convert(AxiTop(design), name=design.register_top, emit_src=False)


class AxiTop(wiring.Component):
    """The AXI4-Stream top of `design` with registers.

    Members: `aclk`, `aresetn`, `s_axis_*` and `m_axis_*` as those of `AxiStreamTop`; `s_axi_*`, the registers.
    Timing: that of `AxiStreamTop`. A soft reset is the reset of that, the counters and the flag.
    """

    def __init__(self, design: Design) -> None:
        self._design = design
        self._inputs = {"s_axis_tdata": 8 * design.input.beat_bytes, "s_axis_tvalid": 1, "s_axis_tlast": 1}
        self._outputs = {"s_axis_tready": 1, "m_axis_tdata": 8 * design.output.beat_bytes}
        self._inputs |= {"m_axis_tready": 1}
        self._outputs |= {"m_axis_tvalid": 1, "m_axis_tlast": 1, "m_axis_tuser": 1}
        super().__init__(
            {
                "aclk": In(1),
                "aresetn": In(1),
                **{name: In(bits) for name, bits in self._inputs.items()},
                **{name: Out(bits) for name, bits in self._outputs.items()},
                **_PORTS,
            }
        )

    def elaborate(self, platform: object) -> Module:
        """The registers watch the streams from outside."""
        m = Module()
        m.domains.sync = ClockDomain("sync")
        m.submodules.registers = registers = Registers(int(self._design.graph_hash[:8], 16), self._design.regions)
        error = Signal()
        m.submodules.streams = Instance(
            self._design.stream_top,
            i_aclk=ClockSignal(),
            i_aresetn=~(ResetSignal() | registers.soft_reset),
            o_frame_error=error,
            o_frame_error_sticky=Signal(name="unused"),
            **{f"i_{name}": getattr(self, name) for name in self._inputs},
            **{f"o_{name}": getattr(self, name) for name in self._outputs},
            **{f"i_load__{name}": getattr(registers.load, name) for name in loading.names(self._design.regions)},
        )
        m.d.comb += [
            ClockSignal().eq(self.aclk),
            ResetSignal().eq(~self.aresetn),
            registers.frame.eq(self.m_axis_tvalid & self.m_axis_tready & self.m_axis_tlast),
            registers.error.eq(error),
            registers.starved.eq(self.s_axis_tready & ~self.s_axis_tvalid),
            registers.blocked.eq(self.m_axis_tvalid & ~self.m_axis_tready),
        ]
        for name, direction in _PORTS.items():
            outer, inner = getattr(self, name), getattr(registers, name)
            m.d.comb += inner.eq(outer) if direction.flow == In else outer.eq(inner)
        return m


class Registers(wiring.Component):
    """The words of `REGISTERS` on AXI4-Lite, and with `regions` those of `WEIGHT_REGISTERS`.

    Parameters: `graph`, the content of GRAPH; `regions` of the weights that can be loaded. Members: `s_axi_*`;
    `frame`, `error`, `starved`, `blocked`: each cycle in which one is high counts; `soft_reset`, high for 16 cycles;
    `load`, which drives the core's, if there are regions. Addresses without a register give SLVERR, and 0 when read;
    what is written to words that are read only is dropped. Counters go round at 2**32.
    Timing: a write every two cycles, address and data in either order, and a read every two; all outputs are registers
    or inverted ones.
    """

    def __init__(self, graph: int, regions: Sequence[Region] = ()) -> None:
        self._graph, self._regions = graph, regions
        self._words = REGISTERS + (WEIGHT_REGISTERS if regions else ())
        super().__init__(
            {
                **_PORTS,
                "frame": In(1),
                "error": In(1),
                "starved": In(1),
                "blocked": In(1),
                "soft_reset": Out(1),
                **{name: member.flip() for name, member in loading.members(regions).items()},
            }
        )

    def elaborate(self, platform: object) -> Module:
        """Counters, flag and soft reset; then the two sides of the bus."""
        m = Module()
        counters = {name: Signal(32, name=name) for name in ("frames", "errors", "starved_cycles", "blocked_cycles")}
        flag, left = Signal(), Signal(range(_RESET_CYCLES + 1))
        written, data = self._write(m)
        m.d.sync += [
            left.eq(Mux(written["CONTROL"], _RESET_CYCLES, left - self.soft_reset)),
            flag.eq(self.error | (flag & ~written["STATUS"])),
        ]
        m.d.comb += self.soft_reset.eq(left != 0)
        events = (self.frame, self.error, self.starved, self.blocked)
        for count, event in zip(counters.values(), events, strict=True):
            m.d.sync += count.eq(count + event)
        with m.If(self.soft_reset):
            m.d.sync += [flag.eq(0), *(count.eq(0) for count in counters.values())]
        constants = Const(IDENTITY, 32), Const(_version(), 32), Const(self._graph, 32)
        places = [self._load(m, written, data), Const(0)] if self._regions else []
        self._read(m, [*constants, self.soft_reset, flag, *counters.values(), *places])
        return m

    def _load(self, m: Module, written: dict[str, Value], data: Value) -> Value:
        """Writes elements one after the other; the address of the next one."""
        place = Signal.like(self.load.address, name="weight_address")
        with m.If(written["WEIGHT_ADDRESS"]):
            m.d.sync += place.eq(data)
        with m.If(written["WEIGHT_DATA"]):
            m.d.sync += place.eq(place + 1)
        m.d.comb += [self.load.write.eq(written["WEIGHT_DATA"]), self.load.address.eq(place), self.load.data.eq(data)]
        return place

    def _write(self, m: Module) -> tuple[dict[str, Value], Value]:
        """For each word whether it is written in this cycle, of `REGISTERS` only with a one in bit 0; and what."""
        address, data = Signal(_ADDRESS_BITS - 2), Signal(32 if self._regions else 1)
        addressed, filled, strobe = Signal(), Signal(), Signal()
        done = addressed & filled & (~self.s_axi_bvalid | self.s_axi_bready)
        m.d.comb += [self.s_axi_awready.eq(~addressed), self.s_axi_wready.eq(~filled)]
        with m.If(self.s_axi_bready):
            m.d.sync += self.s_axi_bvalid.eq(0)
        with m.If(self.s_axi_awvalid & self.s_axi_awready):
            m.d.sync += [addressed.eq(1), address.eq(self.s_axi_awaddr[2:])]
        with m.If(self.s_axi_wvalid & self.s_axi_wready):
            m.d.sync += [filled.eq(1), data.eq(self.s_axi_wdata[: len(data)]), strobe.eq(self.s_axi_wstrb[0])]
        with m.If(done):
            m.d.sync += [
                addressed.eq(0),
                filled.eq(0),
                self.s_axi_bvalid.eq(1),
                self.s_axi_bresp.eq(self._response(address)),
            ]
        bit = data[0] if self._regions else data
        flags = {it.name: done & bit & strobe & (address == it.offset >> 2) for it in REGISTERS}
        whole = {it.name: done & strobe & (address == it.offset >> 2) for it in self._words[len(REGISTERS) :]}
        return {**flags, **whole}, data

    def _read(self, m: Module, words: list[Value]) -> None:
        """`words` are those of the map, in order."""
        address = self.s_axi_araddr[2:]
        m.d.comb += self.s_axi_arready.eq(~self.s_axi_rvalid)
        with m.If(self.s_axi_rready):
            m.d.sync += self.s_axi_rvalid.eq(0)
        with m.If(self.s_axi_arvalid & self.s_axi_arready):
            m.d.sync += [self.s_axi_rvalid.eq(1), self.s_axi_rresp.eq(self._response(address)), self.s_axi_rdata.eq(0)]
            with m.Switch(address):
                for register, word in zip(self._words, words, strict=True):
                    with m.Case(register.offset >> 2):
                        m.d.sync += self.s_axi_rdata.eq(word)

    def _response(self, address: Value) -> Value:
        """Whether there is a register at the word `address`."""
        known = Cat(address == register.offset >> 2 for register in self._words).any()
        return Value.cast(Mux(known, OKAY, SLAVE_ERROR))


def _version() -> int:
    """The content of VERSION."""
    numbers = [int(number) for number in re.findall(r"\d+", __version__)[:3]]
    return int.from_bytes(bytes(numbers), "big")
