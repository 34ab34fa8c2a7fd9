"""Resources of a design on an FPGA, from Yosys' mapping. Nothing is placed or routed."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from emamba import files
from emamba.eda.targets import XCUP, Resources, Target
from emamba.eda.yosys import yosys_at_once

# What abc finds depends a little on the parts, so that their number does not depend on the machine.
_PARTS = 4  # synthesised at once, at most
_PART_BYTES = 200_000  # of Verilog that are worth another process
_MODULE = re.compile(r"^module \\?(\S+?) ?\(.*?^endmodule\n", re.MULTILINE | re.DOTALL)
_INSTANCE = re.compile(r"^  \\(\S+)  \S+ +\(\n.*?^  \);\n", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Synthesis:
    """Resources of each component of a design; the total is their sum."""

    target: str
    components: Mapping[str, Resources]

    @property
    def totals(self) -> Resources:
        """Resources of the whole design."""
        return sum(self.components.values(), start=Resources())

    def to_json(self) -> dict[str, Any]:
        """The content of synth.json."""
        rows = [{"name": name, **asdict(resources)} for name, resources in self.components.items()]
        return {"target": self.target, "totals": asdict(self.totals), "components": rows}


def synthesize(verilog: str, top: str, target: Target = XCUP) -> Synthesis:
    """Maps the module `top` of `verilog`, as `eda.verilog` wrote it, to `target`.

    The children of the top module (stages, links, forks) keep their borders, so that each LUT belongs
    to one; inside them everything is flattened. Without borders a network of the digits' size had 0.4 % fewer
    LUTs. All links count as one component, and all forks. ToolError when Yosys fails.
    """
    texts = {f"part_{index}": text for index, text in enumerate(parts(verilog, top))}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part, text in texts.items():
            files.write(folder / f"{part}.v", text)
        yosys_at_once({part: _commands(part, text, top, target) for part, text in texts.items()}, folder)
        stats = [json.loads(files.read_bytes(folder / f"{part}.json")) for part in texts]
    found = [_components(stat, top, target) for stat in stats]
    names = sorted({name for components in found for name in components})
    sums = {name: sum((components.get(name, Resources()) for components in found), start=Resources()) for name in names}
    return Synthesis(target.name, sums)


def parts(verilog: str, top: str) -> list[str]:
    """`verilog` as texts of like length: the top module with a share of its children in each.

    The children share no logic, and the top module has only wires of its own, so that nothing is lost.
    """
    modules = {found[1]: found[0] for found in _MODULE.finditer(verilog)}
    instances = {found[1]: found[0] for found in _INSTANCE.finditer(modules.get(top, ""))}
    texts = {child: _with_descendants(child, modules) for child in instances}
    groups: list[list[str]] = [[] for _ in range(min(_PARTS, len(texts), 1 + len(verilog) // _PART_BYTES))]
    for child in sorted(texts, key=lambda child: -len(texts[child])):
        min(groups, key=lambda group: sum(len(texts[other]) for other in group)).append(child)
    tops = [_without(modules[top], [instances[child] for child in texts if child not in group]) for group in groups]
    found = [text + "".join(texts[child] for child in group) for text, group in zip(tops, groups, strict=True)]
    return found or [verilog]


def _with_descendants(child: str, modules: Mapping[str, str]) -> str:
    return "".join(text for name, text in modules.items() if name == child or name.startswith(f"{child}."))


def _without(text: str, instances: Iterable[str]) -> str:
    for instance in instances:
        text = text.replace(instance, "")
    return text


def _commands(part: str, verilog: str, top: str, target: Target) -> list[str]:
    """What Yosys does with the file of one part, whose content is `verilog`."""
    return [*bordered(part, verilog), *target.commands(top), f"tee -q -o {part}.json stat -json"]


def bordered(part: str, verilog: str) -> list[str]:
    """Yosys reads the file of one part, whose content is `verilog`; children of the top module keep their borders."""
    children = " ".join(f"\\{found[1]}" for found in _MODULE.finditer(verilog) if found[1].count(".") == 1)
    return [f"read_verilog {part}.v", *([f"setattr -mod -set keep_hierarchy 1 {children}"] if children else [])]


def component(module: str, top: str) -> str:
    """What a module counts as: its own name below `top`; all links are one component, and all forks."""
    name = module.removeprefix("\\").removeprefix(top).removeprefix(".")
    return {"link": "links", "fork": "forks"}.get(name.split("_")[0], name or "top")


def _components(stat: Mapping[str, Any], top: str, target: Target) -> dict[str, Resources]:
    """Resources by component, from the numbers that `stat -json` gives for each module."""
    found: dict[str, Resources] = {}
    for module, numbers in stat["modules"].items():
        name, resources = component(module, top), _resources(numbers["num_cells_by_type"], target)
        if resources != Resources():
            found[name] = found.get(name, Resources()) + resources
    return found


def _resources(cells: Mapping[str, int], target: Target) -> Resources:
    """What the cells of one module take."""
    return sum((target.resources(cell, count) for cell, count in cells.items()), start=Resources())
