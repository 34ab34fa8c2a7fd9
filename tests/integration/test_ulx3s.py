"""The script for the computer at the USB port, with a stand-in for the port, and the pins."""

import importlib.util
import re
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from cases import one_element
from emamba import fixed, rtl
from emamba.files import write
from emamba.graph import predict
from emamba.integration import generate
from networks import random_network


@pytest.fixture(scope="module", params=[one_element(), random_network(1)], ids=str)
def project(request, tmp_path_factory):
    """A design, and what is generated for it, in a folder."""
    graph, frames = request.param.graph, request.param.frames
    design, folder = rtl.build(graph, 12), tmp_path_factory.mktemp("a run")
    around = generate(graph, design, 125.0, frames, predict(graph, frames))
    for path, text in around.items():
        write(folder / path, text)
    return SimpleNamespace(graph=graph, frames=frames, design=design, around=around, folder=folder)


class _Serial:
    """A serial port with the accelerator behind it, in golden integers; it loses what comes when there is no room."""

    def __init__(self, host, graph, lost=()):
        self.host, self.graph, self.lost = host, graph, lost
        self.inside, self.answers, self.breaks, self.sent, self.most = b"", b"", 0, 0, 0

    def flush(self):
        assert self.breaks < 9

    def send_break(self, duration):
        self.inside, self.answers, self.breaks = b"", b"", self.breaks + 1

    def reset_input_buffer(self):
        assert self.breaks

    def write(self, data):
        self.inside += b"" if self.sent in self.lost else data
        self.sent += 1
        self.most = max(self.most, len(self.inside))

    def read(self, count):
        """A frame at a time is computed, when somebody waits for it."""
        size = self.host.INPUT.bytes
        if len(self.inside) >= size:
            data, self.inside = self.inside[:size], self.inside[size:]
            frame = np.frombuffer(data, f"<i{size // self.graph.tokens // self.graph.input.channels}")
            found = predict(self.graph, frame.reshape(1, self.graph.tokens, -1).astype(np.int64))
            self.answers += found.astype(f"<i{self.host.OUTPUT.bytes // found.size}").tobytes()
        data, self.answers = self.answers[:count], self.answers[count:]
        return data


def host(project):
    """The host script as a module."""
    path = project.folder / "integration" / "ulx3s" / f"{project.design.top}.py"
    spec = importlib.util.spec_from_file_location("host", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_host_gives_the_golden_integers_and_never_sends_more_than_there_is_room_for(project):
    module = host(project)
    port, frames = _Serial(module, project.graph), np.concatenate([project.frames] * 30)
    accelerator = module.Accelerator(port)
    assert np.array_equal(accelerator.run_integers(frames), predict(project.graph, frames))
    assert port.sent == len(frames)
    assert rtl.serial_room(project.design) - module.INPUT.bytes < port.most <= rtl.serial_room(project.design)
    assert accelerator.run_integers(frames[:0]).shape == (
        0,
        project.design.output.tokens,
        project.design.output.channels,
    )
    source, sink = project.graph.input, project.graph.output
    floats = np.random.default_rng(0).normal(0, 3, (4, project.graph.tokens, source.channels))
    expected = predict(project.graph, fixed.quantize(floats, source.fraction_bits, source.dtype))
    assert np.array_equal(accelerator.run(floats), fixed.dequantize(expected, sink.fraction_bits))


def test_the_host_resets_an_accelerator_that_does_not_answer_and_goes_on(project):
    module = host(project)
    port = _Serial(module, project.graph, lost={2})
    accelerator = module.Accelerator(port)
    with pytest.raises(RuntimeError, match=f"0 of {module.OUTPUT.bytes} bytes came for frame 3"):
        accelerator.run_integers(project.frames[:4])
    assert port.breaks == 2
    assert np.array_equal(accelerator.run_integers(project.frames[:4]), predict(project.graph, project.frames[:4]))
    with pytest.raises(ValueError, match="frames have shape"):
        accelerator.run(np.zeros((1, 99, 1)))


def test_the_host_counts_wrong_vectors(project, monkeypatch, capsys):
    module = host(project)
    monkeypatch.setitem(sys.modules, "serial", SimpleNamespace(Serial=lambda name, baud, timeout: opened[name, baud]))
    opened = {("/dev/ttyUSB0", 1_000_000): _Serial(module, project.graph)}
    assert module.main("/dev/ttyUSB0") == 0
    assert "0 of them wrong" in capsys.readouterr().out
    module.OUTPUT.unpack = lambda data: np.full((project.design.output.tokens, project.design.output.channels), 10**6)
    assert module.main("/dev/ttyUSB0") == len(project.frames)


def test_the_pins_are_those_of_the_shell(project):
    text = project.around[f"integration/ulx3s/{project.design.top}.lpf"]
    assert {name for name, _ in re.findall(r'LOCATE COMP "(\w+)" SITE "(\w+)";', text)} == {"clk", "rx", "tx", "alive"}
    assert 'LOCATE COMP "clk" SITE "G2"' in text
