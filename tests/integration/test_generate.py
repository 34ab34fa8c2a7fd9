"""Each file is run where its tool is here: cocotb and FuseSoC are; Vivado and a board have stand-ins."""

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from cases import one_element, reweighted
from emamba import fixed, rtl
from emamba.eda.verilator import verilator_root
from emamba.eda.verilog import verilog
from emamba.files import write
from emamba.graph import Graph, predict
from emamba.integration import generate
from networks import random_network

ONE, WHOLE, LOADABLE = one_element(), random_network(1), random_network(3)


def made(it, folder: Path, interval_cycles: int = 12, loadable: bool = False) -> SimpleNamespace:
    """The Verilog and all around it, as `emit` leaves them in a run folder."""
    design = rtl.build(it.graph, interval_cycles, loadable=loadable)
    tops = {
        design.top: design.rtlil,
        design.stream_top: rtl.stream_top(design),
        design.register_top: rtl.register_top(design),
    }
    texts = {f"rtl/{top}.v": verilog(text, top) for top, text in tops.items()}
    around = generate(it.graph, design, 125.0, it.frames, predict(it.graph, it.frames))
    for path, text in {**texts, **around}.items():
        write(folder / path, text)
    return SimpleNamespace(graph=it.graph, frames=it.frames, design=design, around=around, folder=folder)


@pytest.fixture(scope="module", params=[ONE, WHOLE], ids=str)
def project(request, tmp_path_factory):
    return made(request.param, tmp_path_factory.mktemp("a run"))


@pytest.fixture(scope="module")
def loadable(tmp_path_factory):
    """A network whose weights can be loaded, `other` ones, what `emamba weights` writes of them, and the head alone."""
    found = made(LOADABLE, tmp_path_factory.mktemp("loadable"), 16, loadable=True)
    regions = found.design.regions
    other = reweighted(found.graph, regions, np.random.default_rng(5))
    mixed = Graph(other.name, other.tokens, (*found.graph.operations[:-1], other.output))
    head = [region for region in regions if region.tensor == other.output.name]
    elements = {graph: rtl.elements(found.graph, given, graph) for graph, given in ((other, regions), (mixed, head))}
    file = {"accelerator": int(found.design.graph_hash[:8], 16), "fraction_bits": [3, 5]}
    file["elements"] = elements[other].tolist()
    return SimpleNamespace(**vars(found), other=other, mixed=mixed, part=elements[mixed].tolist(), file=file)


def test_the_same_design_gives_the_same_text_and_no_file_is_a_clash(project):
    outputs = predict(project.graph, project.frames)
    assert generate(project.graph, project.design, 125.0, project.frames, outputs) == project.around
    assert not any(path.endswith(".v") for path in project.around)


def test_lines_are_short_and_python_is_python(project):
    for path, text in project.around.items():
        if path.endswith(".py"):
            ast.parse(text)
        if not path.endswith(".json"):
            assert all(len(line) <= 120 for line in text.splitlines()), path


def test_what_no_tool_here_has_run_says_so(project):
    for path, text in project.around.items():
        assert ("Not run on hardware" in text) == any(name in path for name in ("vivado", "pynq", "ulx3s")), path


def test_vectors_are_the_frames_and_their_outputs(project):
    vectors = json.loads(project.around["integration/cocotb/vectors.json"])
    assert np.array_equal(vectors["frames"], project.frames)
    assert np.array_equal(vectors["outputs"], predict(project.graph, project.frames))


def tcl(path: Path, *arguments: str) -> list[tuple[str, ...]]:
    """The commands that a script gives to Vivado, in order; an error in the script is one here."""
    tkinter = pytest.importorskip("tkinter")
    interpreter, calls = tkinter.Tcl(), []

    def vivado(*words):
        calls.append(words)
        return "100%" if words[0] == "get_property" else "stand_in"

    interpreter.createcommand("unknown", vivado)
    interpreter.eval(f"set argv {{{' '.join(arguments)}}}")
    interpreter.call("source", str(path))
    return calls


