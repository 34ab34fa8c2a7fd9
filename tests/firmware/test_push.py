import numpy as np

from cases import (
    INT8,
    case,
    causal,
    convolution_joined,
    flatten,
    joined,
    linear,
    operation_cases,
    pick,
    scan_case,
    source,
)
from emamba.firmware.functions import computed, function
from emamba.firmware.push import Block, Member, members, most, push, stack_bytes
from emamba.graph import Graph, Pool, check

RNG = np.random.default_rng(0)


def pool(name: str, source: str, channels: int) -> Pool:
    return Pool(name=name, source=source, channels=channels, dtype=INT8, fraction_bits=4, shift=1)


def kinds(graph: Graph) -> dict[str, str]:
    return {op.name: type(op).__name__.lower() for op in graph.operations}


def lines(body: list[Block]) -> list[list[list[str]]]:
    return [block.operations for block in body]


def test_a_plain_operation_declares_calls_and_traces():
    graph = Graph("g", 2, (source(3), pick("a", 3, 0, 2), pick("b", 3, 0, 2)))
    (block,) = push(graph, kinds(graph))
    assert block.condition == ""
    assert block.operations == [
        ["EMAMBA_TRACE(0, token, sizeof *token, 3);"],
        ["int8_t a[2];", "linear(&a__op, token, a);", "EMAMBA_TRACE(1, a, sizeof *a, 2);"],
        ["linear(&b__op, token, out);", "EMAMBA_TRACE(2, out, sizeof *out, 2);"],
    ]


def test_what_follows_a_pool_is_done_once_a_frame_even_if_listed_between():
    last = joined("p", "q", 2)
    operations = source(3), pick("a", 3, 0, 2), pool("p", "a", 2), pick("b", 3, 1, 2), pool("q", "b", 2), last
    graph = check(Graph("g", 4, operations))
    each, once = push(graph, kinds(graph))
    calls = [[line.split("(")[0] for line in lines if "op" in line] for lines in each.operations]
    assert calls == [[], ["linear"], ["pool_gather"], ["linear"], ["pool_gather"]]
    assert once.condition == "state->token == 3"
    assert once.operations[0] == ["int8_t p[2];", "pool(&p__op, state->p_sum, p);", "EMAMBA_TRACE(2, p, sizeof *p, 2);"]
    assert once.operations[2][0] == "add(&joined__op, p, q, out);"


def test_a_flatten_collects_in_the_state_at_the_place_of_the_token():
    graph = check(Graph("g", 4, (source(3), flatten("f", "input", 12))))
    each, once = lines(push(graph, {}))
    assert each[1] == ["memcpy(state->f_tokens + state->token * 3, token, 3 * sizeof *token);"]
    assert once == [
        [
            "EMAMBA_TRACE(1, state->f_tokens, sizeof *state->f_tokens, 12);",
            "memcpy(out, state->f_tokens, 12 * sizeof *out);",
        ]
    ]


def test_flattens_collect_in_turn():
    chain = flatten("f", "input", 6), flatten("g", "f", 18), flatten("h", "g", 36)
    body = push(check(Graph("g", 12, (source(3), *chain))), {})
    conditions = ["", "state->token % 2 == 1", "state->token % 6 == 5", "state->token == 11"]
    assert [block.condition for block in body] == conditions
    assert [block.operations[0] for block in body[1:3]] == [
        [f"const uint32_t at = state->token / {stride};"] for stride in (2, 6)
    ]
    assert [block.operations[-1][0].split(",")[0] for block in body[:3]] == [
        "memcpy(state->f_tokens + state->token % 2 * 3",
        "memcpy(state->g_tokens + at % 3 * 6",
        "memcpy(state->h_tokens + at * 18",
    ]


def test_behind_a_pool_there_is_one_token_to_collect():
    graph = check(Graph("g", 4, (source(3), pool("p", "input", 3), flatten("f", "p", 3))))
    assert lines(push(graph, kinds(graph)))[1][1] == ["memcpy(state->f_tokens, p, 3 * sizeof *p);"]


