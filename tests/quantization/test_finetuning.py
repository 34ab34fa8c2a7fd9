import numpy as np
import pytest
import torch

from emamba import graph
from emamba.config import MambaConfig, load_config, recipes
from emamba.data import frames, grid
from emamba.errors import TrainingError
from emamba.fixed import dequantize, quantize
from emamba.model import Shape, build, exact_twin
from emamba.quantization import calibrate, finetune, lower, streams
from emamba.quantization.finetuning import integer_logits, straight_through
from emamba.quantization.lowering import lowered
from variants import INTEGERS, MODELS, built, dataset, recipe, tokens

IMAGES = {
    "digits": (8, 8, 1, 10),
    "mars": (8, 8, 5, 57),
    "fashion-mnist": (28, 28, 1, 10),
    "cifar-10": (32, 32, 3, 10),
    "wikitext-2": (1, 256, 1, 256),
}
PRESETS = [name for name in recipes() if isinstance(load_config(name).model, MambaConfig)]


def forward(variant: str, frames: np.ndarray):
    model, config = built(variant), INTEGERS[variant]
    scales = calibrate(model, frames, config)
    operations = streams.unfold(model)
    integers = lowered(operations, scales, config)
    found = straight_through(operations, integers, scales, torch.from_numpy(frames))
    return model, lower(variant, model, scales, config), found


@pytest.mark.parametrize("variant", MODELS)
def test_every_tensor_of_the_forward_pass_is_the_integers(variant):
    _, found, values = forward(variant, tokens(variant))
    source = found.input
    exact = graph.run(found, quantize(tokens(variant), source.fraction_bits, source.dtype))
    assert list(values) == list(exact)
    for name, integers in exact.items():
        wanted = dequantize(integers, found[name].fraction_bits)
        np.testing.assert_array_equal(values[name].detach().double().numpy(), wanted, err_msg=name)


@pytest.mark.parametrize("name", PRESETS)
def test_the_forward_pass_of_every_preset_is_its_integer_graph(name):
    """On random frames in the shape of the preset's data, and with weights as they are before training."""
    config = load_config(name)
    height, width, channels, outputs = IMAGES[config.data.name]
    images = np.random.default_rng(0).random((6, height, width, channels), np.float32)
    if config.data.name == "wikitext-2":
        images = np.floor(256 * images)
    found = frames(images, config.data)
    torch.manual_seed(1)
    model = build(config.model, Shape(*grid(images, config.data), found.shape[2]), outputs)
    scales = calibrate(model, found, config.quantization)
    integers = lower(name, model, scales, config.quantization)
    exact = graph.predict(integers, quantize(found, integers.input.fraction_bits, integers.input.dtype))
    logits = integer_logits(model, scales, config.quantization, torch.from_numpy(found)).detach().double().numpy()
    np.testing.assert_array_equal(logits, dequantize(exact, integers.output.fraction_bits).reshape(logits.shape))


@pytest.mark.parametrize("variant", MODELS)
def test_gradients_are_near_those_of_the_real_model(variant):
    model, found, values = forward(variant, tokens(variant))
    output = values[found.output.name]
    weights = torch.tensor(np.random.default_rng(0).normal(size=output.shape), dtype=torch.float32)
    (output * weights).sum().backward()
    through = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    (model(torch.from_numpy(tokens(variant))).view(weights.shape) * weights).sum().backward()
    for name, parameter in model.named_parameters():
        cosine = torch.nn.functional.cosine_similarity(through[name].ravel(), parameter.grad.ravel(), dim=0)
        assert float(cosine) > (0.8 if variant != "bare" else 0.5), name


def test_saturated_elements_pass_no_gradient():
    model, config = built("tables"), INTEGERS["tables"]
    scales = calibrate(model, tokens(), config)
    with torch.no_grad():
        model.embedding.bias += 100
    operations = streams.unfold(model)
    integers = lowered(operations, scales, config)
    values = straight_through(operations, integers, scales, torch.from_numpy(tokens(count=5)))
    assert float(values["embed"].detach().max()) == 127 * 2.0 ** -scales["embed"]
    values["embed"].sum().backward()
    assert not model.embedding.weight.grad.any()


def test_finetuning_brings_few_bits_nearer_to_the_float_model_and_leaves_that_alone():
    model, config = built("digits"), recipe("digits")
    changes = {"finetune_epochs": 4, "finetune_learning_rate": 0.005, "weight_bits": 4, "activation_bits": 5}
    config = config.model_copy(update={"quantization": config.quantization.model_copy(update=changes)})
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    scales, steps = calibrate(model, tokens(), config.quantization), []
    tuned, history = finetune(model, scales, config, dataset(), lambda *step: steps.append(step))
    assert history[-1].loss < 0.8 * history[0].loss
    frames = torch.from_numpy(tokens())
    wanted = exact_twin(model)(frames)
    near, far = (integer_logits(form, scales, config.quantization, frames) - wanted for form in (tuned, model))
    assert float(near.detach().square().mean()) < float(far.detach().square().mean())
    assert steps[-1] == (16, 16, "fine-tune")
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert not torch.equal(before["head.weight"], tuned.head.weight)


def test_an_average_that_suits_training_does_not_hold_finetuning_back():
    """It reached over 1,000 steps where there were 4: two thirds of the result and more were what it began with."""
    model, config = built("digits"), recipe("digits")
    scales = calibrate(model, tokens(), config.quantization)

    def moved(averaging: float) -> float:
        training = config.training.model_copy(update={"averaging": averaging})
        tuned, _ = finetune(model, scales, config.model_copy(update={"training": training}), dataset())
        return float((tuned.head.weight - model.head.weight).detach().norm())

    assert moved(0.999) > 0.5 * moved(0.0) > 0


def test_no_epochs_change_nothing():
    model, config = built("bare"), recipe("bare")
    config = config.model_copy(update={"quantization": config.quantization.model_copy(update={"finetune_epochs": 0})})
    tuned, history = finetune(model, calibrate(model, tokens(), config.quantization), config, dataset())
    assert history == ()
    assert all(torch.equal(tensor, tuned.state_dict()[name]) for name, tensor in model.state_dict().items())


@pytest.mark.filterwarnings("ignore:invalid value")  # what NaN is as an integer
def test_divergence_names_the_rate_of_finetuning():
    model, config = built("bare"), recipe("bare")
    choice = config.quantization.model_copy(update={"finetune_learning_rate": 1e30})
    scales = calibrate(model, tokens(), choice)
    with pytest.raises(TrainingError, match=r"fine-tune: .*quantization.finetune_learning_rate"):
        finetune(model, scales, config.model_copy(update={"quantization": choice}), dataset())


def test_the_memory_of_another_model_is_not_taken_up(tmp_path):
    config, memory = recipe("tables"), tmp_path / "memory"
    first, second = built("tables"), built("tables")
    with torch.no_grad():
        second.head.bias += 0.5
    scales = calibrate(second, tokens(), INTEGERS["tables"])
    finetune(first, scales, config, dataset(), memory=memory)
    assert memory.exists()
    found, _ = finetune(second, scales, config, dataset(), memory=memory)
    alone, _ = finetune(second, scales, config, dataset())
    assert torch.equal(found.head.bias, alone.head.bias)


def test_learned_knots_go_on_learning():
    model, config = built("learned"), recipe("learned")
    scales = calibrate(model, tokens(), config.quantization)
    tuned, _ = finetune(model, scales, config, dataset())
    for name in ("silu.widths", "blocks.0.exp.values", "blocks.1.convolution_silu.widths"):
        assert not torch.equal(model.state_dict()[name], tuned.state_dict()[name]), name
