import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from emamba.config import LstmConfig
from emamba.report import Results, load_results, render, to_json
from emamba.report.summary import COMMANDS

VOID = {"meta", "path", "circle", "use", "rect", "br", "link", "img", "input"}
SECTIONS = ["summary", "scores", "curves", "road", "occupancy", "resources", "making"]


class Page(HTMLParser):
    """Tags, attributes and text of a page; `broken` lists closing tags that close nothing."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.broken: list[str] = []
        self.text = ""
        self.feed(page)
        self.text = re.sub(r"\s+", " ", self.text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID and self.open.pop() != tag:
            self.broken.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] or "" for _, attributes in self.tags if attribute in attributes]


def test_the_page_begins_with_what_the_model_is(results):
    begins = f"A Mamba of 2 blocks with {results.training.parameters:,} parameters, from PyTorch to integers, C and"
    assert begins in Page(render(results)).text


def test_an_error_is_told_in_centimetres_everywhere(radar):
    text = Page(render(radar)).text
    for fact in ("RMSE, integers7.65 cm7.62 cm in float", "RMSE through the stages", "8.15 cm", "Fine-tuning, with"):
        assert fact in text
    assert "on the validation split after each epoch" in text
    assert "Accuracy" not in text
    assert "cross-entropy" not in text


def test_a_run_without_validation_and_fine_tuning_speaks_of_neither(results):
    text = Page(render(results)).text
    assert "validation split" not in text
    assert "Fine-tuning, with" not in text


def test_a_baseline_shows_only_what_it_can_have(radar):
    config = radar.config.model_copy(update={"model": LstmConfig(kind="lstm")})
    training = replace(radar.training, scores={"float": 0.0762}, validation={"float": 0.0811})
    whole = render(Results(config, training=training))
    page = Page(whole)
    assert [name for name in page.values("id") if name in SECTIONS] == ["summary", "scores", "making"]
    assert (page.open, page.broken) == ([], [])
    assert "RMSE, float7.62 cm8.11 cm on the validation split" in page.text
    assert "not run" not in page.text
    for word in ("quantiz", "emit", "synth", "clock_mhz", "Mismatches"):
        assert word not in page.text
    untrained = Page(render(Results(config))).text
    assert COMMANDS["train"] in untrained
    assert COMMANDS["quantize"] not in untrained


def test_sections_in_order(results):
    ids = Page(render(results)).values("id")
    assert [name for name in ids if name in SECTIONS] == SECTIONS


def test_the_page_is_balanced_and_its_ids_are_unique(results):
    page = Page(render(results))
    assert (page.open, page.broken) == ([], [])
    assert len(page.values("id")) == len(set(page.values("id")))


def test_nothing_is_fetched(results):
    text = render(results)
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "embed", "base"} & {tag for tag, _ in page.tags}
    assert all(value.startswith("#") for name in ("href", "src", "srcset", "action") for value in page.values(name))
    assert all(found == "#" for found in re.findall(r"url\(\s*['\"]?(.)", text))
    assert not re.search(r"https?:|@import|//[a-z]", text)


def test_equal_results_give_equal_bytes(run):
    assert render(load_results(run)) == render(load_results(run))
    assert to_json(load_results(run)) == to_json(load_results(run))


def test_no_path_of_this_machine(results, run):
    assert str(run) not in render(results)
    assert str(run) not in to_json(results)


def test_the_page_says_what_was_measured(results):
    text = Page(render(results)).text
    for fact in ("96.94 %", "12,345", "409", "made-up images of a test fixture", "Seed 3", "golden = C = RTL"):
        assert fact in text.replace("\N{NO-BREAK SPACE}", " ")


def test_components_stand_in_the_order_of_the_road(results):
    synth = replace(results.synth, components=tuple(sorted(results.synth.components, key=lambda part: part.name)))
    assert synth.components != results.synth.components
    assert render(replace(results, synth=synth)) == render(results)


def test_every_operation_and_component_has_its_row(results):
    rows = re.findall(r'<td class="mono">([\w.]+)</td>', render(results))
    names = [op.name for op in results.graph.operations]
    assert [row for row in rows if row in names] == [*names, *names]


@pytest.mark.parametrize(
    ("stage", "verb", "section"),
    [
        ("training", "train", "scores"),
        ("quantization", "quantize", "scores"),
        ("graph", "quantize", "road"),
        ("graph", "quantize", "curves"),
        ("rtl", "emit", "road"),
        ("verify", "verify", "road"),
        ("verify", "verify", "occupancy"),
        ("synth", "synth", "resources"),
    ],
)
def test_a_missing_stage_names_its_command_in_its_section(results, stage, verb, section):
    line = f"<code>{COMMANDS[verb]}</code>"

    def inside(page):
        return page[page.index(f'<section id="{section}">') :].split("</section>")[0]

    assert line not in inside(render(results))
    assert line in inside(render(replace(results, **{stage: None})))


def test_a_run_that_has_only_a_recipe(empty):
    page = Page(render(empty))
    assert (page.open, page.broken) == ([], [])
    assert "disagree" not in page.text
    assert json.loads(to_json(empty))["verify"] == {}


def test_mismatches_are_not_praised(results):
    wrong = replace(results, verify=replace(results.verify, mismatches=1234))
    text = Page(render(wrong)).text
    assert "disagree in 1,234 places" in text
    assert "agree: golden" not in text


def test_nothing_compared_is_not_praised(results):
    compared = replace(results.verify.compared, rtl=0)
    text = Page(render(replace(results, verify=replace(results.verify, compared=compared)))).text
    assert "agree" not in text


def test_text_from_files_is_escaped(results):
    hostile = replace(results, training=replace(results.training, data='<script src="x">'))
    page = render(hostile)
    assert "<script" not in page
    assert "&lt;script" in page


def test_bars_hold_the_whole_resource(results):
    bars = render(results).split('<div class="bar">')[1:]
    totals = results.synth.totals
    for bar, kind in zip(bars, ("LUT", "FF", "DSP", "BRAM"), strict=True):
        parts = [float(value) for value in re.findall(r"flex-grow: ([\d.]+)", bar.split("</div>")[0])]
        assert sum(parts) == pytest.approx(totals[kind])
    assert "between components: 50" in bars[0]


def test_cells_are_drawn_and_listed_by_component(cells):
    page = Page(render(cells))
    assert (page.open, page.broken) == ([], [])
    assert [name for name in page.values("id") if name in [*SECTIONS, "silicon"]][-3:] == [
        "resources",
        "silicon",
        "making",
    ]
    assert page.values("aria-label")[-2:] == ["Area by component", "Energy a frame by component"]
    section = render(cells).split('<section id="silicon">')[1].split("</section>")[0]
    rows = [re.findall(r"<td[^>]*>([^<]*)<", row) for row in re.findall("<tr>(.*?)</tr>", section)]
    assert rows[2] == ["input", "121.00", "100.00", "20.00", "", "1.00", "3.500", "1.000", "2.000", "", "0.500"]
    assert rows[-2] == ["clock net", *[""] * 5, "4.000", "4.000", "", "", ""]
    areas, powers = cells.silicon.areas_um2, cells.power.powers_mw
    whole = [cells.silicon.area_um2, *areas.values(), cells.power.energy_nj, *(4 * power for power in powers.values())]
    assert [float(told.replace(",", "") or 0) for told in rows[-1][1:]] == pytest.approx(whole, rel=1e-3)


def test_without_power_only_areas_are_drawn_and_without_cells_nothing(cells, results):
    page = Page(render(replace(cells, power=None)))
    assert page.values("aria-label")[-1] == "Area by component"
    assert "energy of a frame" not in page.text
    assert "Standard cells" not in Page(render(results)).text


def test_devices_are_listed_with_what_the_design_takes_of_them(results):
    section = render(results).split('<section id="resources">')[1].split("</section>")[0]
    rows = [re.sub("<[^>]*>", " ", row).split() for row in re.findall("<tr>(.*?)</tr>", section.split("Devices")[1])]
    assert [row[:3] for row in rows[1:]] == [
        ["XCZU3EG", "Ultra96", "mapped"],
        ["XCK26", "KV260", "mapped"],
        ["XCZU9EG", "ZCU102", "mapped"],
    ]
    whole = results.synth.totals["LUT"] + results.synth.totals["LUTRAM"]
    assert rows[1][3:5] == [f"{100 * whole / 70_560:.0f}", "%"]
    assert {row[-1] for row in rows[1:]} == {"fits"}
    large = replace(results, synth=replace(results.synth, totals={**results.synth.totals, "DSP": 361}))
    assert "too small" in render(large)
    assert [fill["device"] for fill in json.loads(to_json(results))["fills"]] == ["XCZU3EG", "XCK26", "XCZU9EG"]


def test_json(results):
    document = json.loads(to_json(results))
    assert (document["task"], document["scores"]["integer"]) == ("classification", 0.9694)
    assert document["frames_per_second"] == pytest.approx(100e6 / 360)
    assert document["utilisation"]["x"] == 0.75
    assert document["synth"]["totals"]["LUT"] == results.synth.totals["LUT"]
    assert document["config"]["model"]["silu"]["segments"] == 17
    assert document["graph_hash"] == document["quantization"]["graph_hash"]
    assert "occupancy" not in document["verify"]


def test_json_of_an_error_is_in_metres(radar):
    document = json.loads(to_json(radar))
    assert (document["task"], document["scores"]["integer"]) == ("regression", 0.0765)
    assert document["validation"]["integer"] == 0.0815
