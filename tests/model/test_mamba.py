import numpy as np
import pytest
import torch

from emamba.config import CurveConfig, MambaConfig
from emamba.curve import exp_segments, silu_segments
from emamba.errors import ConfigError
from emamba.model import Mamba, Shape, exact_twin, parameter_count, twin

EXACT = CurveConfig(form="exact")
FORMS = {
    "ours": MambaConfig(d_model=6, dt_rank=2, d_state=3),
    "paper": MambaConfig(
        d_model=6, dt_rank=5, d_state=3, convolution="pointwise", head="mean",
        silu=CurveConfig(form="segments", segments=17, knots="paper"),
        exp=CurveConfig(form="segments", segments=11, knots="paper"),
    ),
    "exact": MambaConfig(d_model=6, norm="layer", delta="softplus", silu=EXACT, convolution_silu=True),
    "flatten": MambaConfig(d_model=6, norm="rms", head="flatten", projection_bias=False, d_conv=1, blocks=1),
    "stem": MambaConfig(d_model=6, d_state=3, stem=3),
    "square": MambaConfig(d_model=6, d_state=3, convolution="square", d_conv=3),
    "learned": MambaConfig(
        d_model=6, d_state=3, stem=3, convolution_silu=True,
        silu=CurveConfig(form="segments", segments=3, knots="learned"),
        exp=CurveConfig(form="segments", segments=4, knots="learned"),
    ),
}  # fmt: skip


def built(config: MambaConfig) -> Mamba:
    """A model whose every parameter is random, so that none hides behind a 0 or 1."""
    torch.manual_seed(3)
    model = Mamba(config, Shape(1, 7, 5, group=2), 4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model.double()


@pytest.fixture(params=FORMS.values(), ids=FORMS)
def model(request):
    return built(request.param)


def frames(batch: int = 3) -> torch.Tensor:
    return torch.tensor(np.random.default_rng(5).normal(size=(batch, 14, 5)))


def test_forward_is_the_reference(model):
    expected = [reference(model, frame) for frame in frames().numpy()]
    np.testing.assert_allclose(model(frames()).detach().numpy(), expected, rtol=2e-5, atol=2e-6)


def test_steps_reach_what_forward_gives(model):
    if model.config.convolution == "square":
        pytest.skip("it looks ahead")
    tokens, state = frames(), model.start(3)
    for t in range(7):
        logits, state = model.step(tokens[:, 2 * t : 2 * t + 2], state)
    torch.testing.assert_close(logits, model(tokens))
    assert state.seen == 7


def test_a_model_that_looks_ahead_takes_no_steps():
    model = built(FORMS["square"])
    with pytest.raises(ConfigError, match="looks ahead") as caught:
        model.step(frames()[:, :2], model.start(3))
    assert "forward" in caught.value.hint


BYTES = MambaConfig(embedding="bytes", d_model=6, d_state=3, head="token")


def text_model() -> tuple[Mamba, torch.Tensor]:
    """A model whose every parameter is random, and bytes for it."""
    torch.manual_seed(3)
    model = Mamba(BYTES, Shape(1, 7, 1), 256)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model.double(), torch.tensor(np.random.default_rng(5).integers(0, 256, (3, 7, 1)), dtype=torch.float64)


def test_bytes_are_rows_of_a_table_and_every_token_has_its_logits():
    model, text = text_model()
    p = {name: value.detach().numpy() for name, value in model.state_dict().items()}
    for frame, found in zip(text.numpy().astype(int), model(text), strict=True):
        tokens = [p["embedding.weight"][byte] for (byte,) in frame]
        for i in range(BYTES.blocks):
            own = f"blocks.{i}."
            inside = {k.removeprefix(own): v for k, v in p.items() if k.startswith(own)}
            tokens = block(BYTES, inside, tokens)
        wanted = [p["head.weight"] @ normalised(BYTES, p, token) + p["head.bias"] for token in tokens]
        np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=2e-5, atol=2e-6)


def test_steps_give_each_token_its_logits():
    model, text = text_model()
    state = model.start(3)
    for t in range(7):
        logits, state = model.step(text[:, t : t + 1], state)
        torch.testing.assert_close(logits[:, 0], model(text)[:, t])


@pytest.mark.parametrize("shape", [Shape(1, 7, 2), Shape(1, 4, 1, group=2)])
def test_a_byte_is_all_of_a_token(shape):
    with pytest.raises(ConfigError, match="a byte is one feature, but a token has 2"):
        Mamba(BYTES, shape, 256)


