"""The report: results become one HTML page that needs nothing beside it, and JSON for machines."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from emamba.config import Config, MambaConfig
from emamba.graph import content_hash
from emamba.report import pictures, silicon
from emamba.report.curves import Curve, curves
from emamba.report.devices import fills
from emamba.report.occupancy import frame_work, overall, steady, utilisation
from emamba.report.results import Component, Results
from emamba.report.road import along, road
from emamba.report.scores import FORMS, measure, scores, task, validation
from emamba.report.summary import COMMANDS, clock_mhz, counted, frames_per_second, groups, not_run, number, percent
from emamba.report.treemap import treemap

COLUMNS = ("LUT", "FF", "DSP", "BRAM", "LUTRAM")
BARS = COLUMNS[:4]  # LUTRAM is made of LUTs
_LABELLED = 0.07  # share of a bar from which a part carries its name


class Part(NamedTuple):
    """A part of a resource bar: `share` of the whole, 0 to 1; `tint` of the accent colour, in per cent."""

    name: str
    value: float
    share: float
    tint: float
    label: str


class Bar(NamedTuple):
    """One resource, split by component."""

    kind: str
    parts: list[Part]


class Half(NamedTuple):
    """Area or energy in standard cells: `parts` by component and kind (none: not known), their `sums` by kind."""

    title: str
    unit: str
    parts: dict[str, dict[str, float]]
    sums: dict[str, float]
    picture: Markup

    def told(self, value: float) -> str:
        """With as many digits as give the whole five; nothing for 0."""
        digits = max(0, 4 - math.floor(math.log10(sum(self.sums.values()))))
        return f"{value:,.{digits}f}" if value else ""


def render(results: Results) -> str:
    """The HTML page for `results`; equal results give equal bytes.

    What has not run leaves a line that names the command. Raises nothing of its own: `load_results`
    has checked the files.
    """
    environment = Environment(
        loader=PackageLoader("emamba.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(code=_code, counted=counted, number=number, percent=percent, plain=_plain)
    return environment.get_template("report.html.j2").render(_context(results))


def to_json(results: Results) -> str:
    """The page's numbers as JSON text, pictures and occupancy intervals left out; keys in a fixed order."""
    verify, rtl = results.verify, results.rtl
    document = {
        "name": results.config.name,
        "task": task(results),
        "scores": scores(results),
        "validation": validation(results),
        "training": _known(results.training),
        "quantization": _known(results.quantization),
        "firmware": _known(results.firmware),
        "rtl": _known(rtl),
        "verify": {key: value for key, value in _known(verify).items() if key != "occupancy"},
        "synth": _known(results.synth),
        "fills": [fill._asdict() for fill in fills(results.synth)] if results.synth else [],
        "silicon": _known(results.silicon),
        "timing": _known(results.timing),
        "gates": _known(results.gates),
        "power": _known(results.power),
        "rate": _known(results.rate),
        "macros": _known(results.macros),
        "frames_per_second": frames_per_second(results),
        "clock_mhz": clock_mhz(results),
        "utilisation": {s: utilisation(verify, s) for s in verify.occupancy.stages} if verify else {},
        "multiplier_utilisation": overall(verify, rtl) if verify and rtl else None,
        "graph_hash": content_hash(results.graph) if results.graph else None,
        "config": results.config.model_dump(mode="json"),
        "artifacts": [asdict(artifact) for artifact in results.artifacts],
        "versions": dict(results.versions),
    }
    return json.dumps(document, indent=1) + "\n"


def _context(results: Results) -> dict[str, Any]:
    context = {
        "r": results,
        "mamba": isinstance(results.config.model, MambaConfig),
        "not_run": not_run,
        "groups": groups(results),
        "config": _settings(results.config),
        "graph_hash": content_hash(results.graph) if results.graph else None,
        "commands": [COMMANDS[verb] for verb in _verbs(results.config)],
    }
    return {**context, **_learning(results), **_pipeline(results), **_resources(results), **_silicon(results)}


def _learning(results: Results) -> dict[str, Any]:
    """What the sections about scores and curves show."""
    known, kind, charts = scores(results), measure(results), {}
    for name, stage in (("training", results.training), ("tuning", results.quantization)):
        if stage and stage.history:
            charts[name] = Markup(pictures.history_chart(name, stage.history, kind))
    return {
        "measure": kind,
        "forms": FORMS,
        "scores": known,
        "validation": validation(results),
        "score_chart": Markup(pictures.score_chart(known, kind)) if len(known) > 1 else None,
        "charts": charts,
        "curves": [(curve, _curve_picture(i, curve)) for i, curve in enumerate(curves(results))],
    }