def test_packaging_and_synthesis_read_all_files_that_are_there(project):
    vivado = project.folder / "integration" / "vivado"
    expected = {path.resolve() for path in (project.folder / "rtl").glob("*.v")}
    added = next(call for call in tcl(vivado / "package_ip.tcl") if call[0] == "add_files")
    listed = re.findall(r"\{(.*?)\}", added[2])
    assert {Path(path) for path in listed} == expected
    calls = tcl(vivado / "synthesize.tcl")
    assert {Path(call[1]) for call in calls if call[0] == "read_verilog"} == expected
    assert ("read_xdc", "-mode", "out_of_context", str(vivado / "clock.xdc")) in calls
    synth = next(call for call in calls if call[0] == "synth_design")
    assert synth[synth.index("-top") + 1] == project.design.register_top
    assert synth[synth.index("-part") + 1] == "xczu9eg-ffvb1156-2-e"
    assert "route_design" not in {call[0] for call in calls}
    assert "route_design" in {call[0] for call in tcl(vivado / "synthesize.tcl", "route")}
    assert "-period 8.000 " in (vivado / "clock.xdc").read_text()


def test_the_block_design_connects_what_it_creates(project):
    calls = tcl(project.folder / "integration" / "vivado" / "block_design.tcl")
    cells = {call[-1] for call in calls if call[0] == "create_bd_cell"}
    assert cells == {"ps", "reset", "axi_dma_0", "emamba_0", "control", "memory"}
    pins = [pin for call in calls if call[0] in ("get_bd_pins", "get_bd_intf_pins") for pin in call[1].split()]
    assert {pin.split("/")[0] for pin in pins} == cells
    assert len(pins) == len(set(pins)), "no pin is connected twice"
    ports = {"s_axis", "m_axis", "s_axi", "aclk", "aresetn"}
    assert {pin.split("/")[1] for pin in pins if pin.startswith("emamba_0")} == ports
    dma = next(call for call in calls if call[0] == "set_property" and "CONFIG.c_include_sg" in call[2])
    assert f"CONFIG.c_m_axis_mm2s_tdata_width {8 * project.design.input.beat_bytes} " in dma[2]


def test_beats_too_wide_for_a_dma_get_converters_or_are_refused(tmp_path):
    design = rtl.build(ONE.graph, 12)
    for lanes, widest in ((200, 256), (600, 1024)):
        wide = replace(design, input=replace(design.input, channels=lanes, lanes=lanes))
        assert wide.input.beat_bytes == widest
        text = generate(ONE.graph, wide, 100.0, ONE.frames, ONE.frames)["integration/vivado/block_design.tcl"]
        path = write(tmp_path / "block_design.tcl", text)
        if lanes > 512:
            with pytest.raises(Exception, match="more than 512 bytes"):
                tcl(path)
        else:
            assert "widen" in {call[-1] for call in tcl(path) if call[0] == "create_bd_cell"}


class _Dma:
    """What an AXI DMA with the accelerator behind it does, from bytes to bytes, in golden integers."""

    def __init__(self, project, wrong=False):
        self.project, self.wrong, self.cleared, self.flushed, self.written = project, wrong, False, 0, []
        self.sendchannel, self.recvchannel = self, SimpleNamespace(transfer=self.expect, wait=lambda: None)

    def expect(self, result):
        self.result = result

    def transfer(self, source):
        port = self.project.design.input
        assert source.shape == (port.frame_beats, port.beat_bytes)
        assert self.flushed == 1, "the cache is not flushed"
        self.flushed = 0
        lanes = np.asarray(source)[:, : port.lanes * port.element_bytes].copy()
        elements = lanes.view(f"<i{port.element_bytes}").astype(np.int64)
        found = predict(self.project.graph, elements.reshape(1, port.tokens, port.channels))
        port = self.project.design.output
        beats = np.zeros((port.frame_beats, port.beat_bytes), np.uint8)
        extended = found.reshape(port.frame_beats, port.lanes).astype(f"<i{port.element_bytes}")
        beats[:, : port.lanes * port.element_bytes] = extended.view(np.uint8)
        self.result[:] = beats

    def wait(self):
        pass

    def allocate(self, shape, dtype):
        return np.zeros(shape, dtype).view(_Buffer).of(self)

    def read(self, offset):
        hashed = int(self.project.design.graph_hash[:8], 16)
        return {0x00: 0x454D4241, 0x08: hashed, 0x10: int(self.wrong)}.get(offset, 7)

    def write(self, offset, value):
        self.cleared |= (offset, value) == (0x10, 1)
        self.written.append((offset, value))


