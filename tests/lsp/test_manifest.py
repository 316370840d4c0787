"""Manifests that are wrong, and what the editor shows of each; those of Evonic itself, which are right."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from lsprotocol import types
from manifests import EVENT, ID, TABLE, expected, plugin, unmarked

from evonic_lsp.bridge import jsontree, wire
from evonic_lsp.bridge.manifest import place
from evonic_lsp.bridge.wire import Outcome, Problem
from evonic_lsp.manifests import checks, functions, known


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("name", TABLE)
async def test_what_is_wrong_is_shown_in_its_place(name, encoding, host, window):
    manifest, handler, severity, said = TABLE[name]
    manifest, in_manifest = unmarked(manifest)
    handler, in_handler = unmarked(handler) if handler is not None else (None, None)
    folder = plugin(host(), manifest, handler)
    editor = await window(encoding=encoding)
    editor.open(folder / "plugin.json", manifest)
    file, text, span = ("handler.py", handler, in_handler) if in_handler else ("plugin.json", manifest, in_manifest)
    (shown,) = await editor.until(lambda: editor.shown.get((folder / file).as_uri()), name)
    assert shown.range == expected(text, span, "utf-16-le" if encoding == "utf-16" else encoding)
    assert (shown.severity.name, shown.code, shown.source) == (severity.capitalize(), "manifest", "evonic")
    assert said in shown.message
    assert len([each for each in editor.shown.values() if each]) == 1


RIGHT = {
    "imported": ({"handler": "from .more import on_turn_complete\n", "more": EVENT}, "turn_complete"),
    "imported under another name": (
        {"handler": "from .more import go as on_turn_complete\n", "more": "def go(a, b): 0"}, "turn_complete",
    ),
    "imported by the host's name": (
        {"handler": "from plugins.probe.more import *\n", "more": EVENT}, "turn_complete",
    ),
    "imported from outside": ({"handler": "from elsewhere import *\n"}, "turn_complete"),
    "imported in a circle": ({"handler": "from .more import *", "more": "from .handler import *"}, "turn_complete"),
    "made by a decorator": ({"handler": "@some.thing(1)\ndef on_turn_complete(): pass\n"}, "turn_complete"),
    "assigned": ({"handler": "on_turn_complete = lambda e, s: None\n"}, "turn_complete"),
    "in one of two branches": (
        {"handler": "try:\n import x\nexcept ImportError:\n def on_turn_complete(e, s): 0\n"}, "turn_complete",
    ),
    "by magic": ({"handler": "globals()['on_turn_' + 'complete'] = print\n"}, "turn_complete"),
    "by __getattr__": ({"handler": "def __getattr__(name): return print\n"}, "turn_complete"),
    "by global": ({"handler": "def f():\n global on_turn_complete\n on_turn_complete = 1\n"}, "turn_complete"),
    "with defaults and stars": ({"handler": "def on_turn_complete(e, *rest, k=1, **more): 0\n"}, "turn_complete"),
    "an event of its own": (
        {"handler": "def on_dinner(e, s): 0\n", "more": "stream.emit('dinner', {})"}, "dinner",
    ),
    "an event that Evonic does not list": ({"handler": "def on_turn_begin(e, s): 0\n"}, "turn_begin"),
    "not Python": ({"handler": "def on_turn_complete(:\n"}, "turn_complete"),
    "used by the code itself": ({"handler": "def on_message_sent(e): 0\nbus.on('x', on_message_sent)\n"}, None),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_what_may_be_right_is_no_alarm(name, tmp_path):
    files, event = RIGHT[name]
    folder = tmp_path / "probe"
    folder.mkdir()
    for file, text in files.items():
        (folder / f"{file}.py").write_text(text)
    events = f'["{event}"]' if event else "[]"
    tree = jsontree.parse(f'{{"id": "probe", "events": {events}}}')
    view = checks.View("probe", folder, tree, functions.read(folder, "probe"), True)
    assert checks.check(view) == []


async def test_live_over_incremental_changes_and_cleared(host, window):
    folder = plugin(host(), "{}", EVENT)
    editor = await window(encoding="utf-16")
    text = '{"x": "\u2028😋", "id": "probe", "events": ["turn_complete"]}'
    uri = editor.open(folder / "plugin.json", text)
    where = expected(text, (text.index("_comp"), text.index("_comp") + 1), "utf-16-le")
    edit(editor, uri, types.TextDocumentContentChangePartial(where, ""))
    (shown,) = await editor.until(lambda: editor.shown.get(uri))
    assert "turn_complete" in shown.message
    where = types.Range(where.start, where.start)
    edit(editor, uri, types.TextDocumentContentChangePartial(where, "_"))
    await editor.until(lambda: editor.shown[uri] == [])
    assert editor.server.server_capabilities.text_document_sync.change == types.TextDocumentSyncKind.Incremental


async def test_a_client_that_can_is_asked_for_the_changes_of_manifests_only(host, window):
    editor = await window(follow=True)
    await editor.until(lambda: types.TEXT_DOCUMENT_DID_CHANGE in editor.registered)
    assert editor.server.server_capabilities.text_document_sync.change == types.TextDocumentSyncKind.None_


async def test_an_editor_that_checks_json_itself_is_not_told_the_same(host, window):
    folder = plugin(host(), "{}", "")
    editor = await window(options={"checksJson": True})
    uri = editor.open(folder / "plugin.json", '{"id": "other", "events": [}')
    (shown,) = await editor.until(lambda: editor.shown.get(uri))
    assert "the name of the folder" in shown.message


async def test_a_save_of_the_handlers_is_looked_at(host, window):
    folder = plugin(host(), ID + '"events": ["turn_complete"]}', "")
    editor = await window()
    uri = editor.open(folder / "plugin.json", (folder / "plugin.json").read_text())
    await editor.until(lambda: editor.shown.get(uri))
    (folder / "handler.py").write_text(EVENT)
    editor.save(folder / "handler.py")
    await editor.until(lambda: editor.shown[uri] == [])


async def test_what_the_host_says_too_is_shown_once_and_goes_when_the_text_changes(host, window):
    text = ID + '"slash_commands": [{"id": "hi"}, {"id": "ho"}]}'
    evonic = host()
    folder = plugin(evonic, text, "x = 1\n")
    path = ("slash_commands", 0, "id")
    same, other = (
        Problem("manifest", "as the host says", "warning", place("probe", text, path)) for path in (path, ())
    )
    evonic.outcome = lambda plugin, asked_by: Outcome(plugin, wire.RELOADED, "", asked_by, problems=[same, other])
    evonic.start()
    editor = await window(options={"debounce": 0})
    uri = editor.open(folder / "plugin.json", text)
    await editor.until(lambda: len(editor.shown.get(uri, [])) == 2)
    editor.save(folder / "plugin.json")
    await editor.state("ok", "probe")
    assert len(editor.shown[uri]) == 3
    edit(editor, uri, types.TextDocumentContentChangeWholeDocument(text + "\n"))
    await editor.until(lambda: len(editor.shown[uri]) == 2)


def edit(editor, uri: str, *changes) -> None:
    item = types.VersionedTextDocumentIdentifier(uri=uri, version=2)
    editor.client.text_document_did_change(types.DidChangeTextDocumentParams(item, list(changes)))


# ── The real Evonic ──

real = pytest.mark.skipif(not os.environ.get("EVONIC_ROOT"), reason="EVONIC_ROOT is unset")


@real
@pytest.mark.evonic
def test_no_false_alarm_on_a_bundled_plugin():
    folders = [each.parent for each in Path(os.environ["EVONIC_ROOT"]).glob("plugins/*/plugin.json")]
    assert len(folders) >= 8
    told = {}
    for folder in folders:
        tree = jsontree.parse((folder / "plugin.json").read_text("utf-8"))
        scope = functions.read(folder, folder.name)
        view = checks.View(folder.name, folder, tree, scope, (folder / "handler.py").exists())
        told[folder.name] = [(each.severity, each.message) for each in checks.check(view)]
    # This one subscribes an event and has no code that could hear of it: shown faintly.
    hint = [("hint", "there is no handler.py, so nothing hears of turn_complete")]
    assert {name: each for name, each in told.items() if each} == {"model-router": hint}


@real
@pytest.mark.evonic
def test_events_and_commands_are_those_of_the_host():
    root = Path(os.environ["EVONIC_ROOT"])
    source = (root / "backend/plugin_lifecycle.py").read_text("utf-8")
    listed = re.search(r"VALID_EVENTS = \{(.*?)\}", source, re.DOTALL).group(1)
    assert set(re.findall(r"'(\w+)'", listed)) == set(known.events())
    source = (root / "cli/__main__.py").read_text("utf-8")
    assert set(re.findall(r"[ =]subparsers\.add_parser\(\s*\"([\w-]+)\"", source)) == known.CLI_COMMANDS
    emitted = set()
    for path in (*root.glob("backend/**/*.py"), *root.glob("skills/**/*.py")):
        emitted |= set(re.findall(r"\.emit\(\s*'(\w+)'", path.read_text("utf-8")))
    assert emitted - set(known.events()) <= known.INTERNAL_EVENTS
