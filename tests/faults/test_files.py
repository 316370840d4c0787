"""What can be wrong with the files of a plugin, in a running host."""

from __future__ import annotations

import builtins
import errno
import io
import os
import shutil
from pathlib import Path

import pytest
from faults import faulty
from faults.faulty import heals, value
from hypothesis import given, settings
from hypothesis import strategies as st

from evonic_lsp.bridge import manifest, snapshot, wire
from evonic_lsp.bridge.client import Client, find
from evonic_lsp.bridge.listener import Listener
from evonic_lsp.bridge.report import Reporter

# ── Files that cannot be read, or are no longer there ──


def test_everything_that_is_no_file_of_the_plugin_harms_nothing(probe):
    made = probe("strange")
    folder = made.folder
    os.mkfifo(folder / "pipe.py")
    (folder / "itself.json").symlink_to("itself.json")
    (folder / "nowhere.html").symlink_to("gone.html")
    (folder / "round").mkdir()
    (folder / "round" / "again").symlink_to("..")
    (folder / "round" / "back").symlink_to(folder)
    (folder / "folder.py").mkdir()
    (folder / "device.json").symlink_to("/dev/zero")
    outcome = made.reload()
    assert value(made) == 1
    assert {problem.place.file for problem in outcome.problems if problem.severity == "error"} == {"itself.json"}
    (folder / "itself.json").unlink()
    made.write(db="VALUE = 2\n")
    assert (made.reload().status, value(made)) == (wire.RELOADED, 2)


@pytest.mark.parametrize("victim", ["db.py", "handler.py", "plugin.json", ""])
def test_what_is_deleted_between_save_and_read_leaves_the_old_version_or_takes_the_plugin_out(probe, victim):
    made = probe("deleted")
    if victim:
        (made.folder / victim).unlink()
    else:
        shutil.rmtree(made.folder)
    outcome = made.reload()
    if victim == "":
        assert outcome.status == wire.UNLOADED
        assert made.host.status_of(f"/plugin/{made.id}/value") == 404
    elif victim != "handler.py":  # which a plugin may do without
        assert (outcome.status, value(made)) == (wire.REJECTED, 1)
    heals(made, 2)


def test_a_file_that_goes_away_while_it_is_read(tmp_path, monkeypatch):
    for name in ("a.py", "b.py", "plugin.json"):
        (tmp_path / name).write_text("{}")
    real = open

    def deleting(path, *args, **options):
        if str(path).endswith("b.py"):
            Path(path).unlink(missing_ok=True)
        return real(path, *args, **options)

    monkeypatch.setattr("builtins.open", deleting)
    assert set(snapshot.read("p", str(tmp_path)).files) == {"a.py", "plugin.json"}


@pytest.mark.parametrize(
    "error", [errno.EACCES, errno.EIO, errno.ENAMETOOLONG, errno.EMFILE, errno.ESTALE, errno.ENODEV]
)
def test_a_file_that_cannot_be_read_is_an_error_and_nothing_is_replaced(tmp_path, monkeypatch, error):
    for name in ("a.py", "plugin.json"):
        (tmp_path / name).write_text('{"id": "p"}')
    real = open

    def failing(path, *args, **options):
        if str(path).endswith("a.py"):
            raise OSError(error, os.strerror(error), path)
        return real(path, *args, **options)

    monkeypatch.setattr("builtins.open", failing)
    taken = snapshot.read("p", str(tmp_path))
    assert not taken.same_as(taken)
    checked = snapshot.check(taken, Reporter("p", str(tmp_path.parent), "/", taken.text))
    assert checked.failed
    assert [each.place.file for each in checked.problems] == ["a.py"]


def test_folders_without_rights_are_errors_and_not_missing_files(nobody, commons):
    """As root one may read everything: somebody else looks."""
    folder = commons / "p"
    for each in (folder, folder / "templates", folder / "data"):
        each.mkdir()
    (folder / "plugin.json").write_text('{"id": "p"}')
    (folder / "templates" / "a.html").write_text("")
    (folder / "secret.py").write_text("")
    (folder / "secret.py").chmod(0)
    for each in (folder / "templates", folder / "data"):  # the latter is the plugin's own business
        each.chmod(0)
    code = (
        "from evonic_lsp.bridge import snapshot\nfrom evonic_lsp.bridge.report import Reporter\n"
        "taken = snapshot.read('p', sys.argv[1])\n"
        "checked = snapshot.check(taken, Reporter('p', '/', '/', taken.text))\n"
        "print(checked.failed, sorted(taken.unreadable))\n"
    )
    start = "from evonic_lsp.bridge import snapshot, report\n"
    assert nobody(code, folder, imports=start) == (0, "True ['secret.py', 'templates']\n")