class _Buffer(np.ndarray):
    def of(self, dma):
        self.dma = dma
        return self

    def flush(self):
        self.dma.flushed += 1

    def invalidate(self):
        pass


def driver(project, **options):
    """The driver as a module, and an accelerator on a stand-in."""
    path = project.folder / "integration" / "pynq" / f"{project.design.top}.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    dma = _Dma(project, **options)
    overlay = SimpleNamespace(axi_dma_0=dma, emamba_0=dma)
    return module, module.Accelerator(overlay, dma.allocate), dma


def test_the_driver_gives_the_golden_integers(project):
    _, accelerator, _ = driver(project)
    assert np.array_equal(accelerator.run_integers(project.frames), predict(project.graph, project.frames))
    assert accelerator.counters() == {"frames": 7, "errors": 7, "starved": 7, "blocked": 7}


def test_the_driver_converts_floats_as_the_graph_says(project):
    module, accelerator, _ = driver(project)
    source, sink = project.graph.input, project.graph.output
    steps = np.concatenate([np.arange(-300, 300) / 8, [1e9, -1e9, 0.49999999999999994]]) * 2.0**-source.fraction_bits
    assert np.array_equal(module.INPUT.quantize(steps), fixed.quantize(steps, source.fraction_bits, source.dtype))
    floats = np.random.default_rng(0).normal(0, 3, (4, project.graph.tokens, source.channels))
    expected = predict(project.graph, fixed.quantize(floats, source.fraction_bits, source.dtype))
    assert np.array_equal(accelerator.run(floats), fixed.dequantize(expected, sink.fraction_bits))


def test_the_driver_tells_what_is_wrong(project):
    module, accelerator, dma = driver(project, wrong=True)
    with pytest.raises(RuntimeError, match="wrong length"):
        accelerator.run_integers(project.frames[:1])
    assert dma.cleared
    with pytest.raises(ValueError, match="frames have shape"):
        accelerator.run(np.zeros((1, 99, 1)))
    module.GRAPH_HASH ^= 1
    with pytest.raises(RuntimeError, match="another accelerator"):
        module.Accelerator(SimpleNamespace(axi_dma_0=dma, emamba_0=dma), dma.allocate)


def test_the_driver_writes_weights_where_the_layout_says(loadable, tmp_path):
    """The registers' counting address, and what each element becomes on the way."""
    module, accelerator, dma = driver(loadable)
    accelerator.load_weights(write(tmp_path / "weights.json", json.dumps(loadable.file)))
    place, memory = 0, {}
    for offset, value in dma.written:
        if offset == module.WEIGHT_ADDRESS:
            place = value
        else:
            assert offset == module.WEIGHT_DATA
            memory[place], place = value, place + 1
    assert memory == {address: value % (1 << 32) for address, value in loadable.file["elements"]}
    assert (module.INPUT.fraction_bits, module.OUTPUT.fraction_bits) == (3, 5)
    write(tmp_path / "weights.json", json.dumps({**loadable.file, "accelerator": 1}))
    with pytest.raises(ValueError, match="is for the accelerator 0x1, not for"):
        accelerator.load_weights(tmp_path / "weights.json")


def test_a_driver_of_constant_weights_loads_none(project):
    module, accelerator, _ = driver(project)
    assert not hasattr(accelerator, "load_weights")
    assert not hasattr(module, "WEIGHT_DATA")
    assert "weights" not in json.loads(project.around["integration/cocotb/vectors.json"])


