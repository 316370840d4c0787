"""Completion, hover, definitions and quick fixes; `|` is where the cursor is."""

from __future__ import annotations

import json

import pytest
from lsprotocol import types
from manifests import ID, TABLE, W, plugin, unmarked
from pygls.exceptions import JsonRpcException

from evonic_lsp.bridge.wire import VERSION
from evonic_lsp.manifests import known
from evonic_lsp.manifests.texts import Text, changed

ENCODINGS = ["utf-8", "utf-16"]
HANDLER = "from .more import on_message_sent\n\n\ndef on_turn_complete(event, sdk):\n    pass\n\n\ndef card(sdk): 0\n"


def cursor(editor, text: str) -> tuple[str, types.Position]:
    offset = text.index("|")
    text = text.replace("|", "")
    return text, Text(text, editor.server.editor.measure).position(offset)


async def opened(host, window, text: str, encoding: str = "utf-16", handler: str = HANDLER):
    """(window, URI of the manifest, position of the cursor)."""
    editor = await window(encoding=encoding)
    text, position = cursor(editor, text)
    folder = plugin(host(), text, handler)
    (folder / "more.py").write_text("def on_message_sent(event, sdk): 0\n")
    return editor, editor.open(folder / "plugin.json", text), position


async def complete(editor, uri, position) -> dict[str, types.CompletionItem]:
    where = types.CompletionParams(types.TextDocumentIdentifier(uri), position)
    return {each.label: each for each in await editor.client.text_document_completion_async(where) or []}


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("text", "label", "result"),
    [
        (ID + "|}", "events", ID + '"events": []}'),
        (ID + '"|"}', "events", ID + '"events": []}'),
        (ID + '"ev|": ["x"]}', "events", ID + '"events": ["x"]}'),
        (ID + '"events": [|]}', "turn_complete", ID + '"events": ["turn_complete"]}'),
        (ID + '"events": ["tu|"]}', "turn_complete", ID + '"events": ["turn_complete"]}'),
        (ID + '"events": ["|', "turn_complete", ID + '"events": ["turn_complete"'),
        (ID + '"variables": [{"type": "|"}]}', "boolean", ID + '"variables": [{"type": "boolean"}]}'),
        (ID + '"variables": [{"name": "A", |}]}', "type", ID + '"variables": [{"name": "A", "type": "string"}]}'),
        (ID + '"variables": [{"secret": |}]}', "true", ID + '"variables": [{"secret": true}]}'),
        (ID + '"dashboard_cards": [{"handler": "|"}]}', "card", ID + '"dashboard_cards": [{"handler": "card"}]}'),
    ],
)
async def test_completion(text, label, result, encoding, host, window):
    editor, uri, position = await opened(host, window, text, encoding)
    item = (await complete(editor, uri, position))[label]
    change = types.TextDocumentContentChangePartial(item.text_edit.range, item.text_edit.new_text)
    assert changed(text.replace("|", ""), [change], editor.server.editor.measure) == result


async def test_nothing_is_completed_that_is_there_or_makes_no_sense(host, window):
    editor, uri, position = await opened(host, window, ID + '"events": ["turn_complete", "|"]}')
    found = await complete(editor, uri, position)
    assert set(found) == set(known.events()) - {"turn_complete"}
    editor, uri, position = await opened(host, window, ID + '"version": "|"}')
    assert await complete(editor, uri, position) == {}
    assert "id" not in await complete(editor, uri, types.Position(0, 1))


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    ("text", "said", "covered"),
    [
        (ID + '"ev|ents": []}', "hears of", '"events"'),
        (ID + '"events": ["turn_|complete"]}', "`tool_trace`", '"turn_complete"'),
        (ID + '"variables": [{"sec|ret": true}]}', "dots", '"secret"'),
        (ID + '"dashboard_cards": [{"handler": "ca|rd"}]}', "line 8", '"card"'),
    ],
)
async def test_hover(text, said, covered, encoding, host, window):
    editor, uri, position = await opened(host, window, text, encoding)
    shown = await editor.client.text_document_hover_async(
        types.HoverParams(types.TextDocumentIdentifier(uri), position)
    )
    assert said in shown.contents.value
    view = Text(text.replace("|", ""), editor.server.editor.measure)
    assert view.text[view.offset(shown.range.start) : view.offset(shown.range.end)] == covered