# ── Bytes that are no text ──


HEADS = [
    *(b"", b"\xef\xbb\xbf", "\ufeff".encode("utf-16"), b"# coding: utf-8\r", b"# coding: latin-1\n"),
    *(b"# coding: nonsense\n", b"# coding: utf-16\n", b"# -*- coding: rot13 -*-\n"),
]


@settings(max_examples=150)
@given(st.binary(max_size=60), st.sampled_from(HEADS))
def test_any_bytes_as_a_module_compile_or_are_a_problem_with_a_place(data, head):
    taken = snapshot.Snapshot("p", "/p", {"a.py": head + data, "plugin.json": b'{"id": "p"}'}, {"a.py": b"1"})
    checked = snapshot.check(taken, Reporter("p", "/", "/", taken.text))
    assert ("a.py" in checked.codes) != checked.failed
    for problem in checked.problems:
        place = problem.place
        assert place.start_line >= 0
        assert place.start_column >= 0
        assert (place.start_line, place.start_column) <= (place.end_line, place.end_column)
        wire.decode(wire.notification("x", problem))


@pytest.mark.parametrize("text", [b"\xff\xfe\x00", b"x = '\xe4'\n", b"# coding: nonsense\n", b"\0", b"x = 1\0\n",
                                  b"# coding: utf-16\nx = 1\n", b"(" * 5000, b"-" * 100_000 + b"1"])  # fmt: skip
def test_what_cannot_be_decoded_or_compiled_leaves_the_old_version(probe, text):
    made = probe("bytes")
    (made.folder / "db.py").write_bytes(text)
    outcome = made.reload()
    assert (outcome.status, value(made)) == (wire.REJECTED, 1)
    assert outcome.problems[0].place.file == "db.py"
    heals(made, 2)


@pytest.mark.parametrize("head", [b"\xef\xbb\xbf", b"# coding: latin-1\n", b"# vim: set fileencoding=cp1252 :\n"])
def test_encodings_that_python_knows_are_read_as_python_does(probe, head):
    made = probe("encoded")
    text = "VALUE = 'ä'\n"
    (made.folder / "db.py").write_bytes(head + text.encode("utf-8" if head[:1] == b"\xef" else "latin-1"))
    assert (made.reload().status, value(made)) == (wire.RELOADED, "ä")


# ── The manifest ──

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["id", "name", "events", "variables", "slash_commands", "handler", "dashboard_cards",
                         "cli_commands", "nav_items"]) | st.text(max_size=5), inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=200)
@given(st.one_of(st.none(), st.binary(max_size=200), st.text('{}[],:"id\\ue4\n\t -1.e/#*', max_size=80).map(str.encode),
       VALUES.map(lambda value: __import__("json").dumps(value).encode())))  # fmt: skip
def test_any_bytes_as_a_manifest(data):
    for problem in manifest.check("p", data):
        place = problem.place
        assert (place.start_line, place.start_column) <= (place.end_line, place.end_column)
        assert 0 <= place.start_line <= place.end_line
        wire.notification("x", problem)
    assert isinstance(manifest.parse(data or b""), dict)


MANIFESTS = [
    *(b"", b"[]", b"3", b"null", b'"x"', b"{", b"\xff", b"[" * 100_000, b'{"a":' * 50_000, b"1" * 5000),
    *(b'{"id": []}', b'{"id": "manifested", "events": 3}', b'{"id": "manifested", "events": [[]]}'),
    *(b'{"id": 1e999}', b'{"id": "manifested", "slash_commands": [null]}', b'{"id": "../../x"}'),
]


@pytest.mark.parametrize("data", MANIFESTS, ids=lambda data: repr(data[:30]))
def test_a_broken_manifest_leaves_the_old_version_and_the_host_at_work(probe, client, data):
    made = probe("manifested")
    (made.folder / "plugin.json").write_bytes(data)
    assert (made.reload().status, value(made)) == (wire.REJECTED, 1)
    assert next(each for each in client.status().plugins if each.id == "manifested").outcome.failed
    with Client(find(made.host.root), "newcomer"):
        pass
    heals(made, 2)


# ── Names ──


