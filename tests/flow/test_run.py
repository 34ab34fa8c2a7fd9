"""The run folder: a stage runs when it has to, and only then."""

import json

import pytest

from emamba.config import Config, HardwareConfig, parse_config
from emamba.errors import ArtifactError, ConfigError, StorageError
from emamba.files import write
from emamba.flow.run import (
    Listener,
    Stage,
    forget,
    outdated,
    perform,
    read_json,
    recipe,
    records,
    start,
    write_json,
)

FIRST = Stage("first", ("hardware",))
SECOND = Stage("second", ("verify",), ("one.txt",), ("more/*.txt",))


class Bench:
    """A run folder with two stages, and what they did."""

    def __init__(self, run):
        self.run, self.done, self.said = start(run, Config(name="toy")), [], []
        self.listener = Listener(say=self.said.append)

    def first(self, content="1", force=False, **options):
        def work(run, config, progress):
            self.done.append("first")
            return [write(self.run / "one.txt", content)]

        perform(FIRST, self.run, work, options, force, self.listener)

    def second(self, names=("a.txt", "b.txt")):
        def work(run, config, progress):
            self.done.append("second")
            return [write(self.run / "out" / name, name) for name in names]

        perform(SECOND, self.run, work, listener=self.listener)


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path / "run")


def test_a_run_keeps_its_recipe(bench):
    assert recipe(bench.run) == Config(name="toy")
    assert parse_config((bench.run / "config.toml").read_text()) == Config(name="toy")


def test_the_same_recipe_does_not_touch_the_file(bench):
    path = bench.run / "config.toml"
    before = path.stat().st_mtime_ns
    start(bench.run, Config(name="toy"))
    assert path.stat().st_mtime_ns == before
    start(bench.run, Config(name="other"))
    assert recipe(bench.run).name == "other"


def test_a_folder_without_recipe_is_no_run(tmp_path):
    with pytest.raises(ArtifactError, match=r"is not a run folder: it has no config\.toml") as caught:
        recipe(tmp_path)
    assert "emamba train" in caught.value.hint


def test_a_recipe_that_was_broken_later_is_a_config_error(bench):
    write(bench.run / "config.toml", 'name = "toy"\nnonsense = 1\n')
    with pytest.raises(ConfigError, match="nonsense"):
        bench.first()


def test_a_finished_stage_is_skipped(bench):
    bench.first()
    bench.first()
    assert bench.done == ["first"]
    assert bench.said[0].startswith("first: new, done in ")
    assert bench.said[1] == "first: unchanged, skipped"


def test_force_runs_again(bench):
    bench.first()
    bench.first(force=True)
    assert bench.done == ["first"] * 2


def test_a_section_that_the_stage_reads_runs_it_again_and_another_does_not(bench):
    bench.first()
    start(bench.run, parse_config('name = "toy"\n[training]\nepochs = 3'))
    bench.first()
    assert bench.done == ["first"]
    start(bench.run, Config(name="toy", hardware=HardwareConfig(interval_cycles=7)))
    bench.first()
    assert bench.done == ["first"] * 2
    assert bench.said[-1].startswith("first: inputs changed, done")


def test_an_option_runs_it_again(bench):
    bench.first(seed=1)
    bench.first(seed=1)
    bench.first(seed=2)
    assert bench.done == ["first"] * 2


def test_another_version_runs_it_again(bench, monkeypatch):
    bench.first()
    monkeypatch.setattr("emamba.flow.run.__version__", "99")
    bench.first()
    assert bench.done == ["first"] * 2


def test_what_an_earlier_stage_wrote_runs_the_later_one_again(bench):
    bench.first()
    bench.second()
    bench.first(force=True)
    bench.second()
    assert bench.done == ["first", "second", "first"], "the same bytes change nothing"
    bench.first("2", force=True)
    bench.second()
    assert bench.done[-1] == "second"


def test_files_of_a_pattern_count_with_their_names(bench):
    bench.first()
    bench.second()
    path = write(bench.run / "more" / "x.txt", "x")
    bench.second()
    path.rename(path.with_name("y.txt"))
    bench.second()
    assert bench.done == ["first", "second", "second", "second"]


