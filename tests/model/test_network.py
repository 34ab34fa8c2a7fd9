import pytest
import torch

from baselines import BASELINES, SHAPES, recipe
from emamba.config import MambaConfig, TrainingConfig
from emamba.data import load_dataset
from emamba.model import ConvNet, Lstm, Mamba, Shape, VisionTransformer, build, parameter_count
from emamba.training import train
from emamba.training.loop import _optimizer

KINDS = {"mamba": MambaConfig(d_model=6), **BASELINES}
CLASSES = {"mamba": Mamba, "vit": VisionTransformer, "cnn": ConvNet, "lstm": Lstm}


@pytest.fixture(params=KINDS)
def network(request):
    torch.manual_seed(0)
    return build(KINDS[request.param], SHAPES.get(request.param, Shape(4, 4, 4)), 10)


def frames(network, batch: int = 6) -> torch.Tensor:
    return torch.randn(batch, network.shape.tokens, network.shape.features)


def test_a_network_is_of_the_kind_asked_for_and_knows_its_sizes(network):
    assert type(network) is CLASSES[network.config.kind]
    assert network.config == KINDS[network.config.kind]
    assert network.outputs == 10


def test_frames_become_outputs_each_by_itself(network):
    network.eval()
    tokens = frames(network)
    found = network(tokens)
    assert found.shape == (6, 10)
    torch.testing.assert_close(network(tokens[2:3]), found[2:3])


def test_every_parameter_learns(network):
    network(frames(network)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().max()) > 0, name


@pytest.mark.parametrize("sides", [(2, 7), (7, 2)])
@pytest.mark.parametrize("kind", KINDS)
def test_frames_need_not_be_square(kind, sides):
    shape = Shape(*sides, 3)
    config = KINDS[kind].model_copy(update={"pool_after": ()}) if kind == "cnn" else KINDS[kind]
    assert build(config, shape, 5)(torch.randn(2, 14, 3)).shape == (2, 5)


def test_only_trained_values_are_counted():
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    assert parameter_count(network) == 3 * 4 + 4 + 2 * 4


@pytest.mark.parametrize("kind", BASELINES)
def test_the_same_seed_gives_the_same_bits(kind):
    dataset = load_dataset("digits")
    one, two, other = (train(recipe(kind, epochs=1, seed=seed), dataset)[0].state_dict() for seed in (4, 4, 5))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_decay_and_nothing_else_does(kind):
    network = build(KINDS[kind], SHAPES.get(kind, Shape(4, 4, 4)), 10)
    decaying, free = _optimizer(network, TrainingConfig(weight_decay=0.3)).param_groups
    assert (decaying["weight_decay"], free["weight_decay"]) == (0.3, 0.0)
    kept = {"positions", *(name for name, _ in network.named_parameters() if name.endswith("rate_log"))}
    weights = {id(p) for name, p in network.named_parameters() if p.ndim > 1 and name not in kept}
    assert {id(p) for p in decaying["params"]} == weights
    assert len(free["params"]) == len(list(network.parameters())) - len(weights)
