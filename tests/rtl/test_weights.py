"""Where elements lie, and what can be loaded; `conformance` loads them."""

from dataclasses import replace

import numpy as np
import pytest

from cases import INT8, UINT8, case, linear, pick, reweighted
from emamba.errors import ConfigError, GraphError
from emamba.fixed import Integer
from emamba.graph import Graph, arrays, check
from emamba.graph.bounds import accumulator
from emamba.rtl import weights
from emamba.rtl.solver import fold
from networks import random_network

RNG = np.random.default_rng(0)
NETWORK = random_network(3).graph
REGIONS = weights.loadable(NETWORK, fold(NETWORK, 9))


def regions(graph, interval=9):
    return weights.loadable(graph, fold(graph, interval))


def one(op, dtype=INT8):
    return case("one", RNG, 2, op.weight.shape[1], op, dtype=dtype).graph


@pytest.mark.parametrize("interval", [4, 9, 60, 4000])
def test_every_array_is_in_one_region_and_no_two_share_an_address(interval):
    found = regions(NETWORK, interval)
    wanted = [
        (op.name, name)
        for op in NETWORK.operations
        for name in arrays(op)
        if name in ("weight", "bias", "rate", "skip", "table")
    ]
    assert sorted((it.tensor, it.array) for it in found) == sorted(wanted)
    used = np.concatenate([it.elements(arrays(NETWORK[it.tensor])[it.array])[:, 0] for it in found])
    assert len(np.unique(used)) == used.size == sum(arrays(NETWORK[op])[name].size for op, name in wanted)
    assert used.max() < 1 << weights.widths(found)[0]
    assert all(it.base % it.size == 0 for it in found)


def test_elements_are_those_of_the_memory_in_the_order_of_use():
    op = linear(RNG, 4, 6, 7)
    region = weights.linear(op, 2, 3, by_rows=False)["weight"]
    assert (region.words, region.lanes, region.stride, region.size) == (4, 6, 8, 32)
    found = dict(replace(region, base=64).elements(op.weight).tolist())
    for column in range(4):
        for row in range(6):
            word, lane = column // 2 * 2 + row // 3, row % 3 * 2 + column % 2
            assert found[64 + 8 * word + lane] == op.weight[row, column]
    by_rows = weights.linear(op, 2, 3, by_rows=True)["weight"]
    assert by_rows.rows(op.weight)[1].tolist() == op.weight[:3, 2:].ravel().tolist()


def test_the_arrays_of_the_graph_itself_fit():
    for region in REGIONS:
        array = arrays(NETWORK[region.tensor])[region.array]
        assert region.dtype.holds(int(array.min()), int(array.max()))
        assert region.dtype.signed == (region.array != "rate")


@pytest.mark.parametrize("dtype", [INT8, UINT8])
def test_a_bias_has_the_width_of_the_sum_and_the_sum_has_room_for_both(dtype):
    graph = one(linear(RNG, 5, 3, 7), dtype)
    own = weights.of(regions(graph), "linear")
    worst = 5 * 128 * (128 if dtype.signed else 255)
    assert own["bias"].dtype == Integer.between(-worst, worst)
    widest = weights.sums(graph, graph.output, own)
    assert widest.holds(-worst + own["bias"].dtype.lo, worst + own["bias"].dtype.hi)
    assert widest.bits == own["bias"].dtype.bits + 1
    assert weights.sums(graph, graph.output) == accumulator(graph.output, {"input": dtype}, 2)


def test_what_is_wider_than_the_bus_is_refused():
    op = linear(RNG, 4, 2, 31)
    graph = one(replace(op, bias=np.full(2, 1 << 33), dtype=Integer(18)))
    with pytest.raises(ConfigError, match="linear: bias needs 35 bits; 32 can be loaded at once"):
        regions(graph)


def test_elements_of_another_graph_are_its_weights():
    other = reweighted(NETWORK, REGIONS, RNG)
    found = weights.elements(NETWORK, REGIONS, other)
    assert len(found) == sum(region.words * region.lanes for region in REGIONS)
    own = weights.elements(NETWORK, REGIONS, NETWORK)
    assert np.array_equal(own[:, 0], found[:, 0])
    assert not np.array_equal(own, found)


def test_labels_may_differ():
    """A fraction says what an integer is worth, which no circuit knows."""
    labelled = tuple(replace(op, fraction_bits=op.fraction_bits + 1) for op in NETWORK.operations)
    other = Graph("another", NETWORK.tokens, labelled)
    own = weights.elements(NETWORK, REGIONS, NETWORK)
    assert np.array_equal(weights.elements(NETWORK, REGIONS, other), own)


def test_weights_of_products_that_share_multiplications_cannot_be_loaded():
    with pytest.raises(ConfigError, match="block0_x: weights of products that share multiplications") as raised:
        weights.loadable(NETWORK, fold(NETWORK, 9, packing=True))
    assert "hardware.packing = false" in raised.value.hint


def changed(name, **changes):
    """The network with the operation of that name changed."""
    op = NETWORK[name]
    values = {field: change(getattr(op, field)) for field, change in changes.items()}
    operations = [replace(op, **values) if it is op else it for it in NETWORK.operations]
    return Graph(NETWORK.name, NETWORK.tokens, tuple(operations))


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("index", {"shift": lambda it: it + 1}, r"shift is \d+, not \d+"),
        ("block0_x", {"shift": lambda it: it + 1}, r"shift is \d+\.\.\d+, not \d+\.\.\d+"),
        ("block0_scan", {"drive_shift": lambda it: it + 1}, r"drive_shift is -?\d+, not -?\d+"),
        (
            "block0_scan",
            {"decay": lambda it: replace(it, values=it.values // 2)},
            r"decay\.values is \[.*\], not \[.*\]",
        ),
        (
            "block1_scan",
            {"decay": lambda it: replace(it, slopes=it.slopes // 2)},
            r"decay\.slopes is \[.*\], not \[.*\]",
        ),
        ("embedding", {"table": lambda it: it * 9}, r"table lies in -?\d+\.\.\d+, outside its memory's int\d"),
        ("block0_x", {"weight": lambda it: it * 9}, r"weight lies in -?\d+\.\.\d+, outside its memory's int\d"),
        ("block0_scan", {"rate": lambda it: it * 9}, r"rate lies in \d+\.\.\d+, outside its memory's uint\d+"),
        ("block0_x", {"dtype": lambda it: Integer(9)}, "there is .* int9"),
    ],
    ids=["shift", "shifts", "scan_shift", "table", "segments", "lookup", "weight", "rate", "type"],
)
def test_what_cannot_be_loaded_is_named(name, changes, said):
    other = changed(name, **changes)
    with pytest.raises(
        GraphError, match=f"cannot load these weights: (there is )?{name}.*{said.removeprefix('there is ')}"
    ) as raised:
        weights.elements(NETWORK, REGIONS, other)
    assert "--scales" in raised.value.hint


def test_another_structure_is_refused():
    two = case("two", RNG, 3, 4, pick("a", 4, 0, 4), replace(pick("b", 4, 0, 4), source="a")).graph
    shorter = Graph("two", 3, two.operations[:2])
    with pytest.raises(GraphError, match="there are 2 operations, not 3"):
        weights.elements(two, regions(two), shorter)
    with pytest.raises(GraphError, match="there is a frame of 2 tokens, not a frame of 3 tokens"):
        weights.elements(two, regions(two), check(Graph("two", 2, two.operations)))
