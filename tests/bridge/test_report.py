"""Exceptions as problems: the exact range, from the text that ran."""

import sys

import pytest

from evonic_lsp.bridge import snapshot as snapshots
from evonic_lsp.bridge.generation import StagedGeneration
from evonic_lsp.bridge.report import Reporter, characters, describe

EXACT = sys.version_info >= (3, 11)  # PEP 657; before that a traceback has lines only


@pytest.fixture
def fail(tmp_path):
    """fail(handler.py's text, …) -> the problem that importing the plugin is."""
    folder = tmp_path / "plugins" / "probe"
    folder.mkdir(parents=True)

    def run(text, **others):
        (folder / "plugin.json").write_text('{"id": "probe"}')
        for name, content in {"handler": text, **others}.items():
            (folder / f"{name}.py").write_text(content)
        taken = snapshots.read("probe", str(folder))
        generation = StagedGeneration(taken, {}, 1)
        reporter = Reporter("probe", str(folder.parent), str(tmp_path), taken.text)
        try:
            generation.load("handler")
        except BaseException as error:
            return reporter.problem(error.with_traceback(error.__traceback__.tb_next))  # without this frame
        finally:
            generation.close()
        raise AssertionError("it was to fail")

    return run


def span(problem):
    place = problem.place
    return (place.file, place.start_line, place.start_column, place.end_line, place.end_column)


@pytest.mark.parametrize(
    ("text", "code", "exact", "line"),
    [
        ("boom\n", "NameError", (0, 0, 0, 4), (0, 0, 0, 4)),
        ('x = 1; y = "😋é" + boom\n', "NameError", (0, 18, 0, 22), (0, 0, 0, 22)),
        ("def f():\n    return 1 / 0\n\nf()\n", "ZeroDivisionError", (1, 11, 1, 16), (1, 4, 1, 16)),
        ("import nowhere_to_be_found\n", "ModuleNotFoundError", (0, 0, 0, 26), (0, 0, 0, 26)),
        ("from json import nothing\n", "ImportError", (0, 0, 0, 24), (0, 0, 0, 24)),
        ("from . import nothing\n", "ImportError", (0, 0, 0, 21), (0, 0, 0, 21)),
        ("import sys\nsys.exit(3)\n", "SystemExit", (1, 0, 1, 11), (1, 0, 1, 11)),
        ("raise ValueError(\n    'a'\n)\n", "ValueError", (0, 0, 2, 1), (0, 0, 0, 17)),
        ("import json\njson.loads('{')\n", "JSONDecodeError", (1, 0, 1, 15), (1, 0, 1, 15)),
        ("def f(): return f()\nf()\n", "RecursionError", (0, 16, 0, 19), (0, 0, 0, 19)),
        ("class E(BaseException): pass\nraise E\n", "E", (1, 0, 1, 7), (1, 0, 1, 7)),
        ("exec('x = = 1')\n", "SyntaxError", None, None),
    ],
)
def test_the_range_of_what_raised(fail, text, code, exact, line):
    problem = fail(text)
    assert problem.code == code
    if exact:
        assert span(problem) == ("handler.py", *(exact if EXACT else line))


def test_the_error_is_in_the_other_file(fail):
    problem = fail("from . import db\n", db="x = 1\nboom()\n")
    assert span(problem)[:2] == ("db.py", 1)
    assert [(related.place.file, related.place.start_line) for related in problem.related] == [("handler.py", 0)]
    assert "boom()" in problem.traceback
    assert "evonic_lsp" not in problem.traceback.split("\n")[1]


def test_a_cause_is_related(fail):
    problem = fail("try:\n    boom\nexcept NameError as error:\n    raise RuntimeError('so') from error\n")
    assert (problem.code, problem.place.start_line) == ("RuntimeError", 3)
    (cause,) = problem.related
    assert cause.message == "caused by NameError: name 'boom' is not defined"
    assert cause.place.start_line == 1


def test_a_context_is_related_unless_suppressed(fail):
    problem = fail("try:\n    boom\nexcept NameError:\n    raise RuntimeError('so')\n")
    assert problem.related[0].message.startswith("while handling NameError")
    assert not fail("try:\n    boom\nexcept NameError:\n    raise RuntimeError('so') from None\n").related


@pytest.mark.skipif(sys.version_info < (3, 11), reason="notes are new in Python 3.11")
def test_notes_are_in_the_message(fail):
    assert fail("e = ValueError('a')\ne.add_note('look here')\nraise e\n").message == "ValueError: a\nlook here"


def test_an_exception_that_cannot_be_shown(fail):
    problem = fail("class E(Exception):\n    def __str__(self): raise TypeError\nraise E\n")
    assert problem.message == "E: <its __str__ raised TypeError>"


def test_lines_come_from_what_ran_not_from_the_disk(fail, tmp_path):
    text = "import pathlib\npathlib.Path(__file__).write_text('# moved on')\nboom\n"
    assert fail(text).place.first == "boom"


def test_a_circular_import(fail):
    problem = fail("from . import a\n", a="from .b import x\n", b="from .a import y\n")
    assert problem.code == "ImportError"
    assert problem.place.file == "b.py"


def test_columns_in_bytes_become_characters():
    assert characters('"😋é" x', 9) == 5


def test_a_message_is_bounded():
    assert len(describe(ValueError("x" * 10**6))) <= 4000