async def test_every_event_says_what_it_carries(host, window):
    assert all("Carries " in about for about in known.events().values())
    editor, uri, _ = await opened(host, window, ID + '"events": []}|')
    handler = uri.replace("plugin.json", "handler.py")
    where = types.HoverParams(types.TextDocumentIdentifier(handler), types.Position(3, 6))
    assert "`response`" in (await editor.client.text_document_hover_async(where)).contents.value


@pytest.mark.parametrize(
    ("text", "file", "line", "start"),
    [
        (ID + '"events": ["turn_|complete"]}', "handler.py", 3, 4),
        (ID + '"events": ["message_|sent"]}', "more.py", 0, 4),
        (ID + '"dashboard_cards": [{"handler": "ca|rd"}]}', "handler.py", 7, 4),
    ],
)
async def test_from_the_manifest_to_the_code_and_back(text, file, line, start, host, window):
    editor, uri, position = await opened(host, window, text)
    where = types.DefinitionParams(types.TextDocumentIdentifier(uri), position)
    there = await editor.client.text_document_definition_async(where)
    assert (there.uri.rpartition("/")[2], there.range.start) == (file, types.Position(line, start))
    back = types.DefinitionParams(types.TextDocumentIdentifier(there.uri), there.range.start)
    home = await editor.client.text_document_definition_async(back)
    assert home.uri == uri
    assert home.range.start.character <= position.character <= home.range.end.character
    nowhere = types.DefinitionParams(types.TextDocumentIdentifier(there.uri), types.Position(99, 0))
    assert await editor.client.text_document_definition_async(nowhere) is None


# ── Quick fixes ──

START = types.Range(types.Position(0, 0), types.Position(0, 0))


async def actions(editor, uri: str, where: types.Range, only=None) -> list[types.CodeAction]:
    context = types.CodeActionContext(editor.shown.get(uri, []), only=only)
    params = types.CodeActionParams(types.TextDocumentIdentifier(uri), where, context)
    return await editor.client.text_document_code_action_async(params)


def apply(editor, folder, edit: types.WorkspaceEdit) -> None:
    changes = dict(edit.changes or {})
    for each in edit.document_changes or []:
        if isinstance(each, types.TextDocumentEdit):
            changes[each.text_document.uri] = each.edits
    for uri, edits in changes.items():
        path = folder / uri.rpartition("/")[2]
        text = path.read_bytes().decode("utf-8") if path.exists() else ""
        for each in sorted(edits, key=lambda one: (one.range.start.line, one.range.start.character), reverse=True):
            change = types.TextDocumentContentChangePartial(each.range, each.new_text)
            text = changed(text, [change], editor.server.editor.measure)
        path.write_bytes(text.encode())


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("name", [
    "another id", "an unknown event", "no handler of an event", "no handler.py", "a handler that nobody calls",
    "a misspelt key", "a misspelt key further in", "a variable of another type", "a slash command without a function",
    "a card without a function",
])  # fmt: skip
async def test_a_fix_mends_what_it_is_for(name, encoding, host, window):
    manifest, handler = (unmarked(each)[0] if each is not None else None for each in TABLE[name][:2])
    folder = plugin(host(), manifest, handler)
    editor = await window(encoding=encoding)
    editor.open(folder / "plugin.json", manifest)
    uri = await editor.until(lambda: next((each for each, shown in editor.shown.items() if shown), None))
    (shown,) = editor.shown[uri]
    action = (await actions(editor, uri, shown.range))[0]
    assert action.kind == types.CodeActionKind.QuickFix
    assert list(action.diagnostics) == [shown]
    apply(editor, folder, action.edit)
    json.loads((folder / "plugin.json").read_text("utf-8"))
    if (folder / "handler.py").exists():
        compile((folder / "handler.py").read_text("utf-8"), "handler.py", "exec")
    editor.client.text_document_did_close(
        types.DidCloseTextDocumentParams(types.TextDocumentIdentifier((folder / "plugin.json").as_uri()))
    )
    editor.save(folder / "handler.py")
    if name == "an unknown event":  # it exists now, and wants a handler
        await editor.until(lambda: [each for each in editor.shown[uri] if "no function" in each.message])
    else:
        await editor.until(lambda: editor.shown[uri] == [])


async def test_a_handler_of_nearly_the_right_name_is_renamed(host, window):
    manifest = ID + '"events": ["turn_complete"]}'
    folder = plugin(host(), manifest, "é = 1; x = 2\ndef on_turn_completed(event, sdk): pass\n")
    editor = await window()
    uri = editor.open(folder / "plugin.json", manifest)
    (shown,) = await editor.until(lambda: editor.shown.get(uri))
    rename, create, *_ = await actions(editor, uri, shown.range)
    assert (rename.is_preferred, create.title) == (True, "Create on_turn_complete in handler.py")
    apply(editor, folder, rename.edit)
    assert (folder / "handler.py").read_text() == "é = 1; x = 2\ndef on_turn_complete(event, sdk): pass\n"


