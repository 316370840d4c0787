"""What a snapshot holds, and what the check finds before anything runs."""

import os

import pytest

from evonic_lsp.bridge import snapshot as snapshots
from evonic_lsp.bridge.report import Reporter


@pytest.fixture
def plugin(tmp_path):
    folder = tmp_path / "plugins" / "probe"
    folder.mkdir(parents=True)
    (folder / "plugin.json").write_text('{"id": "probe"}')
    return folder


def check(plugin, *known):
    taken = snapshots.read("probe", str(plugin))
    reporter = Reporter("probe", str(plugin.parent), str(plugin.parent.parent), taken.text)
    return taken, snapshots.check(taken, reporter, known)


def span(problem):
    place = problem.place
    return (place.file, place.start_line, place.start_column, place.end_line, place.end_column)


def test_what_counts(plugin):
    for name in ("a.py", "sub/b.py", "c.yaml", "d.yml", "e.md", "templates/x.css", "templates/deep/y.html"):
        (plugin / name).parent.mkdir(parents=True, exist_ok=True)
        (plugin / name).write_text("")
    for name in ("__pycache__/a.pyc", ".git/c.py", ".hidden.py", "data.db", "img.png"):
        (plugin / name).parent.mkdir(parents=True, exist_ok=True)
        (plugin / name).write_text("")
    taken = snapshots.read("probe", str(plugin))
    assert sorted(taken.digests) == [
        *("a.py", "c.yaml", "d.yml", "e.md", "plugin.json", "sub/b.py", "templates/deep/y.html", "templates/x.css"),
    ]
    assert taken.templates == ["deep/y.html", "x.css"]


def test_a_circle_of_links_ends(plugin):
    (plugin / "a.py").write_text("")
    os.symlink(plugin, plugin / "again")
    assert "a.py" in snapshots.read("probe", str(plugin)).digests


def test_same_bytes_are_the_same(plugin):
    (plugin / "a.py").write_text("x = 1")
    one = snapshots.read("probe", str(plugin))
    os.utime(plugin / "a.py", (1, 1))
    assert snapshots.read("probe", str(plugin)).same_as(one)
    (plugin / "a.py").write_text("x = 2")
    assert not snapshots.read("probe", str(plugin)).same_as(one)


def test_every_syntax_error_of_every_file_at_once(plugin):
    (plugin / "a.py").write_text("x = = 1\n")
    (plugin / "b.py").write_text("def f(:\n")
    (plugin / "good.py").write_text("x = 1\n")
    (plugin / "plugin.json").write_text('{"id": "probe",}')
    _, checked = check(plugin)
    assert checked.failed
    assert sorted(problem.place.file for problem in checked.problems) == ["a.py", "b.py", "plugin.json"]
    assert list(checked.codes) == ["good.py"]


def test_unchanged_files_are_not_compiled_again(plugin):
    (plugin / "a.py").write_text("x = 1\n")
    (plugin / "b.py").write_text("x = 1\n")
    before, checked = check(plugin)
    (plugin / "b.py").write_text("x = 2\n")
    _, again = check(plugin, (before, checked.codes))
    assert again.codes["a.py"] is checked.codes["a.py"]
    assert again.codes["b.py"] is not checked.codes["b.py"]


def test_our_own_future_imports_do_not_leak(plugin):
    (plugin / "a.py").write_text("def f(x: 1 + 1): pass\n")
    _, checked = check(plugin)
    space = {}
    exec(checked.codes["a.py"], space)
    assert space["f"].__annotations__ == {"x": 2}


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        (b"x = = 1\n", "SyntaxError", ("a.py", 0, 4, 0, 5)),
        ('y = "😋é"; x = = 1\n'.encode(), "SyntaxError", ("a.py", 0, 14, 0, 15)),
        (b"if x:\n\ty\n        z\n", "TabError", ("a.py", 2)),
        (b"if x:\npass\n", "IndentationError", ("a.py", 1)),
        (b"x = 1\ny = '\0'\n", None, ("a.py", 1, 5, 1, 6)),
        ("a = 1\nb = 'é'".encode("latin-1"), "SyntaxError", ("a.py", 1, 5, 1, 6)),
        (b"# coding: klingon\nx = 1\n", "SyntaxError", ("a.py", 0, 0, 0, 17)),
        (b"x = '''\n", "SyntaxError", ("a.py",)),
        (b"return 1\n", "SyntaxError", ("a.py", 0, 0, 0)),
    ],
)
def test_where_a_syntax_error_is(plugin, text, code, where):
    (plugin / "a.py").write_bytes(text)
    _, checked = check(plugin)
    (problem,) = checked.problems
    assert problem.code == code or code is None
    assert span(problem)[: len(where)] == where