def tool(project, *command) -> str:
    """What a command prints, with the program Verilator (not the script around it, which wants Perl) on PATH."""
    programs = project.folder / "bin"
    programs.mkdir(exist_ok=True)
    if not (programs / "verilator").exists():
        (programs / "verilator").symlink_to(verilator_root() / "bin" / "verilator_bin")
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "VERILATOR_ROOT": str(verilator_root())}
    done = subprocess.run(command, cwd=project.folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout + done.stderr


def test_fusesoc_finds_the_core_and_lints_it(project):
    pytest.importorskip("fusesoc")
    fusesoc = str(Path(sys.executable).parent / "fusesoc"), "--cores-root=rtl"
    core = f"emamba:accelerator:{project.graph.name}"
    assert "streams" in tool(project, *fusesoc, "core", "show", core)
    tool(project, *fusesoc, "run", "--target=lint", "--build-root", "build", core)


@pytest.mark.parametrize("project", [ONE], indirect=True, ids=str)
def test_cocotb_runs_the_bench_and_what_a_user_puts_beside_it(project, tmp_path):
    """Tests of the registers around the whole accelerator are in there."""
    pytest.importorskip("cocotb")
    bench = project.folder / "integration" / "cocotb"
    mine = "import bus, cocotb\n\n@cocotb.test()\nasync def mine(dut):\n    await bus.start(dut)\n"
    write(bench / "test_mine.py", mine)
    write(bench / "test_failing.py", mine + "    assert int(dut.s_axis_tready.value) == 0\n")
    command, environment = [sys.executable, str(bench / "run.py")], {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "TESTS=7 PASS=6 FAIL=1 " in done.stdout, done.stdout[-4000:] + done.stderr[-2000:]
    assert re.search(r"test_failing\.mine +FAIL", done.stdout)
    assert done.returncode == 1


LOADING = """
import json
from pathlib import Path

import bus
import cocotb
from test_{top} import FRAMES, OUTPUTS, VECTORS, through

OTHER = json.loads((Path(__file__).parent / "other.json").read_text())


async def is_now(dut, wanted):
    for pause in (0.0, 0.5):
        outputs, marks = await through(dut, FRAMES, pause)
        assert outputs == wanted
        assert not any(marks)


@cocotb.test()
async def others_some_and_a_reset(dut):
    await bus.start(dut)
    await bus.load(dut, OTHER["elements"])
    await is_now(dut, OTHER["outputs"])
    dut.aresetn.value = 0
    await bus.cycles(dut, 9)
    dut.aresetn.value = 1
    await bus.cycles(dut, 2)
    await is_now(dut, OTHER["outputs"])
    await bus.load(dut, VECTORS["weights"])
    await is_now(dut, OUTPUTS)
    await bus.load(dut, OTHER["part"])
    await is_now(dut, OTHER["mixed"])


@cocotb.test()
async def while_frames_are_inside(dut):
    await bus.start(dut)
    await bus.load(dut, VECTORS["weights"])
    running = cocotb.start_soon(through(dut, FRAMES, 0.2))
    await bus.load(dut, OTHER["elements"])
    outputs, marks = await running
    assert len(outputs) == len(FRAMES)
    assert outputs != OUTPUTS
    assert not any(marks)
    await is_now(dut, OTHER["outputs"])
"""


def test_cocotb_loads_other_weights_some_of_them_and_the_first_again(loadable):
    """Golden integers of each, with pauses too; a reset keeps them, and frames inside meanwhile come out."""
    pytest.importorskip("cocotb")
    bench = loadable.folder / "integration" / "cocotb"
    write(bench / "test_loading.py", LOADING.format(top=loadable.design.top))
    flat = {
        name: predict(graph, loadable.frames).reshape(len(loadable.frames), -1).tolist()
        for name, graph in (("outputs", loadable.other), ("mixed", loadable.mixed))
    }
    assert flat["outputs"] != flat["mixed"]
    write(bench / "other.json", json.dumps({**flat, "elements": loadable.file["elements"], "part": loadable.part}))
    done = subprocess.run([sys.executable, str(bench / "run.py")], capture_output=True, text=True)
    assert "TESTS=8 PASS=8 FAIL=0 " in done.stdout, done.stdout[-4000:] + done.stderr[-2000:]
