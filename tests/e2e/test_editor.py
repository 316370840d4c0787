"""From didSave in an editor to the code that a running host runs, and back to the editor."""

from __future__ import annotations

import signal
import urllib.error

import hosts
import pytest
from lsprotocol.types import DiagnosticSeverity

from evonic_lsp.bridge import wire

ROUTES = """
from flask import Blueprint, jsonify
bp = Blueprint({id!r}, __name__)
@bp.route("/plugin/{id}/value")
def value():
    from plugins.{id}.db import VALUE
    return jsonify(VALUE)
def create_blueprint():
    return bp
"""


@pytest.fixture
async def probe(host, client, plugin, window):
    """A plugin that answers with what its ``db.py`` holds, opted in, and an editor on it."""
    made = plugin(handler="")
    made.write(handler="from . import db\n", db="VALUE = 1\n", routes=ROUTES.format(id=made.id))
    assert made.reload().status == wire.RELOADED
    client.switch(True, made.id)
    made.editor = await window(made.folder, options={"debounce": 0})
    await made.editor.state("idle")
    return made


async def test_a_save_runs_the_new_code_and_a_broken_one_leaves_the_old(host, probe):
    editor, file = probe.editor, probe.folder / "db.py"
    file.write_text("VALUE = 2\n")
    uri = editor.save(file)
    await editor.state("ok", probe.id)
    assert host.get(f"/plugin/{probe.id}/value") == 2
    file.write_text("VALUE = 3\nboom\n")
    editor.save(file)
    await editor.state("failed", probe.id)
    assert host.get(f"/plugin/{probe.id}/value") == 2
    assert [each.code for each in editor.shown[uri]] == ["NameError"]
    file.write_text("VALUE = 4\n")
    editor.save(file)
    await editor.state("ok", probe.id)
    assert (host.get(f"/plugin/{probe.id}/value"), editor.shown[uri]) == (4, [])


async def test_back_to_the_bytes_that_run_clears_what_was_wrong(probe):
    editor, file = probe.editor, probe.folder / "db.py"
    for text, state in (("boom\n", "failed"), ("VALUE = 1\n", "ok")):
        file.write_text(text)
        uri = editor.save(file)
        status = await editor.state(state, probe.id)
    assert status["message"].startswith("unchanged")
    assert editor.shown[uri] == []


