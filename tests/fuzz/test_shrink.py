import numpy as np

from emamba.fuzz.draw import draw
from emamba.fuzz.shrink import shrink, smaller
from emamba.graph import Convolution, Pool, check, run
from emamba.rtl.folding import candidates, packed


def paired(trial):
    return any(folding.pairs for folding in trial.foldings.values())


TRIAL = next(
    trial
    for trial in map(draw, range(200))
    if {Convolution, Pool} <= {type(op) for op in trial.graph.operations} and len(trial.graph.operations) > 8
    if paired(trial)
)


def test_every_step_is_a_legal_trial_and_less_in_some_respect():
    steps = list(smaller(TRIAL))
    assert len(steps) > 20
    for step in steps:
        run(check(step.graph), step.frames)
        for op in step.graph.operations:
            known = candidates(step.graph, op)
            assert step.foldings[op.name] in [*known, *(packed(step.graph, op, folding) for folding in known)]
        assert measure(step) < measure(TRIAL)


def measure(trial):
    channels = sum(op.channels for op in trial.graph.operations)
    stalls = len(trial.stalls) + bool(trial.reset_after) + paired(trial)
    return len(trial.graph.operations) + channels + trial.graph.tokens + len(trial.frames) + stalls


def test_what_fails_because_of_one_operation_shrinks_to_it():
    def failing(trials):
        return [any(isinstance(op, Convolution) for op in trial.graph.operations) for trial in trials]

    small = shrink(TRIAL, failing)
    assert [type(op).__name__ for op in small.graph.operations] == ["Input", "Convolution"]
    assert (small.graph.tokens, small.graph.input.channels, small.frames.size) == (1, 1, 1)
    assert (small.stalls, small.reset_after) == ((), 0)


def test_what_fails_because_products_share_multiplications_keeps_a_pair():
    small = shrink(TRIAL, lambda trials: [paired(trial) for trial in trials])
    assert len(small.graph.operations) < 6
    assert sum(folding.pairs for folding in small.foldings.values()) == 1


def test_what_fails_because_weights_are_loaded_goes_on_loading_them():
    trial = next(trial for trial in map(draw, range(200)) if trial.loadable and len(trial.graph.operations) > 8)
    small = shrink(trial, lambda trials: [trial.loadable for trial in trials])
    assert (small.loadable, len(small.graph.operations)) == (True, 1)
    assert not shrink(trial, lambda trials: [True] * len(trials)).loadable


def test_a_failure_that_needs_data_keeps_them():
    wanted = int(TRIAL.frames.max())

    def failing(trials):
        return [bool(np.any(trial.frames == wanted)) for trial in trials]

    small = shrink(TRIAL, failing)
    assert wanted in small.frames
    assert len(small.graph.operations) <= 2


def test_nothing_smaller_that_fails_is_the_trial_itself():
    assert shrink(TRIAL, lambda trials: [False] * len(trials)) is TRIAL
