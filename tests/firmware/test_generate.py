import re

import pytest

from cases import INT8, Case, operation_cases, source
from emamba.eda import process
from emamba.firmware import generate
from emamba.firmware.generate import title
from emamba.graph import Graph, content_hash
from networks import random_network

NETWORK = random_network(0)


def test_one_source_and_one_header_named_after_the_graph():
    assert set(generate(NETWORK.graph)) == {"emamba_network0.c", "emamba_network0.h"}


def test_the_same_graph_gives_the_same_text():
    assert generate(NETWORK.graph) == generate(random_network(0).graph)


def test_the_header_says_what_a_user_needs():
    header = generate(NETWORK.graph)["emamba_network0.h"]
    for words in (
        content_hash(NETWORK.graph),
        "frames of 8 tokens of 4 x int8, value = integer * 2^-4",
        "1 token a frame of 2 x int16, value = integer * 2^-4",
        "#define EMAMBA_NETWORK0_TOKENS 8 ",
        "#define EMAMBA_NETWORK0_OUT_TOKENS 1 ",
        "#define EMAMBA_NETWORK0_OUT_MOST 1 ",
        "typedef int8_t emamba_network0_in;\n",
        "typedef int16_t emamba_network0_out;\n",
        "int32_t block0_scan_state[9 * 1];",
    ):
        assert words in header


@pytest.mark.parametrize("it", [*operation_cases(), NETWORK], ids=str)
def test_nothing_but_integers_and_two_headers_of_the_library(it: Case):
    name = f"emamba_{it.graph.name}"
    for text in generate(it.graph).values():
        code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
        assert set(re.findall(r"#include (\S+)", code)) <= {f'"{name}.h"', "<stdint.h>", "<string.h>"}
        assert not re.search(r"\b(float|double|malloc|calloc|free|printf)\b", code)
        values = re.sub(r"(state->token|step|\(step - \d+\)) / \d+|token / op->columns|//", "", code)
        assert not re.search(r"\d\.\d|/[^*]", values), "no fractions, no division but of the counter of tokens"


def test_only_the_functions_needed():
    cases = {it.graph.name: it.graph for it in operation_cases()}
    functions = set(re.findall(r"^static (?!const)\S+ (\w+)\(", generate(cases["linear"])["emamba_linear.c"], re.M))
    assert functions == {"round_shift32", "clamp32", "requantize32", "linear"}
    flatten = generate(cases["flatten"])["emamba_flatten.c"]
    assert not re.search(r"^static", flatten, re.M)


def test_an_array_that_operations_have_in_common_is_there_once():
    source = generate(NETWORK.graph)["emamba_network0.c"]
    assert len(re.findall(r"^static const int32_t \w+__reciprocal\[256\]", source, re.M)) == 1
    assert source.count(".reciprocal = block0_norm__reciprocal,") == 3


def test_the_header_says_what_a_type_that_is_wider_than_its_values_holds():
    up = next(it.graph for it in operation_cases() if it.graph.name == "linear_up")
    assert "typedef int32_t emamba_linear_up_out; /* -131072 to 131071 */\n" in generate(up)["emamba_linear_up.h"]


def test_the_header_says_when_tokens_come_out_together():
    cases = {it.graph.name: it.graph for it in operation_cases()}
    late, soon = (generate(cases[name])[f"emamba_{name}.h"] for name in ("convolution_joined", "convolution"))
    assert "_OUT_MOST 7 " in late
    assert "Those that have waited" in late
    assert "_OUT_MOST 1 " in soon
    assert "waited" not in soon


def test_text_is_tidy():
    for text in generate(NETWORK.graph).values():
        assert "\n\n\n" not in text
        assert not re.search(r"[ \t]$", text, re.M)
        assert text.endswith("\n")
        assert max(map(len, text.splitlines())) <= 120


def test_the_header_serves_cpp(tmp_path):
    for name, text in generate(NETWORK.graph).items():
        (tmp_path / name).write_text(text)
    compiler = process.which("g++", "install g++")
    process.run([compiler, "-Wall", "-Werror", "-fsyntax-only", "-x", "c++", "emamba_network0.h"], tmp_path, "")


def test_title_tells_call_and_type():
    graph = Graph("g", 1, (source(3),))
    assert title(graph.input) == f"input = Input(): 3 x {INT8}, 4 fraction bits"
