"""Weights in hardware: constants, or memories that can be written through the accelerator's `load` port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from emamba.fixed import Integer, Integers
from emamba.graph import Operation, arrays
from emamba.rtl.fixed import pack, unpack
from emamba.rtl.pipeline import rom
from emamba.rtl.weights import Region, of, widths


def port(regions: Sequence[Region]) -> wiring.Signature:
    """The port that writes `regions`: an element of `data` to `address` in each cycle in which `write` is high.

    Address and data have the `widths` of the regions.
    """
    address, data = widths(regions)
    return wiring.Signature({"write": Out(1), "address": Out(address), "data": Out(data)})


def members(regions: Sequence[Region]) -> dict[str, wiring.Member]:
    """What a module has beside its streams so that `regions` can be written: the port `load`, if there are any."""
    return {"load": In(port(regions))} if regions else {}


def names(regions: Sequence[Region]) -> list[str]:
    """The signals of that port."""
    return list(port(regions).members) if regions else []


class Loader(wiring.Component):
    """Passes on what is written to the stage that has its region.

    Parameter: all `regions`. Members: `load`; `to_<tensor>` for each operation that has regions, with the address bits
    that differ among these. Timing: one cycle. A reset leaves it alone, so that nothing is lost that is
    written meanwhile.
    """

    def __init__(self, regions: Sequence[Region]) -> None:
        tensors = dict.fromkeys(region.tensor for region in regions)
        self._own = {tensor: list(of(regions, tensor).values()) for tensor in tensors}
        super().__init__({**members(regions), **{f"to_{name}": Out(port(own)) for name, own in self._own.items()}})

    def elaborate(self, platform: object) -> Module:
        """Registers; the high bits of the address choose the stage."""
        m = Module()
        held = {name: Signal.like(getattr(self.load, name), reset_less=True) for name in self.load.signature.members}
        m.d.sync += [register.eq(getattr(self.load, name)) for name, register in held.items()]
        for tensor, own in self._own.items():
            target = getattr(self, f"to_{tensor}")
            local = len(target.address)
            here = min(region.base for region in own) >> local
            chosen = held["address"][local:] == here if len(held["address"]) > local else 1
            m.d.comb += [
                target.write.eq(held["write"] & chosen),
                target.address.eq(held["address"]),
                target.data.eq(held["data"]),
            ]
        return m


@dataclass(frozen=True, eq=False)
class Weights:
    """The arrays of `op` in its stage, each in its region; if they can be `loaded`, the stage has a port `load`."""

    op: Operation
    regions: Mapping[str, Region]
    loaded: bool

    @property
    def members(self) -> dict[str, wiring.Member]:
        """What the stage has for them beside its streams."""
        return members(list(self.regions.values()) if self.loaded else [])

    def dtype(self, name: str) -> Integer:
        """The type of the elements of array `name`."""
        return self.regions[name].dtype

    def read(self, m: Module, stage: Any, name: str, address: Value, advance: Value) -> list[Value]:
        """The elements of the word `address` of array `name`, one move later; one word needs no address and no move.

        What the `load` port of the `stage` writes is read from the next cycle on. A reset changes nothing.
        """
        region, rows = self.regions[name], self.regions[name].rows(arrays(self.op)[name])
        if not self.loaded:
            return rom(m, name, list(rows), region.dtype, address, advance)
        if len(rows) == 1:
            return _registers(m, region, rows[0], stage.load)
        return _memory(m, region, rows, address, advance, stage.load)


def _registers(m: Module, region: Region, row: Integers, load: wiring.PureInterface) -> list[Value]:
    """The only word."""
    bits = region.dtype.bits
    held = Signal(bits * region.lanes, init=pack(row.tolist(), bits), name=region.array, reset_less=True)
    enable, _ = _addressed(region, load)
    for lane in range(region.lanes):
        with m.If(enable[lane]):
            m.d.sync += held[lane * bits : (lane + 1) * bits].eq(load.data)
    return unpack(held, region.dtype)


def _memory(
    m: Module, region: Region, rows: Integers, address: Value, advance: Value, load: wiring.PureInterface
) -> list[Value]:
    """A memory in which each element of a word is written by itself."""
    bits = region.dtype.bits
    words = [pack(row.tolist(), bits) for row in rows]
    m.submodules[region.array] = memory = Memory(shape=Shape(bits * region.lanes), depth=len(words), init=words)
    write, read = memory.write_port(granularity=bits), memory.read_port()
    enable, word = _addressed(region, load)
    m.d.comb += [
        write.addr.eq(word),
        write.data.eq(Value.cast(load.data)[:bits].replicate(region.lanes)),
        write.en.eq(enable),
        read.addr.eq(address),
        read.en.eq(advance),
    ]
    return unpack(read.data, region.dtype)


def _addressed(region: Region, load: wiring.PureInterface) -> tuple[Value, Value]:
    """For each lane whether its element is written, and the word."""
    lane, size = region.stride.bit_length() - 1, region.size.bit_length() - 1
    address = Value.cast(load.address)
    within = (region.base >> size) & ((1 << max(len(address) - size, 0)) - 1)
    chosen = load.write & (address[size:] == within) if len(address) > size else load.write
    lanes = [chosen & (address[:lane] == index) if lane else chosen for index in range(region.lanes)]
    return Value.cast(Cat(lanes)), address[lane:size]
