"""The golden executor against the formulas of the docstrings, evaluated one integer at a time."""

import numpy as np
import pytest

import naive
from cases import INT8, activation, case, flatten, operation_cases, pick, source
from emamba.errors import DataError
from emamba.graph import Graph, Pool, predict, run
from emamba.graph.golden import accepted

CASES = operation_cases()


@pytest.mark.parametrize("it", CASES, ids=str)
def test_every_tensor_is_what_the_formula_says(it):
    tensors = run(it.graph, it.frames)
    for index, frame in enumerate(it.frames.tolist()):
        expected, _ = naive.run(it.graph, frame)
        for name, tokens in expected.items():
            assert tensors[name][index].tolist() == tokens, f"frame {index}, tensor {name}"


@pytest.mark.parametrize("it", CASES, ids=str)
def test_every_tensor_is_int64_and_within_its_type(it):
    tensors = run(it.graph, it.frames)
    for op in it.graph.operations:
        tensor = tensors[op.name]
        assert tensor.dtype == np.int64
        assert tensor.shape == (len(it.frames), it.graph.frame_tokens(op.name), op.channels)
        assert op.dtype.holds(int(tensor.min()), int(tensor.max()))


@pytest.mark.parametrize("it", CASES, ids=str)
def test_the_frames_of_a_case_reach_the_ends_of_its_output(it):
    """Otherwise a case would not see a wrong saturation: the conformance tests rest on this."""
    out = predict(it.graph, it.frames)
    if it.graph.name in ("linear_up", "range_norm", "range_norm_unsigned", "activation_table", "activation_segments"):
        assert np.unique(out).size > 50, "these cannot reach the ends of their type"
    else:
        assert (out.min(), out.max()) == (it.graph.output.dtype.lo, it.graph.output.dtype.hi)


def test_some_frames_stop_just_before_the_ends():
    it = next(c for c in CASES if c.graph.name == "linear_border")
    assert {-128, -127, -126, -1, 0, 1, 125, 126, 127} <= set(predict(it.graph, it.frames).ravel().tolist())


@pytest.mark.parametrize("it", CASES, ids=str)
def test_frames_do_not_touch_each_other(it):
    alone = np.concatenate([predict(it.graph, it.frames[i : i + 1]) for i in range(len(it.frames))])
    assert np.array_equal(alone, predict(it.graph, it.frames))


@pytest.mark.parametrize("it", CASES, ids=str)
def test_an_empty_batch_gives_an_empty_batch(it):
    out = predict(it.graph, it.frames[:0])
    assert out.shape == (0, it.graph.frame_tokens(it.graph.output.name), it.graph.output.channels)


def test_products_at_the_widest_accumulator_are_exact():
    op = pick("wide", 3, 0, 1)
    big = np.array([[(1 << 39) - 1, (1 << 39) - 1, -(1 << 39) + 1]])
    graph = Graph("wide", 1, (source(3), type(op)(**{**vars(op), "weight": big, "shift": np.array([32])})))
    frame = np.array([[[127, 127, -127]]])
    expected, _ = naive.run(graph, frame[0].tolist())
    assert predict(graph, frame)[0].tolist() == expected["wide"]
    assert (big * frame[0]).sum() > 1 << 47


def test_frames_of_narrow_integers_do_not_wrap():
    it = next(c for c in CASES if c.graph.name == "linear")
    assert np.array_equal(predict(it.graph, it.frames.astype(np.int8)), predict(it.graph, it.frames))


@pytest.mark.parametrize(
    ("frames", "fact"),
    [
        (np.zeros((1, 5, 2), int), r"shape \(1, 5, 2\), not \(batch, 4, 2\)"),
        (np.zeros((1, 4, 3), int), r"shape \(1, 4, 3\)"),
        (np.zeros((4, 2), int), r"shape \(4, 2\)"),
        (np.full((1, 4, 2), 128), r"hold 128\.\.128, outside int8"),
        (np.full((1, 4, 2), -129), r"hold -129\.\.-129"),
        (np.full((1, 4, 2), 0.5), "frames are float64, not integers"),
    ],
)
def test_frames_that_do_not_fit_are_refused(frames, fact):
    graph = Graph("toy", 4, (source(2), pick("out", 2, 0, 2)))
    with pytest.raises(DataError, match=fact):
        accepted(graph, frames)


def test_run_gives_every_tensor_and_predict_the_last():
    rng = np.random.default_rng(0)
    last = Pool(name="pool", source="activation", channels=6, dtype=INT8, fraction_bits=4, shift=1)
    it = case("chain", rng, 3, 6, activation(table=True), last)
    tensors = run(it.graph, it.frames)
    assert list(tensors) == ["input", "activation", "pool"]
    assert np.array_equal(predict(it.graph, it.frames), tensors["pool"])


def test_flatten_keeps_the_first_token_first():
    graph = Graph("flat", 3, (source(2), flatten("flat", "input", 6)))
    assert predict(graph, np.arange(6).reshape(1, 3, 2)).tolist() == [[[0, 1, 2, 3, 4, 5]]]
    graph = Graph("flat", 4, (source(2), flatten("flat", "input", 4)))
    assert predict(graph, np.arange(8).reshape(1, 4, 2)).tolist() == [[[0, 1, 2, 3], [4, 5, 6, 7]]]


def test_outputs_of_many_frames_are_those_of_each():
    it = CASES[0]
    many = np.concatenate([it.frames] * (600 // len(it.frames) + 1))
    found = predict(it.graph, many)
    np.testing.assert_array_equal(found, run(it.graph, many)[it.graph.output.name])
    assert predict(it.graph, many[:0]).shape == (0, *found.shape[1:])
