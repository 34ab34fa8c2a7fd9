import torch

from emamba.model.scan import selective_scan

BATCH, TIME, CHANNELS, STATES = 2, 5, 3, 4


def operands():
    torch.manual_seed(0)
    x, delta = torch.randn(BATCH, TIME, CHANNELS), torch.rand(BATCH, TIME, CHANNELS)
    b, c = torch.randn(BATCH, TIME, STATES), torch.randn(BATCH, TIME, STATES)
    rate, skip, state = torch.rand(CHANNELS, STATES), torch.randn(CHANNELS), torch.randn(BATCH, STATES, CHANNELS)
    return [tensor.double().requires_grad_() for tensor in (x, delta, b, c, rate, skip, state)]


def scanned(x, delta, b, c, rate, skip, state):
    return selective_scan(x, delta, b, c, rate, skip, torch.exp, state)


def test_scan_is_its_formula():
    x, delta, b, c, rate, skip, state = operands()
    y, states = scanned(x, delta, b, c, rate, skip, state)
    for i in range(BATCH):
        for d in range(CHANNELS):
            h = state[i, :, d]
            for t in range(TIME):
                h = torch.exp(-delta[i, t, d] * rate[d]) * h + delta[i, t, d] * x[i, t, d] * b[i, t]
                torch.testing.assert_close(states[i, t, :, d], h)
                torch.testing.assert_close(y[i, t, d], (c[i, t] * h).sum() + skip[d] * x[i, t, d])


def test_every_gradient_of_the_scan_is_right():
    assert torch.autograd.gradcheck(lambda *args: scanned(*args)[0], operands())


def test_a_scan_continues_from_its_state():
    x, delta, b, c, rate, skip, state = operands()
    whole, _ = scanned(x, delta, b, c, rate, skip, state)
    first, states = scanned(x[:, :2], delta[:, :2], b[:, :2], c[:, :2], rate, skip, state)
    rest, _ = scanned(x[:, 2:], delta[:, 2:], b[:, 2:], c[:, 2:], rate, skip, states[:, -1])
    torch.testing.assert_close(torch.cat([first, rest], dim=1), whole)