# text of handler.py, code, line, (start, end) in code points, UTF-8 and UTF-16 units
ERRORS = {
    "syntax": ("x = '😋é'; y = )\n", "SyntaxError", 0, (14, 15), (18, 19), (15, 16)),
    "import": ("'😋é'; import nowhere\n", "ModuleNotFoundError", 0, (6, 20), (10, 24), (7, 21)),
    "name": ("x = '😋é' + boom\n", "NameError", 0, (11, 15), (15, 19), (12, 16)),
    "exit": ("import sys\n'😋é'; sys.exit(3)\n", "SystemExit", 1, (6, 17), (10, 21), (7, 18)),
    "register": (
        "def create_blueprint():\n    '😋é'; raise OSError('no')\n",
        "OSError",
        1,
        (10, 29),
        (14, 33),
        (11, 30),
    ),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
@pytest.mark.parametrize("kind_of_error", ERRORS)
async def test_errors_are_on_their_exact_range(client, plugin, window, encoding, kind_of_error):
    text, code, line, *ranges = ERRORS[kind_of_error]
    start, end = ranges[{"utf-32": 0, "utf-8": 1, "utf-16": 2}[encoding]]
    made = plugin(handler="")
    client.switch(True, made.id)
    editor = await window(made.folder, options={"debounce": 0}, encoding=encoding)
    made.write(handler=text)
    uri = editor.save(made.folder / "handler.py")
    await editor.state("failed", made.id)
    (shown,) = editor.shown[uri]
    place = shown.range
    assert (shown.code, shown.source, shown.severity) == (code, "evonic", DiagnosticSeverity.Error)
    assert (place.start.line, place.start.character, place.end.line, place.end.character) == (line, start, line, end)


async def test_all_syntax_errors_of_all_files_at_once_and_the_manifest(probe):
    editor = probe.editor
    (probe.folder / "db.py").write_text("def f(:\n")
    (probe.folder / "other.py").write_text("x = = 1\n")
    broken = f'{{"id": "{probe.id}",\n "name" 1}}\n'
    (probe.folder / "plugin.json").write_text(broken)
    editor.save(probe.folder / "plugin.json")
    await editor.state("failed", probe.id)
    found = {uri.rsplit("/", 1)[1]: [each.code for each in all_] for uri, all_ in editor.shown.items() if all_}
    assert found == {"db.py": ["SyntaxError"], "other.py": ["SyntaxError"], "plugin.json": ["manifest"]}
    assert editor.shown[(probe.folder / "plugin.json").as_uri()][0].range.start.line == 1
    (probe.folder / "other.py").unlink()
    hosts.write_plugin(probe.host.root, probe.id, db="VALUE = 5\n")
    editor.save(probe.folder / "db.py")
    await editor.state("ok", probe.id)
    assert not any(editor.shown.values())


async def test_the_traceback_is_related_information(probe):
    editor = probe.editor
    (probe.folder / "db.py").write_text("def f():\n    return 1 / 0\n")
    (probe.folder / "handler.py").write_text("from .db import f\nf()\n")
    editor.save(probe.folder / "handler.py")
    await editor.state("failed", probe.id)
    (shown,) = editor.shown[(probe.folder / "db.py").as_uri()]
    assert shown.code == "ZeroDivisionError"
    assert [(r.location.uri, r.location.range.start.line) for r in shown.related_information] == [
        ((probe.folder / "handler.py").as_uri(), 1)
    ]


async def test_two_editors_hear_of_every_outcome(probe, window):
    other = await window(probe.folder, options={"debounce": 0})
    await other.state("idle")
    (probe.folder / "db.py").write_text("boom\n")
    uri = probe.editor.save(probe.folder / "db.py")
    for editor in (probe.editor, other):
        await editor.state("failed", probe.id)
        assert len(editor.shown[uri]) == 1


async def test_the_first_save_asks_and_the_answer_outlives_the_host(own_host, window):
    host = own_host()
    folder = hosts.write_plugin(host.root, "asked", handler="VALUE = 1\n")
    host.inspect("toggle", plugin="asked", enabled=True)
    editor = await window(folder, options={"debounce": 0})
    editor.answers = ["Enable"]
    (folder / "handler.py").write_text("VALUE = 2\n")
    editor.save(folder / "handler.py")
    await editor.state("ok", "asked")
    assert host.inspect("attribute", module="plugins.asked.handler", name="VALUE") == 2
    host.stop(signal.SIGKILL)
    await editor.state("disconnected")
    (folder / "handler.py").write_text("VALUE = 3\nboom\n")
    uri = editor.save(folder / "handler.py")
    await editor.state("disconnected", "asked")
    host.start()  # it could not load the plugin, and says so to whoever connects
    await editor.state("failed", "asked")
    assert [each.code for each in editor.shown[uri]] == ["NameError"]
    # The replayed save may still be on its way to the host: it must find one version or the other.
    (folder / "handler.new").write_text("VALUE = 4\n")
    (folder / "handler.new").replace(folder / "handler.py")
    editor.save(folder / "handler.py")
    await editor.state("ok", "asked")
    assert host.inspect("attribute", module="plugins.asked.handler", name="VALUE") == 4
    assert len(editor.questions) == 1


async def test_a_plugin_that_is_removed_takes_its_diagnostics_along(probe):
    from lsprotocol.types import FileChangeType

    editor = probe.editor
    (probe.folder / "db.py").write_text("boom\n")
    uri = editor.save(probe.folder / "db.py")
    await editor.state("failed", probe.id)
    for file in probe.folder.iterdir():
        if file.is_file():
            file.unlink()
    editor.watched(probe.folder / "db.py", FileChangeType.Deleted)
    await editor.until(lambda: editor.shown[uri] == [])


@pytest.mark.evonic
async def test_an_edit_to_kanbans_db_reaches_plugins_kanban_db(host, kind, client, window):
    if kind != "evonic":
        pytest.skip("kanban is a plugin of the real Evonic")
    file = host.root / "plugins" / "kanban" / "db.py"
    host.inspect("toggle", plugin="kanban", enabled=True)
    client.switch(True, "kanban")
    editor = await window(file.parent)
    text = file.read_text()
    file.write_text(text + "\nEDITED = 'yes'\n")
    editor.save(file)
    await editor.state("ok", "kanban")
    assert host.inspect("attribute", module="plugins.kanban.db", name="EDITED") == "yes"
    file.write_text(text)
    editor.save(file)
    await editor.state("ok", "kanban")
    with pytest.raises(urllib.error.HTTPError):
        host.inspect("attribute", module="plugins.kanban.db", name="EDITED")