def test_what_is_read_later_lies_in_the_state_and_what_is_late_is_done_behind_the_frame():
    graph = check(Graph("g", 12, (source(4), *convolution_joined(RNG))))
    soon, late = push(graph, kinds(graph))
    assert soon.condition == "step < 12"
    assert soon.operations[:3] == [
        ["const uint32_t at = step;"],
        [
            "memcpy(state->input_tokens + at % 7 * 4, token, 4 * sizeof *token);",
            "EMAMBA_TRACE(0, token, sizeof *token, 4);",
        ],
        [
            "int8_t *const x = state->x_tokens + at % 11 * 4;",
            "linear(&x__op, token, x);",
            "EMAMBA_TRACE(1, x, sizeof *x, 4);",
        ],
    ]
    assert (late.comment, late.condition) == ("6 tokens later", "step >= 6")
    assert late.operations[0] == ["const uint32_t at = step - 6;"]
    calls = [line for operation in late.operations for line in operation if "__op" in line]
    assert calls == [
        "convolution(&convolution__op, state->x_tokens, at, convolution__);",
        "multiply(&gated__op, convolution__, state->gate_tokens + at % 7 * 4, gated);",
        "add(&joined__op, state->input_tokens + at % 7 * 4, gated, out);",
    ]
    assert late.operations[-1][-2:] == ["out += 4;", "ready++;"]
    assert most(graph) == 7


def test_a_pool_of_what_is_late_is_done_with_the_last_of_its_tokens():
    graph = check(Graph("g", 12, (source(4), *convolution_joined(RNG), pool("last", "joined", 4))))
    assert [block.condition for block in push(graph, kinds(graph))] == ["step < 12", "step >= 6", "step == 17"]
    assert most(graph) == 1


def test_a_long_call_fills_lines():
    graph = scan_case("scan", 1, 4, 2).graph
    names = {op.name: "a_function_with_a_name_that_is_even_longer_than_names_are" for op in graph.operations}
    (block,) = push(graph, names)
    assert block.operations[-1][:3] == [
        "a_function_with_a_name_that_is_even_longer_than_names_are(",
        "    &scan__op, state->scan_state, x, delta, b, c, out);",
        "EMAMBA_TRACE(5, out, sizeof *out, 4);",
    ]


def test_what_is_kept_between_tokens():
    it = case("g", RNG, 5, 6, causal(RNG, 6, 4, 5, 7)).graph
    assert in_state(it) == [Member("int8_t", "input_tokens", "4 * 6", "the last tokens, token t at t % 4")]
    assert [m.type + " " + m.size for m in in_state(scan_case("s", 1, 4, 2).graph)] == ["int32_t 4 * 2"]
    assert [m.type + " " + m.size for m in in_state(Graph("g", 4, (source(3), flatten("f", "input", 12))))] == [
        "int8_t 1 * 12"
    ]
    assert [m.type + " " + m.size for m in in_state(Graph("g", 4, (source(3), pool("p", "input", 3))))] == ["int32_t 3"]


def test_members_have_names_of_their_own():
    for it in operation_cases():
        names = [m.name for m in in_state(it.graph)]
        assert len(set(names)) == len(names)


def in_state(graph: Graph) -> list[Member]:
    return members(graph, {op.name: function(graph, op) for op in computed(graph)})


def test_the_stack_holds_all_tensors_but_input_output_and_those_in_the_state():
    wide = linear(RNG, 3, 5, 0, INT8.__class__(24))
    assert stack_bytes(Graph("g", 1, (source(3), wide, pick("a", 5, 0, 2), pick("b", 5, 0, 1)))) == 5 * 4 + 2
    assert stack_bytes(Graph("g", 12, (source(4), *convolution_joined(RNG)))) == 4 + 4