@pytest.mark.parametrize(
    ("text", "said", "where"),
    [
        ('{"id": "probe",\n "events": [}', "not valid JSON", ("plugin.json", 1, 12, 1, 13)),
        ("", "not valid JSON", ("plugin.json", 0, 0, 0, 0)),
        ("[1]", "must be a JSON object", ("plugin.json", 0, 0, 0, 3)),
        ("{}", '"id" is missing', ("plugin.json", 0)),
        ('{"id": "other"}', "the name of the folder", ("plugin.json", 0, 7, 0, 14)),
        ('{"id": "probe",\n "events": "x"}', '"events" must be a list', ("plugin.json", 1, 11, 1, 14)),
        ('{"id": "probe", "events": [1]}', "strings only", ("plugin.json", 0, 27, 0, 28)),
        ('{"id": "probe", "slash_commands": ["x"]}', "objects only", ("plugin.json", 0)),
        ('{"id": "probe", "variables": [{}]}', 'needs "name"', ("plugin.json", 0)),
        ("[" * 100_000, "", ("plugin.json", 0)),
    ],
)
def test_where_a_manifest_is_wrong(plugin, text, said, where):
    (plugin / "plugin.json").write_text(text)
    _, checked = check(plugin)
    (problem,) = checked.problems
    assert problem.code == "manifest"
    assert said in problem.message
    assert span(problem)[: len(where)] == where


def test_a_manifest_that_is_not_utf8_or_not_there(plugin):
    (plugin / "plugin.json").write_bytes(b'{"id": "\xff"}')
    assert "not UTF-8" in check(plugin)[1].problems[0].message
    (plugin / "plugin.json").unlink()
    assert "is missing" in check(plugin)[1].problems[0].message


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() == 0, reason="root can read every file")
def test_a_file_without_rights_is_told(plugin):
    (plugin / "a.py").write_text("")
    (plugin / "a.py").chmod(0)
    (problem,) = check(plugin)[1].problems
    assert problem.code == "PermissionError"


def test_a_dangling_link_is_told_or_absent(plugin):
    os.symlink(plugin / "nowhere.py", plugin / "a.py")
    taken, _ = check(plugin)
    assert "a.py" not in taken.files


def test_bytecode_is_forgotten(plugin):
    import py_compile

    (plugin / "a.py").write_text("x = 1")
    cached = py_compile.compile(str(plugin / "a.py"))
    snapshots.forget_bytecode(snapshots.read("probe", str(plugin)))
    assert not os.path.exists(cached)


def test_a_file_that_is_being_written_is_waited_for(plugin, monkeypatch):
    """Emptied, and not yet written again: an empty module would serve nothing."""
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 2:
            (plugin / "handler.py").write_text("x = 1\n")

    monkeypatch.setattr(snapshots.time, "sleep", pause)
    (plugin / "handler.py").write_text("")
    assert snapshots.read("probe", str(plugin)).files["handler.py"] == b"x = 1\n"
    assert len(pauses) == 2
    # One that stays empty is empty; and one that has long been so is not waited for.
    (plugin / "handler.py").write_text("")
    assert snapshots.read("probe", str(plugin)).files["handler.py"] == b""
    pauses.clear()
    os.utime(plugin / "handler.py", (1, 1))
    assert snapshots.read("probe", str(plugin)).files["handler.py"] == b""
    assert pauses == []


def test_what_is_no_plugin_is_told_and_not_read_to_its_end(plugin, monkeypatch):
    monkeypatch.setattr(snapshots, "_MOST_ENTRIES", 20)
    (plugin / "big").mkdir()
    for number in range(30):
        (plugin / "big" / f"{number}.py").write_text("x = 1\n")
    taken, checked = check(plugin)
    assert not taken.same_as(taken)
    (problem,) = checked.problems
    assert "more than 20 files" in problem.message
    assert "hidden folder" in problem.message
    (plugin / "big").rename(plugin / ".big")
    assert check(plugin)[1].problems == []


def test_big_files(plugin, monkeypatch):
    """Data is watched by its digest, in bounded memory; code is kept, within bounds."""
    monkeypatch.setattr(snapshots, "_BIG", 100)
    monkeypatch.setattr(snapshots, "_MOST_BYTES", 1000)
    (plugin / "data.json").write_text("[" + "1," * 5000 + "1]")
    before = snapshots.read("probe", str(plugin))
    assert "data.json" not in before.files
    (plugin / "data.json").write_text("[" + "1," * 5000 + "2]")
    assert snapshots.changed(before, snapshots.read("probe", str(plugin))) == ["data.json"]
    (plugin / "code.py").write_text("x = 1\n" * 100)
    assert len(snapshots.read("probe", str(plugin)).files["code.py"]) == 600
    for size in (200, 150):  # one alone, and two together
        (plugin / "code.py").write_text("x = 1\n" * size)
        (plugin / "more.py").write_text("x = 1\n" * 150)
        (problem,) = check(plugin)[1].problems
        assert problem.code == "excess"


def test_a_link_into_itself_and_one_beside_it(plugin):
    (plugin / "loop").symlink_to(plugin)
    (plugin / "self.py").symlink_to("self.py")
    (plugin / "sub").mkdir()
    (plugin / "sub" / "a.py").write_text("")
    (plugin / "other").symlink_to("sub")
    taken = snapshots.read("probe", str(plugin))
    assert [file for file in taken.files if file.endswith("a.py")] == ["other/a.py"]  # once, by its first name
    assert list(taken.unreadable) == ["self.py"]