NAMES = [
    "with space",
    "日本語",
    "e\u0301",
    "quo'te\"",
    "%41",
    "semi;colon",
    "😋",
    "new\nline",
    "tab\t",
    os.fsdecode(b"\xff\xfe"),
]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
async def test_any_name_of_a_folder_and_of_a_file(window, tmp_path, name):
    """The root of the host, a folder outside that is linked into it, and a file in that, all called so."""
    evonic = faulty.FakeHost(tmp_path / name / "evonic")
    folder = evonic.plugin("p", tmp_path / f"source {name}" / name)
    place = wire.Place(f"{name}.py", 0, 0, 0, 1, "p", "x", "x")
    problems = [wire.Problem("NameError", "m", place=place)]
    evonic.outcome = lambda plugin, asked_by: faulty.outcome(plugin, wire.REJECTED, "m", problems=problems)
    evonic.start()
    try:
        editor = await window(evonic.root, options={"debounce": 0})
        await editor.state("idle")
        file = folder.resolve() / f"{name}.py"
        file.write_text("x")
        uri = editor.save(file)
        await editor.state("failed", "p")
        assert [each.code for each in editor.shown[uri]] == ["NameError"]
        evonic.outcome = lambda plugin, asked_by: faulty.outcome(plugin)
        editor.save(folder / f"{name}.py")
        await editor.state("ok", "p")
        await editor.until(lambda: not any(editor.shown.values()))
    finally:
        evonic.stop()


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_any_name_in_a_real_reload(probe, name):
    made = probe("named")
    (made.folder / f"{name}.py").write_text("x = )\n")
    outcome = made.reload()
    assert (outcome.status, value(made)) == (wire.REJECTED, 1)
    assert [each.place.file for each in outcome.problems] == [f"{name}.py"]
    (made.folder / f"{name}.py").write_text("x = 1\n")
    (made.folder / name).mkdir()
    (made.folder / name / "data.json").write_text("{}")
    assert made.reload().status == wire.RELOADED


def test_a_host_whose_root_has_a_name_that_is_no_text(tmp_path):
    root = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff evonic"))
    root.mkdir()
    made = Listener(str(root), str(root / "plugins"), lambda method, params: wire.HostStatus(
        str(root), str(root / "plugins"), "1", wire.VERSION, 1, True))  # fmt: skip
    made.start()
    try:
        with Client(find(root), "test") as client:
            assert client.host.root == str(root)
    finally:
        made.stop()


def test_names_that_differ_only_in_case_are_two(tmp_path, probe):
    (tmp_path / "a").touch()
    if (tmp_path / "A").exists():
        pytest.skip("this file system does not tell them apart")
    lower, upper = probe("cased"), probe("CASED")
    lower.write(db="VALUE = 2\n")
    upper.write(db="VALUE = 3\n")
    assert lower.reload().plugin == "cased"
    assert (value(lower), value(upper)) == (2, 1)
    assert upper.reload().plugin == "CASED"
    assert (value(lower), value(upper)) == (2, 3)


@pytest.fixture(params=["names as they are asked for", "names as they are"])
def no_case(request, monkeypatch):
    """no_case(folder): below it, the file system does not tell upper and lower case apart.

    What ``os.path.realpath`` calls a file is what was asked for on macOS, and what is on the disk on Windows.
    """
    listdir, realpath = os.listdir, os.path.realpath
    patched = [(os, name) for name in ("stat", "lstat", "scandir", "listdir", "readlink")]
    patched += [(io, "open"), (builtins, "open")]

    def pretend(folder: Path) -> None:
        top = str(folder)

        def true(path):
            """The path as it is on the disk."""
            text = "" if isinstance(path, int) else os.path.abspath(os.fspath(path))
            if not text.startswith(top + "/"):
                return path
            here = top
            for part in text[len(top) + 1 :].split("/"):
                try:
                    names = listdir(here)
                except OSError:
                    names = []
                here += "/" + next((name for name in names if name.casefold() == part.casefold()), part)
            return here

        def folded(function):
            return lambda path=".", *args, **options: function(true(path), *args, **options)

        for module, name in patched:
            monkeypatch.setattr(module, name, folded(getattr(module, name)))
        if request.param == "names as they are":
            monkeypatch.setattr(os.path, "realpath", folded(realpath))

    return pretend


async def test_an_editor_may_name_a_file_in_another_case(window, host, no_case):
    evonic = host()
    folder = evonic.plugin("p")
    evonic.start()
    no_case(evonic.root.parent)
    assert Path(str(folder / "handler.py").replace("plugins", "PLUGINS")).exists()
    editor = await window(evonic.root, options={"debounce": 0})
    await editor.state("idle")
    editor.save(Path(str(folder / "handler.py").replace("/plugins/p/", "/PLUGINS/P/")))
    ends = ("ok", "disconnected")
    state = await editor.until(lambda: [each["state"] for each in editor.statuses if each["state"] in ends])
    assert state == ["ok"]
    assert evonic.reloads() == [("p", wire.SAVE)]
