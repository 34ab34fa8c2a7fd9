import numpy as np
import pytest
import torch

from baselines import learned
from emamba.config import LstmConfig
from emamba.model import Lstm, Shape, parameter_count


@pytest.mark.parametrize(("d_model", "layers"), [(48, 1), (10, 3)])
def test_parameters_are_those_counted_by_hand(d_model, layers):
    """Four gates, each with a weight of the input, one of the hidden state, and PyTorch's two biases."""
    sources = [20] + [d_model] * (layers - 1)
    gates = sum(4 * d_model * (source + d_model + 2) for source in sources)
    model = Lstm(LstmConfig(kind="lstm", d_model=d_model, layers=layers), Shape(4, 4, 20), 57)
    assert parameter_count(model) == gates + 57 * (d_model + 1)


def test_forward_is_the_reference():
    torch.manual_seed(3)
    model = Lstm(LstmConfig(kind="lstm", d_model=6, layers=2), Shape(1, 7, 5), 4).double()
    frames = np.random.default_rng(5).normal(size=(3, 7, 5))
    expected = [reference(model, frame) for frame in frames]
    np.testing.assert_allclose(model(torch.tensor(frames)).detach().numpy(), expected, rtol=1e-6, atol=1e-9)


def test_it_learns_digits():
    assert learned("lstm") > 0.9


def reference(model: Lstm, frame: np.ndarray) -> np.ndarray:
    """One frame, one token at a time, in float64 NumPy; the gates are input, forget, candidate, output."""
    p = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    tokens = frame
    for layer in range(2):
        hidden, cell, after = np.zeros(6), np.zeros(6), []
        own = {name: p[f"memory.{name}_l{layer}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")}
        for token in tokens:
            raw = own["weight_ih"] @ token + own["bias_ih"] + own["weight_hh"] @ hidden + own["bias_hh"]
            enter, forget, candidate, leave = raw.reshape(4, 6)
            cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(candidate)
            hidden = sigmoid(leave) * np.tanh(cell)
            after.append(hidden)
        tokens = after
    return p["head.weight"] @ tokens[-1] + p["head.bias"]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))