@pytest.mark.parametrize("events", ['"events": [\n  "turn_complete"\n ],\n "version": "1"', '"events": []', '"x": 1'])
async def test_an_event_is_subscribed_in_the_style_of_the_file(events, host, window):
    folder = plugin(host(), f'{{\n "id": "probe",\n {events}\n}}\n', "def on_turn_complete(e, s): 0\n" + HANDLER[:34])
    handler = (folder / "handler.py").as_uri()
    (folder / "handler.py").write_text("def on_turn_complete(e, s): 0\ndef on_final_answer(e, s): 0\n")
    editor = await window()
    editor.open(folder / "handler.py")
    shown = (await editor.until(lambda: editor.shown.get(handler)))[-1]
    (action,) = await actions(editor, handler, shown.range)
    apply(editor, folder, action.edit)
    text = (folder / "plugin.json").read_text()
    assert json.loads(text)["events"][-1] == "final_answer"
    assert ('\n  "final_answer"\n ]' in text) == ("turn_complete" in events)


async def connected(evonic, window, folder):
    """(window, URI of the manifest), with the host started."""
    evonic.start()
    editor = await window(evonic.root)
    await editor.state("idle")
    return editor, editor.open(folder / "plugin.json", '{"id": "probe"}')


def put_bridge(evonic, version):
    bridge = evonic.root / "plugins" / "evonic_lsp"
    bridge.mkdir()
    (bridge / "wire.py").write_text(f'VERSION = "{version}"\n')


async def test_hot_reload_is_offered_where_it_is_off(host, window):
    evonic = host()
    folder = evonic.plugin("probe", hotreload=False)
    editor, uri = await connected(evonic, window, folder)
    (action,) = await actions(editor, uri, START)
    # lsprotocol's client takes the whole action for a command; on the wire it is {title, kind, command: {…}}.
    assert "'evonic.enable'" in str(action.command)
    assert uri in str(action.command)
    assert not await actions(editor, uri, START, [types.CodeActionKind.Refactor])
    await editor.command("enable", uri)
    assert not await actions(editor, uri, START)


async def test_the_bridge_is_offered_where_it_is_missing(host, window):
    folder = host().plugin("probe")
    editor = await window()
    uri = editor.open(folder / "plugin.json", '{"id": "probe"}')
    (action,) = await actions(editor, uri, START)
    assert "'evonic.install'" in str(action.command)


async def test_an_older_bridge_is_upgraded(host, window):
    evonic = host()
    folder = evonic.plugin("probe", hotreload=True)
    put_bridge(evonic, "0.0.1")
    editor, uri = await connected(evonic, window, folder)
    (action,) = await actions(editor, uri, START)
    assert "'Upgrade the evonic-lsp bridge in Evonic'" in str(action)
    assert "'evonic.install'" in str(action.command)


async def test_a_host_that_is_gone_is_called_again(host, window):
    evonic = host()
    folder = evonic.plugin("probe", hotreload=True)
    put_bridge(evonic, VERSION)
    editor, uri = await connected(evonic, window, folder)
    assert not await actions(editor, uri, START)
    assert (await editor.command("connect", uri))["plugins"]  # in the middle of everything: another connection
    assert [method for method, _ in evonic.requests].count("initialize") == 2
    evonic.stop()
    await editor.state("disconnected")
    (action,) = await actions(editor, uri, START)
    assert "'evonic.connect'" in str(action.command)
    with pytest.raises(JsonRpcException, match="no running Evonic"):
        await editor.command("connect", uri)
    evonic.start()
    assert (await editor.command("connect", uri))["plugins"]


async def test_a_plugin_that_is_off_in_evonic_is_switched_on(host, window):
    evonic = host()
    folder = evonic.plugin("probe", hotreload=True, enabled=False)
    asked = []
    evonic.answers["plugin/enable"] = lambda params: asked.append(params) or evonic.plugins["probe"]
    editor, uri = await connected(evonic, window, folder)
    (action,) = await actions(editor, uri, START)
    assert "'evonic.switchOn'" in str(action.command)
    await editor.command("switchOn", uri)
    assert asked == [{"plugin": "probe"}]


def test_the_table_is_as_long_as_it_should_be():
    assert len(TABLE) >= 50
    assert {each[2] for each in TABLE.values()} > {W}