def test_the_paper_form_of_mars_has_17217_parameters():
    paper = MambaConfig(
        d_model=20,
        expand=2,
        d_state=8,
        dt_rank=32,
        blocks=2,
        convolution="pointwise",
        projection_bias=True,
        head="mean",
    )
    assert parameter_count(Mamba(paper, Shape(4, 4, 20), 57)) == 17_217


@pytest.mark.parametrize("delta", ["relu", "softplus"])
def test_deltas_start_alive_and_near_their_range(delta):
    torch.manual_seed(0)
    model = Mamba(MambaConfig(delta=delta), Shape(4, 4, 4), 10)
    low = torch.randn(8, 16, 2)
    for block in model.body:
        steps = block.delta(low).detach()
        assert float((steps > 0).double().mean()) > 0.7
        assert 0.01 < float(steps.median()) < 0.3


@pytest.mark.parametrize("config", [MambaConfig(d_model=6, stem=3), FORMS["learned"]], ids=["stem", "learned"])
def test_every_parameter_learns(config):
    torch.manual_seed(0)
    model = Mamba(config, Shape(1, 14, 5), 4)
    model(frames().float()).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().max()) > 0, name


def test_the_exact_twin_differs_by_its_curves_alone():
    model = built(FORMS["paper"])
    exact = exact_twin(model)
    assert exact.config == FORMS["paper"].model_copy(update={"silu": EXACT, "exp": EXACT})
    assert exact_twin(exact) is exact
    for (name, ours), (other, its) in zip(model.state_dict().items(), exact.state_dict().items(), strict=True):
        assert name == other
        torch.testing.assert_close(ours, its)
    expected = [reference(exact, frame) for frame in frames().numpy()]
    np.testing.assert_allclose(exact(frames()).detach().numpy(), expected, rtol=1e-6)
    assert not torch.allclose(exact(frames()), model(frames()), atol=1e-4)


def test_a_twin_has_one_curve_exchanged_and_the_other_kept():
    model = built(FORMS["paper"])
    other = twin(model, exp=EXACT)
    assert other.config == FORMS["paper"].model_copy(update={"exp": EXACT})
    torch.testing.assert_close(twin(other, exp=FORMS["paper"].exp)(frames()), model(frames()))
    assert not torch.allclose(other(frames()), model(frames()), atol=1e-4)
    assert not torch.allclose(other(frames()), exact_twin(model)(frames()), atol=1e-4)


def test_learned_curves_are_no_approximation_and_stay_in_twins_of_their_form():
    model = built(FORMS["learned"])
    assert exact_twin(model) is model
    half = twin(model, exp=EXACT)
    assert exact_twin(half) is half
    names = [name for name, _ in half.named_parameters() if "widths" in name]
    assert names == [
        "silu.widths",
        *(f"blocks.{i}.{own}.widths" for i in range(2) for own in ("silu", "convolution_silu")),
    ]
    assert all(torch.equal(half.state_dict()[name], model.state_dict()[name]) for name in names)
    again = twin(half, exp=FORMS["learned"].exp)
    assert torch.equal(again.state_dict()["blocks.0.silu.widths"], model.state_dict()["blocks.0.silu.widths"])
    torch.testing.assert_close(again.body[0].exp.segments.knots, exp_segments(4, "optimal").knots)
    wide = twin(model, silu=FORMS["learned"].silu.model_copy(update={"segments": 5}))
    np.testing.assert_allclose(wide.body[0].silu.segments.knots, silu_segments(5, "optimal").knots, atol=1e-5)


def test_an_exact_twin_keeps_what_was_learned():
    model = built(FORMS["learned"].model_copy(update={"exp": FORMS["paper"].exp}))
    exact = exact_twin(model)
    assert (exact.config.silu, exact.config.exp) == (FORMS["learned"].silu, EXACT)
    assert torch.equal(exact.state_dict()["silu.values"], model.state_dict()["silu.values"])


# The reference: one frame, one token, one channel at a time, in float64 NumPy.


