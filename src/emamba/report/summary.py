"""The numbers that matter, one row each, with how each was measured."""

from __future__ import annotations

from typing import NamedTuple

from emamba.config import CurveConfig, MambaConfig
from emamba.graph import parameter_count
from emamba.report import silicon
from emamba.report.devices import smallest
from emamba.report.occupancy import overall
from emamba.report.results import Results, Rtl, Verification
from emamba.report.scores import FORMS, measure, scores, subjects_without_labels, validation

COMMANDS = {"train": "emamba train RECIPE --run RUN"} | {
    verb: f"emamba {verb} RUN" for verb in ("quantize", "emit", "verify", "synth", "report")
}
NOTHING = "\N{EN DASH}"


class Row(NamedTuple):
    """One line of a table: what, how much (with unit), and how it was measured."""

    label: str
    value: str
    note: str


class Group(NamedTuple):
    """Rows under a common heading."""

    title: str
    rows: list[Row]


def summary(results: Results) -> list[Row]:
    """All rows of the headline table; a value not measured yet is a dash, its note says what to run."""
    return [row for group in groups(results) for row in group.rows]


def groups(results: Results) -> list[Group]:
    """The headline table in its parts; a baseline has no integers, so it ends with the trained model."""
    model = Group("Model", _model(results))
    if not isinstance(results.config.model, MambaConfig):
        return [model]
    return [
        model,
        Group("Speed", _speed(results)),
        Group("Hardware", _hardware(results)),
        *([Group("Silicon", [Row(*row) for row in silicon.rows(results)])] if results.silicon else []),
        Group("C", _firmware(results)),
        Group("Proof", _proof(results)),
    ]


def frames_per_second(results: Results) -> float | None:
    """Frames a second at the clock that the configuration states."""
    if results.verify is None:
        return None
    return clock_mhz(results) * 1e6 / results.verify.cycles_per_frame


def clock_mhz(results: Results) -> float:
    """The clock that rates are stated at, in MHz; an assumption, not a result of timing analysis."""
    return results.rtl.clock_mhz if results.rtl else results.config.hardware.clock_mhz


def not_run(verb: str) -> str:
    """What stands where the stage `verb` has not run."""
    return f"not run: `{COMMANDS[verb]}`"


def percent(share: float, digits: int = 2) -> str:
    """A share of 1 in per cent."""
    return f"{100 * share:.{digits}f} %"


def number(value: float, digits: int = 0) -> str:
    """With thousands separators; halves of a block RAM keep a decimal even without `digits`."""
    return f"{value:,.{digits if float(value).is_integer() else max(digits, 1)}f}"


def counted(count: int, noun: str) -> str:
    """So many of a thing, in the plural unless it is one."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def curve_form(curve: CurveConfig) -> str:
    """A curve's choice in words."""
    return "exact" if curve.form == "exact" else f"{curve.segments} segments, {curve.knots} knots"


def _model(results: Results) -> list[Row]:
    rows = [_score(results, name, note) for name, note in _score_notes(results).items()]
    rows += _subjects(results)
    if results.training is None:
        return [*rows, Row("Parameters", NOTHING, not_run("train"))]
    note = "weights and biases of the trained model"
    if results.graph:
        note += f"; {parameter_count(results.graph):,} in the integer graph, after folding"
    return [*rows, Row("Parameters", number(results.training.parameters), note)]


def _score(results: Results, name: str, note: str) -> Row:
    """A form of the model on the test split; the validation split and the way to float are in the note."""
    known, judged, kind = scores(results), validation(results), measure(results)
    label = f"{kind.name}, {FORMS[name]}"
    if name not in known:
        return Row(label, NOTHING, not_run("train" if name in ("float", "approximated") else "quantize"))
    if name == "integer" and "float" in known:
        note += f"; {kind.difference(known[name], known['float'])} to float"
    if name in judged:
        note += f"; validation {kind.written(judged[name])}"
    return Row(label, kind.written(known[name]), note)


def _subjects(results: Results) -> list[Row]:
    """The integers on the test frames of each person, where the data name them."""
    kind, unknown = measure(results), subjects_without_labels(results)
    found = results.quantization.subjects if results.quantization else {}
    return [
        Row(
            f"{kind.name}, subject {person}",
            kind.written(score),
            "integers; test split" + ("; no labels of this subject in training" if person in unknown else ""),
        )
        for person, score in found.items()
    ]


def _score_notes(results: Results) -> dict[str, str]:
    model, quantization = results.config.model, results.config.quantization
    if not isinstance(model, MambaConfig):
        return {"float": "float32; test split"}
    tuned = f"{counted(quantization.finetune_epochs, 'epoch')} of fine-tuning"
    widths = f"{quantization.weight_bits}-bit weights, {quantization.activation_bits}-bit activations"
    return {
        "float": f"float32, {_kept(model)}; test split",
        "approximated": f"SiLU {curve_form(model.silu)}; exp {curve_form(model.exp)}; test split",
        "post_training": f"{widths}, before fine-tuning; test split",
        "integer": f"golden executor, {tuned}; test split",
    }


