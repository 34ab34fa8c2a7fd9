"""Progress: bars on a terminal, lines elsewhere."""

from emamba.cli.output import as_bars, as_lines, print_columns


def test_bars_show_one_thing_at_a_time():
    from rich.progress import Progress

    with Progress(disable=True) as bars:
        progress = as_bars(bars)
        progress(0, 0, "a")
        progress(3, 9, "b")
        first, second = bars.tasks
        assert (first.total, first.visible) == (None, False)
        assert (second.completed, second.total, second.visible) == (3, 9, True)
        progress(4, 9, "b")
        assert len(bars.tasks) == 2


def test_lines_say_each_thing_once():
    said = []
    progress = as_lines(said.append)
    for step in range(3):
        progress(step, 3, "a")
    progress(0, 0, "b")
    assert said == ["a ...", "b ..."]


def test_columns_are_as_wide_as_their_cells(capsys):
    print_columns([("a", "head", ""), ("long cell", "1", "x"), ("", "22", "")])
    assert capsys.readouterr().out == "a          head\nlong cell  1     x\n           22\n"