def test_a_missing_input_names_the_way_to_make_it(bench):
    with pytest.raises(ArtifactError, match=r"one\.txt does not exist"):
        bench.second()


@pytest.mark.parametrize(("harm", "why"), [("altered", "out/a.txt was altered"), ("missing", "out/a.txt was missing")])
def test_harmed_outputs_are_made_again_with_a_note(bench, harm, why):
    bench.first()
    bench.second()
    path = bench.run / "out" / "a.txt"
    path.unlink() if harm == "missing" else path.write_text("A")
    bench.second()
    assert path.read_text() == "a.txt"
    assert bench.said[-1].startswith(f"second: {why}, done in ")


def test_a_stage_is_outdated_when_what_it_depends_on_has_changed(bench):
    assert not outdated(SECOND, bench.run), "it has not run"
    bench.first(seed=3)
    bench.second()
    assert not outdated(FIRST, bench.run)
    assert not outdated(SECOND, bench.run)
    bench.first("2", force=True)
    assert outdated(SECOND, bench.run)
    bench.second()
    (bench.run / "one.txt").unlink()
    assert outdated(SECOND, bench.run)


def test_files_no_longer_written_are_removed(bench):
    bench.first()
    bench.second()
    bench.first("2", force=True)
    bench.second(names=("b.txt", "c.txt"))
    assert sorted(path.name for path in (bench.run / "out").iterdir()) == ["b.txt", "c.txt"]


def test_a_stage_that_fails_keeps_what_there_was_and_runs_again(bench):
    bench.first()

    def fails(run, config, progress):
        raise StorageError("disk full", "free space")

    with pytest.raises(StorageError):
        perform(FIRST, bench.run, fails, force=True)
    assert (bench.run / "one.txt").read_text() == "1"
    bench.first()
    assert bench.done == ["first"]


def test_an_interrupted_stage_runs_again(bench):
    def interrupted(run, config, progress):
        write(bench.run / "one.txt", "half of the work")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        perform(FIRST, bench.run, interrupted)
    assert records(bench.run) == {}
    bench.first()
    assert (bench.run / "one.txt").read_text() == "1"


def test_forgetting_removes_record_and_files(bench):
    bench.first()
    bench.second()
    forget(SECOND, bench.run)
    assert set(records(bench.run)) == {"first"}
    assert not list((bench.run / "out").iterdir())


@pytest.mark.parametrize("content", ["", "[]", '{"first": 3}', '{"first": {"key": "x"}}', "\xff"])
def test_a_damaged_record_counts_as_none(bench, content):
    bench.first()
    (bench.run / "stages.json").write_text(content, encoding="latin1")
    bench.first()
    assert bench.done == ["first"] * 2


def test_a_record_cannot_reach_out_of_the_folder(bench):
    outside = write(bench.run.parent / "precious.txt", "x")
    write_json(bench.run / "stages.json", {"first": {"key": "", "options": {}, "outputs": {"../precious.txt": ""}}})
    bench.first()
    assert outside.exists()


def test_records_have_no_times_and_no_places(bench, tmp_path):
    bench.first()
    again = Bench(tmp_path / "elsewhere")
    again.first()
    assert (bench.run / "stages.json").read_bytes() == (again.run / "stages.json").read_bytes()


def test_progress_begins_with_the_name_of_the_stage(bench):
    seen = []
    perform(FIRST, bench.run, lambda *given: [], listener=Listener(lambda *step: seen.append(step)))
    assert seen == [(0, 0, "first")]


@pytest.mark.parametrize("content", ["{", "[1]", "\xff"])
def test_json_that_is_damaged_is_an_artifact_error(tmp_path, content):
    path = tmp_path / "x.json"
    path.write_text(content, encoding="latin1")
    with pytest.raises(ArtifactError, match=r"x\.json is damaged"):
        read_json(path)


def test_json_comes_back(tmp_path):
    value = {"b": [1, 2.5], "a": "ü"}
    assert read_json(write_json(tmp_path / "x.json", value)) == value
    assert json.loads((tmp_path / "x.json").read_text()) == value