def reference(model: Mamba, frame: np.ndarray) -> np.ndarray:
    config = model.config
    p = {name: value.detach().double().numpy() for name, value in model.state_dict().items()}
    if config.stem:
        frame = [silu(config, p, p["stem.weight"] @ token + p["stem.bias"]) for token in frame]
    groups = [np.concatenate(pair) for pair in zip(frame[::2], frame[1::2], strict=True)]
    tokens = [p["embedding.weight"] @ group + p["embedding.bias"] for group in groups]
    for i in range(config.blocks):
        own = f"blocks.{i}."
        tokens = block(config, {k.removeprefix(own): v for k, v in p.items() if k.startswith(own)}, tokens)
    normed = [normalised(config, p, token) for token in tokens]
    if config.head == "flatten":
        return p["head.weight"] @ np.concatenate(normed) + p["head.bias"]
    if config.head == "pool":
        return p["head.weight"] @ np.mean(normed, axis=0) + p["head.bias"]
    return np.mean([p["head.weight"] @ token + p["head.bias"] for token in normed], axis=0)


def block(config, p, tokens):
    inner, state, rank = config.d_inner, config.d_state, config.dt_rank
    h = np.zeros((inner, state))
    past = [np.zeros(inner)] * config.d_conv
    if config.convolution == "square":  # of a grid of one row: only the middle row of taps meets tokens
        taken = [(p["in_proj.weight"] @ normalised(config, p, t) + p.get("in_proj.bias", 0))[:inner] for t in tokens]
        around = [np.zeros(inner), *taken, np.zeros(inner)]
        taps = p["convolution.weight"][:, 1].T
        squares = [sum(taps * around[t : t + 3]) + p["convolution.bias"] for t in range(len(tokens))]
    result = []
    for token in tokens:
        both = p["in_proj.weight"] @ normalised(config, p, token) + p.get("in_proj.bias", 0)
        x, z = both[:inner], both[inner:]
        past = [*past[1:], x]
        if config.convolution == "pointwise":
            x = p["convolution.linear.weight"] @ x + p["convolution.linear.bias"]
        elif config.convolution == "square":
            x = squares[len(result)]
        else:
            taps = p["convolution.weight"].T
            x = sum(tap * old for tap, old in zip(taps, past, strict=True)) + p["convolution.bias"]
        if config.convolution_silu:
            x = silu(config, p, x, "convolution_silu")
        selected = p["x_proj.weight"] @ x
        raw = p["dt_proj.weight"] @ selected[:rank] + p["dt_proj.bias"]
        delta = np.maximum(raw, 0) if config.delta == "relu" else np.log1p(np.exp(raw))
        b, c = selected[rank : rank + state], selected[rank + state :]
        y = np.zeros(inner)
        for d in range(inner):
            for n in range(state):
                decay = exp(config, p, delta[d] * -np.exp(p["rate_log"][d, n]))
                h[d, n] = decay * h[d, n] + delta[d] * b[n] * x[d]
                y[d] += c[n] * h[d, n]
        gated = (y + p["skip"] * x) * silu(config, p, z)
        result.append(token + p["out_proj.weight"] @ gated + p.get("out_proj.bias", 0))
    return result


def normalised(config, p, x):
    match config.norm:
        case "range":
            scaled = config.norm_constant * (x - x.mean()) / (x.max() - x.min())
            return p["norm.gamma"] * scaled + p["norm.beta"]
        case "layer":
            return p["norm.weight"] * (x - x.mean()) / np.sqrt(x.var() + 1e-5) + p["norm.bias"]
        case "rms":
            return p["norm.weight"] * x / np.sqrt(np.mean(x * x) + 1e-5)


def silu(config, p, x, name="silu"):
    if config.silu.form == "exact":
        return x / (1 + np.exp(-x))
    if config.silu.knots == "learned":
        knots, values = joined(p, name, (-7, 7), (0, 7), lambda v: v)
        return np.where(x < -7, 0, np.where(x > 7, x, np.interp(x, knots, values)))
    return silu_segments(config.silu.segments, config.silu.knots)(x)


def exp(config, p, x):
    if config.exp.form == "exact":
        return np.exp(x)
    if config.exp.knots == "learned":
        return np.interp(x, *joined(p, "exp", (-5, 0), (0, 1), lambda v: 1 / (1 + np.exp(-v))))
    return exp_segments(config.exp.segments, config.exp.knots)(x)


def joined(p, name, ends, heights, value):
    """Knots of a learned curve and the values there."""
    shares = np.exp(p[f"{name}.widths"]) / np.exp(p[f"{name}.widths"]).sum()
    widths = (ends[1] - ends[0]) * (1 / 8 / len(shares) + 7 / 8 * shares)
    knots = ends[0] + np.concatenate([[0], np.cumsum(widths)])
    return knots, [heights[0], *value(p[f"{name}.values"]), heights[1]]
