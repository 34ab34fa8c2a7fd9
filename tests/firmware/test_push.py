import numpy as np

from cases import INT8, case, causal, flatten, joined, linear, operation_cases, pick, scan_case, source
from emamba.firmware.functions import function
from emamba.firmware.push import Member, member, push, stack_bytes
from emamba.graph import Flatten, Graph, Input, Pool, check

RNG = np.random.default_rng(0)


def pool(name: str, source: str, channels: int) -> Pool:
    return Pool(name=name, source=source, channels=channels, dtype=INT8, fraction_bits=4, shift=1)


def kinds(graph: Graph) -> dict[str, str]:
    return {op.name: type(op).__name__.lower() for op in graph.operations}


def test_a_plain_operation_declares_calls_and_traces():
    graph = Graph("g", 2, (source(3), pick("a", 3, 0, 2), pick("b", 3, 0, 2)))
    body = push(graph, kinds(graph))
    assert body == {
        1: [
            ["EMAMBA_TRACE(0, token, sizeof *token, 3);"],
            ["int8_t a[2];", "linear(&a__op, token, a);", "EMAMBA_TRACE(1, a, sizeof *a, 2);"],
            ["linear(&b__op, token, out);", "EMAMBA_TRACE(2, out, sizeof *out, 2);"],
        ]
    }


def test_what_follows_a_pool_is_done_once_a_frame_even_if_listed_between():
    last = joined("p", "q", 2)
    operations = source(3), pick("a", 3, 0, 2), pool("p", "a", 2), pick("b", 3, 1, 2), pool("q", "b", 2), last
    graph = check(Graph("g", 4, operations))
    body = push(graph, kinds(graph))
    calls = [[line.split("(")[0] for line in lines if "op" in line] for lines in body[1]]
    assert calls == [[], ["linear"], ["pool_gather"], ["linear"], ["pool_gather"]]
    assert body[4][0] == ["int8_t p[2];", "pool(&p__op, state->p_sum, p);", "EMAMBA_TRACE(2, p, sizeof *p, 2);"]
    assert body[4][2][0] == "add(&joined__op, p, q, out);"


def test_a_flatten_collects_in_the_state_at_the_place_of_the_token():
    graph = check(Graph("g", 4, (source(3), flatten("f", "input", 12))))
    body = push(graph, {})
    assert body[1][1] == ["memcpy(state->f_frame + state->token * 3, token, 3 * sizeof *token);"]
    assert body[4] == [
        ["EMAMBA_TRACE(1, state->f_frame, sizeof *state->f_frame, 12);"],
        ["memcpy(out, state->f_frame, 12 * sizeof *out);"],
    ]


def test_flattens_collect_in_turn():
    chain = flatten("f", "input", 6), flatten("g", "f", 18), flatten("h", "g", 36)
    body = push(check(Graph("g", 12, (source(3), *chain))), {})
    assert list(body) == [1, 2, 6, 12]
    assert [lines[1][0].split(",")[0] for lines in list(body.values())[:3]] == [
        "memcpy(state->f_frame + state->token % 2 * 3",
        "memcpy(state->g_frame + state->token / 2 % 3 * 6",
        "memcpy(state->h_frame + state->token / 6 * 18",
    ]


def test_behind_a_pool_there_is_one_token_to_collect():
    graph = check(Graph("g", 4, (source(3), pool("p", "input", 3), flatten("f", "p", 3))))
    assert push(graph, kinds(graph))[4][1] == ["memcpy(state->f_frame, p, 3 * sizeof *p);"]


def test_what_is_kept_between_tokens():
    it = case("g", RNG, 5, 6, causal(RNG, 6, 4, 5, 7)).graph
    assert kept(it) == [Member("int8_t", "convolution_window", "4 * 6", "the last tokens, oldest first")]
    assert [m.type + " " + m.size for m in kept(scan_case("s", 1, 4, 2).graph)] == ["int32_t 4 * 2"]
    assert [m.type + " " + m.size for m in kept(Graph("g", 4, (source(3), flatten("f", "input", 12))))] == [
        "int8_t 4 * 3"
    ]
    assert [m.type + " " + m.size for m in kept(Graph("g", 4, (source(3), pool("p", "input", 3))))] == ["int32_t 3"]


def test_members_have_names_of_their_own():
    for it in operation_cases():
        names = [m.name for m in kept(it.graph)]
        assert len(set(names)) == len(names)


def kept(graph: Graph) -> list[Member]:
    functions = {op.name: function(graph, op) for op in graph.operations if not isinstance(op, Input | Flatten)}
    return [m for op in graph.operations if (m := member(graph, op, functions))]


def test_the_stack_holds_all_tensors_but_input_and_output():
    wide = linear(RNG, 3, 5, 0, INT8.__class__(24))
    assert stack_bytes(Graph("g", 1, (source(3), wide, pick("a", 5, 0, 2), pick("b", 5, 0, 1)))) == 5 * 4 + 2