def _pipeline(results: Results) -> dict[str, Any]:
    """What the sections about operations and their time show."""
    verify = results.verify
    return {
        "steps": [(step, Markup(step.picture)) for step in road(results)],
        "occupancy_chart": Markup(pictures.occupancy_chart(verify, frame_work(results))) if verify else None,
        "steady": steady(verify) if verify else None,
        "drawn_cycles": pictures.drawn_cycles(verify) if verify else 0,
        "overall": overall(verify, results.rtl) if verify and results.rtl else None,
    }


def _resources(results: Results) -> dict[str, Any]:
    """What the section about resources shows."""
    components = _components(results)
    return {
        "components": components,
        "bars": [_bar(kind, components) for kind in BARS],
        "digits": _digits(components),
        "fills": fills(results.synth) if results.synth else [],
    }


def _silicon(results: Results) -> dict[str, Any]:
    """What the section about standard cells shows: area, and energy if it was counted."""
    found = silicon.components(results)
    halves = [
        _half("Area", "um2", {it.name: it.area for it in found}),
        _half("Energy a frame", "nJ", {it.name: it.energy for it in found}),
    ]
    return {"cells": [it.name for it in found], "halves": [half for half in halves if any(half.sums.values())]}


def _half(title: str, unit: str, parts: dict[str, dict[str, float]]) -> Half:
    kinds = dict.fromkeys(kind for by_kind in parts.values() for kind in by_kind)
    sums = {kind: sum(by_kind.get(kind, 0) for by_kind in parts.values()) for kind in kinds}
    return Half(title, unit, parts, sums, Markup(treemap(f"{title} by component", parts, unit)))


def _verbs(config: Config) -> tuple[str, ...]:
    """The stages that a run of `config` can have; a baseline is not lowered."""
    return tuple(COMMANDS) if isinstance(config.model, MambaConfig) else ("train", "report")


def _curve_picture(index: int, curve: Curve) -> Markup:
    return Markup(pictures.curve_chart(f"curve{index}", curve))


def _known(record: Any) -> dict[str, Any]:
    return asdict(record) if record else {}


def _components(results: Results) -> list[Component]:
    """The components in the order of the road, those that serve no one operation, and what belongs to none."""
    synth = results.synth
    if synth is None:
        return []
    place = along(results.graph)
    placed = sorted(synth.components, key=lambda component: place(component.name))
    rest = {kind: synth.totals.get(kind, 0) - sum(_amount(c, kind) for c in placed) for kind in COLUMNS}
    between = Component("between components", **{kind: max(0, value) for kind, value in rest.items()})
    return [*placed, *([between] if any(_amount(between, kind) for kind in COLUMNS) else [])]


def _bar(kind: str, components: list[Component]) -> Bar:
    amounts = {component.name: _amount(component, kind) for component in components if _amount(component, kind) > 0}
    whole, largest = sum(amounts.values()), max(amounts.values(), default=1)
    parts = [
        Part(name, value, value / whole, 12 + 33 * value / largest, name if value / whole >= _LABELLED else "")
        for name, value in amounts.items()
    ]
    return Bar(kind, parts)


def _digits(components: list[Component]) -> dict[str, int]:
    """The columns of the resource table, and the digits behind the point that each needs."""
    return {kind: int(any(_amount(component, kind) % 1 for component in components)) for kind in COLUMNS}


def _amount(component: Component, kind: str) -> float:
    return getattr(component, kind)


def _settings(config: Config) -> list[tuple[str, list[tuple[str, str]]]]:
    """The configuration, defaults included, by section; what stands outside sections first.

    Sections that only integers need are left out for a baseline.
    """
    sections: dict[str, list[tuple[str, str]]] = {"recipe": []}
    unused = set() if isinstance(config.model, MambaConfig) else {"quantization", "hardware", "verify"}
    for name, value in config.model_dump(mode="json", exclude=unused).items():
        if isinstance(value, dict):
            sections[name] = _flat(value)
        else:
            sections["recipe"].append((name, str(value)))
    return list(sections.items())


def _flat(section: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in section.items():
        rows += _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else [(prefix + name, _word(value))]
    return rows


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _code(text: str) -> Markup:
    """Text whose `backticks` become code."""
    return Markup(re.sub(r"`([^`]*)`", r"<code>\1</code>", str(escape(text))))


def _plain(value: float | Sequence[float]) -> str:
    """A real number with three significant digits and a true minus; an interval as `lo to hi`."""
    if isinstance(value, float | int):
        return f"{value + 0.0:.3g}".replace("-", "\N{MINUS SIGN}")
    return " to ".join(_plain(item) for item in value)