def _kept(model: MambaConfig) -> str:
    """The curves of the float form: exact, but for learned ones, which approximate nothing."""
    curves = {"SiLU": model.silu, "exp": model.exp}
    learned = " and ".join(name for name, curve in curves.items() if curve.knots == "learned")
    exact = " and ".join(name for name, curve in curves.items() if curve.knots != "learned")
    return ", ".join([f"exact {exact}"] * bool(exact) + [f"learned {learned}"] * bool(learned))


def _speed(results: Results) -> list[Row]:
    labels = ("Cycles a frame", "Latency, cycles", "Frames a second", "Multipliers busy")
    rate = frames_per_second(results)
    if results.verify is None or rate is None:
        return [Row(label, NOTHING, not_run("verify")) for label in labels]
    tokens = f"; {results.graph.tokens} tokens a frame" if results.graph else ""
    interval = results.config.hardware.interval_cycles
    return [
        Row(labels[0], number(results.verify.cycles_per_frame), f"simulated; asked: {interval} a token{tokens}"),
        Row(labels[1], number(results.verify.latency_cycles), "simulated; first beat in to last beat out, first frame"),
        Row(labels[2], f"{rate:,.0f}", f"at the stated {clock_mhz(results):g} MHz, {_backing(results)}"),
        _use(labels[3], results.verify, results.rtl),
    ]


def _use(label: str, verify: Verification, rtl: Rtl | None) -> Row:
    if rtl is None:
        return Row(label, NOTHING, not_run("emit"))
    return Row(label, percent(overall(verify, rtl), 0), "of all cycles, once the pipeline is full; simulated")


def _backing(results: Results) -> str:
    """What is known of the stated clock."""
    routing = results.synth.routing if results.synth else None
    if routing is None:
        return "which no timing analysis backs yet"
    word = "meets" if routing.clock_mhz >= clock_mhz(results) else "does not meet"
    return f"which the design {word} after place and route on {routing.device}"


def _hardware(results: Results) -> list[Row]:
    if results.rtl is None:
        multipliers = Row("Multipliers", NOTHING, not_run("emit"))
    else:
        count = sum(stage.multipliers for stage in results.rtl.stages)
        multipliers = Row("Multipliers", number(count), f"in {len(results.rtl.stages)} stages")
    kinds = (_resource(results, kind) for kind in ("LUT", "FF", "DSP", "BRAM"))
    return [multipliers, *kinds, _device(results), *_clock(results)]


def _device(results: Results) -> Row:
    label = "Smallest device"
    return Row(label, *smallest(results.synth)) if results.synth else Row(label, NOTHING, not_run("synth"))


def _clock(results: Results) -> list[Row]:
    """The clock of a design that was placed and routed."""
    routing = results.synth.routing if results.synth else None
    if routing is None:
        return []
    cells = ", ".join(f"{used:,} of {most:,} {cell}" for cell, (used, most) in routing.cells.items())
    note = f"nextpnr, {routing.device}; placed and routed: {cells}; slowest path: {routing.critical_path}"
    return [Row("Clock, MHz", f"{routing.clock_mhz:.1f}", note)]


def _resource(results: Results, kind: str) -> Row:
    if results.synth is None:
        return Row(kind, NOTHING, not_run("synth"))
    note = f"Yosys, target {results.synth.target}; not placed or routed"
    if kind == "LUT":
        note += f"; LUTRAM {number(results.synth.totals.get('LUTRAM', 0))}"
    return Row(kind, number(results.synth.totals.get(kind, 0)), note)


def _firmware(results: Results) -> list[Row]:
    labels = ("Code, bytes", "Constants, bytes", "RAM, bytes")
    if results.firmware is None:
        return [Row(label, NOTHING, not_run("emit")) for label in labels]
    sizes = results.firmware
    return [
        Row(labels[0], number(sizes.code_bytes), "instructions, compiled for size on the machine of this run"),
        Row(labels[1], number(sizes.constant_bytes), "weights and tables, read-only"),
        Row(labels[2], number(sizes.ram_bytes), "state and buffers; no heap"),
    ]


def _proof(results: Results) -> list[Row]:
    verify = results.verify
    if verify is None:
        return [Row("Mismatches", NOTHING, not_run("verify"))]
    compared = verify.compared
    stalls = "random stalls on both sides" if verify.stalled else "no stalls"
    note = (
        f"golden = C on {compared.c:,} frames, golden = RTL on {compared.rtl:,} of {verify.frames:,}, "
        f"{compared.tensors:,} tensors; {stalls}"
    )
    return [Row("Mismatches", number(verify.mismatches), note)]
