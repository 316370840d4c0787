"""Problems, tables and foreign texts on a terminal."""

from __future__ import annotations

import pytest

from evonic_lsp.bridge import text
from evonic_lsp.bridge.wire import Outcome, Place, Problem, Related


def place(line: str, start: int, end: int, end_line: int = 0) -> Place:
    return Place("handler.py", 0, start, end_line, end, "x", line, line)


@pytest.mark.parametrize(
    ("line", "start", "end", "shown"),
    [
        ("x = y", 4, 5, ["x = y", "    ^"]),
        ("\tboom()", 1, 5, ["    boom()", "    ^^^^"]),
        ("a = '日本' + y", 4, 8, ["a = '日本' + y", "    ^^^^^^"]),
        ("e\u0301 = y", 5, 6, ["e\u0301 = y", "    ^"]),
        ("x = (", 5, 5, ["x = (", "     ^"]),
        ("x", 99, 99, ["x", " ^"]),
        ("x", -3, -1, ["x", "^"]),
        ("a\x1bb", 2, 3, ["a\\x1bb", "     ^"]),
        ("   ", 0, 3, []),
    ],
)
def test_the_range_is_underlined(line, start, end, shown):
    assert [each[4:] for each in text.underlined(place(line, start, end))] == shown


def test_a_range_of_several_lines_is_underlined_to_the_end_of_the_first():
    assert text.underlined(place("f(a,  ", 2, 1, end_line=3)) == ["    f(a,", "      ^^"]


def test_a_very_long_line_is_cut_around_the_range():
    source, carets = text.underlined(place("x" * 5000 + "boom" + "y" * 5000, 5000, 5004))
    assert len(source) < 200
    assert source[carets.index("^") : carets.rindex("^") + 1] == "boom"


def test_a_range_of_a_whole_long_line_stays_short():
    source, carets = text.underlined(place("x" * 5000, 0, 5000))
    assert len(carets) == len(source) == 164


def test_notes_and_frames():
    related = [Related(f"in f{number}") for number in range(40)]
    shown = text.problem(Problem("E", "E: first\na note", place=None, related=related)).splitlines()
    assert shown[:3] == ["error: E: first", "    a note", "  note: in f0"]
    assert shown[-1] == "  … and 28 more"


def test_the_code_is_named_once():
    assert text.problem(Problem("manifest", "no id")) == "error: manifest: no id"
    assert text.problem(Problem("KeyError", "KeyError")) == "error: KeyError"


def test_a_file_outside_of_the_plugins():
    outside = Place("backend/db.py", 4, 0, 4, 1)
    assert text.problem(Problem("E", "E", place=outside)) == "backend/db.py:5:1: error: E"


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[31m", "\\x1b[31m"),
        ("\x9b31m\x7f\x00\r", "\\x9b31m\\x7f\\x00\\x0d"),
        ("\u202edcba\u2028\ud800", "\\u202edcba\\u2028\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("a\r\nb\tc", "a\nb\tc"),
        ("naïve 日本 🎉", "naïve 日本 🎉"),
    ],
)
def test_nothing_steers_the_terminal(hostile, shown):
    assert text.clean(hostile) == shown


def test_a_plugin_of_a_hostile_name_steers_nothing_either():
    hostile = Outcome("a\x1b[2Jb", "rejected", "no", "manual", generation=1)
    for shown in (text.outcome(hostile), text.still_serving(hostile)):
        assert shown.startswith("a\\x1b[2Jb")


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0 s ago"), (0.4, "0 s ago"), (59, "59 s ago"), (61, "1 min ago"), (7300, "2 h ago"), (200000, "2 d ago")],
)
def test_ages(seconds, shown):
    assert text.age(1000.0, 1000.0 + seconds) == shown


def test_a_table_of_wide_characters():
    assert text.table([("A", "B"), ("日本", "x")]) == ["A     B", "日本  x"]
