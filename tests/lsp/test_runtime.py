"""What goes wrong at run time, in the editor: diagnostics, lenses, replay, log lines."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from evonic_lsp.bridge import wire
from evonic_lsp.bridge.messages import Cleared, Details, Handler, Replayed
from evonic_lsp.bridge.wire import Failure, LogEntry, Outcome, Place, Problem, Related, WireError

QUICK = {"debounce": 0}
TEXT = '''"""Doc."""
def on_message_received(event, sdk):
    😋é = event["x"]
    return 😋é
'''
LINE = TEXT.split("\n")[2]


def place(line=2, start=9, end=19, text=LINE, plugin="p", file="handler.py", **changes):
    return Place(file, line, start, line, end, plugin, text, text, **changes)


def failure(key="k", count=1, plugin="p", generation=0, problem=None, **changes):
    problem = problem or Problem("KeyError", "KeyError: 'x'", place=place(), traceback=changes.pop("traceback", ""))
    return Failure(
        plugin, key, "event", "message_received", problem, count, 1000.0, changes.pop("last_at", 2000.0), generation
    )


@pytest.fixture
async def open_plugin(host, window):
    """open_plugin(text, **options) -> (host, window, URI of handler.py), whose text on the disk is TEXT."""

    async def make(text=TEXT, **options):
        evonic = host()
        folder = evonic.plugin("p", generation=0, loaded_at=1500.0)
        (folder / "handler.py").write_text(TEXT)
        evonic.start()
        editor = await window(folder, options=QUICK, **options)
        uri = editor.open(folder / "handler.py", text)
        await editor.state("idle")
        return evonic, editor, uri

    return make


async def only(editor, uri, holds=lambda each: True):
    def found():
        shown = editor.shown.get(uri, [])
        return shown[0] if len(shown) == 1 and holds(shown[0]) else None

    return await editor.until(found)


@pytest.mark.parametrize(("encoding", "start", "end"), [("utf-8", 13, 23), ("utf-16", 10, 20), ("utf-32", 9, 19)])
async def test_an_error_is_shown_where_it_is_and_updated_in_place(open_plugin, encoding, start, end):
    evonic, editor, uri = await open_plugin(encoding=encoding)
    evonic.tell("plugin/error", failure())
    shown = await only(editor, uri)
    assert shown.range == types.Range(types.Position(2, start), types.Position(2, end))
    assert (shown.source, shown.code, shown.severity) == ("evonic", "KeyError", types.DiagnosticSeverity.Error)
    assert shown.tags is None
    head, told = shown.message.split("\n")
    assert head == "KeyError: 'x'"
    assert told.startswith("run time, event message_received: once, at ")
    evonic.tell("plugin/error", failure(count=12_345))
    shown = await only(editor, uri, lambda each: "12,345 times since" in each.message)
    assert "last at" in shown.message


async def test_errors_stand_beside_those_of_a_failed_reload_and_go_with_a_good_one(open_plugin):
    evonic, editor, uri = await open_plugin()
    evonic.tell("plugin/error", failure())
    await only(editor, uri)
    bad = Problem("NameError", "NameError: boom", place=place(0, 0, 3, '"""Doc."""'))
    evonic.tell("plugin/outcome", Outcome("p", wire.REJECTED, "no", wire.SAVE, 1, 0, 1500.0, 3000.0, [bad]))
    await editor.until(lambda: {each.code for each in editor.shown[uri]} == {"NameError", "KeyError"})
    evonic.tell("plugin/outcome", Outcome("p", wire.UNCHANGED, "same", wire.SAVE, 1, 0, 1500.0, 3500.0))
    await editor.until(lambda: [each.code for each in editor.shown[uri]] == ["KeyError"])
    evonic.tell("plugin/outcome", Outcome("p", wire.RELOADED, "good", wire.SAVE, 1, 1, 4000.0, 4000.0))
    await editor.until(lambda: editor.shown[uri] == [])


async def test_what_the_new_version_did_before_its_outcome_came_stays(open_plugin):
    evonic, editor, uri = await open_plugin()
    evonic.tell("plugin/error", failure("old"))
    evonic.tell("plugin/error", failure("new", generation=1, last_at=3999.95))
    await editor.until(lambda: len(editor.shown.get(uri, [])) == 2)
    evonic.tell("plugin/outcome", Outcome("p", wire.RELOADED, "good", wire.SAVE, 100, 1, 4000.0, 4000.0))
    await only(editor, uri, lambda each: "no longer serves" not in each.message)


async def test_an_error_of_a_version_that_no_longer_serves_says_so(open_plugin):
    evonic, editor, uri = await open_plugin()
    evonic.tell("plugin/outcome", Outcome("p", wire.RELOADED, "good", wire.SAVE, 1, 1, 4000.0, 4000.0))
    evonic.tell("plugin/error", failure(generation=0))
    await only(editor, uri, lambda each: each.message.endswith("this ran in a version that no longer serves"))


async def test_errors_of_before_are_shown_to_whom_connects_later(host, window):
    evonic = host()
    folder = evonic.plugin("p", errors=[failure(count=3)])
    (folder / "handler.py").write_text(TEXT)
    evonic.start()
    editor = await window(folder)
    await only(editor, (folder / "handler.py").as_uri(), lambda each: "3 times" in each.message)


@pytest.mark.parametrize("how", ["id", "uri", "all", "host"])
async def test_clear(open_plugin, how):
    evonic, editor, uri = await open_plugin()
    evonic.answers["plugin/clear"] = lambda params: evonic.tell("plugin/cleared", Cleared(params["plugin"]))
    evonic.tell("plugin/error", failure())
    await only(editor, uri)
    if how == "host":
        evonic.tell("plugin/cleared", Cleared("p"))
    else:
        await editor.command("clear", {"id": "p", "uri": uri, "all": "*"}[how])
        assert ("plugin/clear", {"plugin": "p"}) in evonic.requests
    await editor.until(lambda: editor.shown[uri] == [])


async def test_clear_with_a_bridge_that_keeps_none(open_plugin):
    evonic, editor, uri = await open_plugin()
    evonic.tell("plugin/error", failure())
    await only(editor, uri)
    await editor.command("clear")
    assert editor.shown[uri] == []


# ── The document is another one than what ran ──

MOVED = [
    ("two lines above it are new", "# new\n\n" + TEXT, 4, 10, 20, False),
    ("a line above it is gone", TEXT.split("\n", 1)[1], 1, 10, 20, False),
    ("it is indented", TEXT.replace(LINE, "    " + LINE), 2, 14, 24, False),
    ("the nearest of equal lines", LINE + "\n#\n#\n" + LINE + "\n", 3, 10, 20, False),
    ("the line is another one", TEXT.replace('event["x"]', 'event["y"]'), 2, 4, 20, True),
    ("there are fewer lines", "x = 1", 0, 0, 5, True),
    ("there is nothing", "", 0, 0, 0, True),
]


@pytest.mark.parametrize(
    ("text", "line", "start", "end", "marked"), [each[1:] for each in MOVED], ids=[e[0] for e in MOVED]
)
async def test_ranges_follow_the_document(open_plugin, text, line, start, end, marked):
    evonic, editor, uri = await open_plugin(text)
    evonic.tell("plugin/error", failure())
    shown = await only(editor, uri)
    assert shown.range == types.Range(types.Position(line, start), types.Position(line, end))
    assert ("the line has changed since; what ran was: 😋é = event" in shown.message) == marked


async def test_related_places_follow_as_well(open_plugin):
    evonic, editor, uri = await open_plugin("#\n" + TEXT)
    related = [
        Related("in f", place(3, 11, 13, "    return 😋é")),
        Related("in g", place(0, 0, 4, "gone")),
        Related("in h"),
    ]
    evonic.tell("plugin/error", failure(problem=Problem("E", "E", place=place(), related=related)))
    shown = await only(editor, uri)
    where = [(each.message, each.location.range.start.line) for each in shown.related_information]
    assert where == [("in f", 4), ("in g (changed since; what ran was: gone)", 0)]
    assert shown.message.endswith("in h")


async def test_several_lines(open_plugin):
    evonic, editor, uri = await open_plugin("#\n" + TEXT)
    whole = Place("handler.py", 1, 0, 3, 10, "p", TEXT.split("\n")[1], TEXT.split("\n")[3])
    cut = dataclasses.replace(whole, last="    return None")
    evonic.tell("plugin/error", failure("whole", problem=Problem("E", "E", place=whole)))
    shown = await only(editor, uri)
    assert (shown.range.start.line, shown.range.end.line) == (2, 4)
    evonic.tell("plugin/error", failure("whole", problem=Problem("E", "E", place=cut)))
    shown = await only(editor, uri, lambda each: each.range.end.line == 2)
    assert shown.range.end.character == len(TEXT.split("\n")[1])


async def test_unsaved_changes_count(open_plugin):
    evonic, editor, uri = await open_plugin()
    change = types.TextDocumentContentChangePartial(types.Range(types.Position(0, 0), types.Position(0, 0)), "#\n#\n")
    editor.client.text_document_did_change(
        types.DidChangeTextDocumentParams(types.VersionedTextDocumentIdentifier(2, uri), [change])
    )
    evonic.tell("plugin/error", failure())
    await only(editor, uri, lambda each: each.range.start.line == 4)


async def test_a_client_that_tells_no_changes_is_asked_for_them_when_there_is_an_error(open_plugin):
    evonic, editor, uri = await open_plugin("what was opened is not what is on the disk", follow=True)
    await editor.until(lambda: editor.registered.count(types.TEXT_DOCUMENT_DID_CHANGE) == 1)
    evonic.tell("plugin/error", failure())
    assert (await only(editor, uri)).range.start.line == 2  # the disk's
    await editor.until(lambda: editor.registered.count(types.TEXT_DOCUMENT_DID_CHANGE) == 2)
    editor.client.text_document_did_change(
        types.DidChangeTextDocumentParams(
            types.VersionedTextDocumentIdentifier(2, uri), [types.TextDocumentContentChangeWholeDocument("#\n" + TEXT)]
        )
    )
    await only(editor, uri, lambda each: each.range.start.line == 3)
    evonic.tell("plugin/error", failure("other"))
    await editor.until(lambda: len(editor.shown[uri]) == 2)
    assert editor.registered.count(types.TEXT_DOCUMENT_DID_CHANGE) == 2


# ── Lenses ──

HANDLERS = [
    Handler(
        "event", "message_received", "on_message_received", place(1, 0, 36, TEXT.split("\n")[1]), 12, 2, 0.84, 1.0, True
    ),
    Handler("route", "/x", "view", place(0, 0, 3, "@bp.route", file="routes.py"), 1, 0, 22.4, 1.0),
    Handler("tool guard", "gone", "gone", place(9, 0, 3, "def gone(): pass")),
    Handler("slash command", "/s", "on_s", place(0, 0, 3, '"""Doc."""')),
]


def details(evonic, **changes):
    evonic.answers["plugin/details"] = lambda params: Details(
        dataclasses.replace(evonic.plugins["p"], **changes), HANDLERS
    )


async def test_lenses(open_plugin):
    evonic, editor, uri = await open_plugin("#\n" + TEXT)
    outcome = Outcome("p", wire.RELOADED, "reloaded", wire.SAVE, 12.3, 3, 1500.0, 1500.0)
    details(evonic, generation=3, outcome=outcome, errors=[failure()])
    found = await editor.lenses(uri)
    (first, *rest) = found
    assert first[0] == 0
    assert first[1].startswith("generation 3, loaded ")
    assert first[1].endswith(", 12 ms")
    assert rest == [
        (0, "1 event, 1 route, 1 tool guard, 1 slash command", ""),
        (0, "Reload", "evonic.reload"),
        (0, "Clear 1 run-time error", "evonic.clear"),
        (2, "event message_received: 12 calls, last 0.84 ms, 2 errors", ""),
        (2, "Replay", "evonic.replay"),
        (1, "slash command /s: not called yet", ""),
    ]
    manifest = uri.replace("handler.py", "plugin.json")
    assert [title for _, title, _ in await editor.lenses(manifest)][1:] == [title for _, title, _ in rest[:3]]
    assert [title for _, title, _ in await editor.lenses(uri.replace("handler", "routes"))] == [
        "route /x: 1 call, last 22 ms"
    ]
    assert editor.server.session.current.plugin == "p"


async def test_lenses_of_what_failed_or_does_not_run(open_plugin):
    evonic, editor, uri = await open_plugin()
    details(evonic, outcome=Outcome("p", wire.REJECTED, "no", wire.SAVE, 0.4, 0, 1500.0, 1600.0))
    ((_, title, _), *_) = await editor.lenses(uri)
    assert title.startswith("reload rejected ")
    assert ", 0.4 ms; generation 0, loaded " in title
    details(evonic, generation=None, loaded_at=None)
    assert (await editor.lenses(uri))[0][1] == "not running"
    details(evonic, generation=None, loaded_at=None, enabled=False)
    assert (await editor.lenses(uri))[0][1] == "switched off in Evonic"


async def test_no_lenses_where_nobody_can_tell(open_plugin, window, tmp_path):
    evonic, editor, uri = await open_plugin()
    assert await editor.lenses(uri) == []  # an older bridge
    assert await editor.lenses((tmp_path / "x.py").as_uri()) == []
    evonic.stop()
    assert await editor.lenses(uri) == []


async def test_lenses_are_refreshed_when_something_has_happened(open_plugin):
    evonic, editor, _ = await open_plugin()
    await editor.until(lambda: editor.refreshed)
    for method, params in [
        ("plugin/outcome", Outcome("p", wire.RELOADED, "good", wire.SAVE)),
        ("plugin/error", failure()),
        ("plugin/cleared", Cleared("p")),
    ]:
        before = editor.refreshed
        evonic.tell(method, params)
        await editor.until(lambda before=before: editor.refreshed > before)


async def test_an_editor_that_cannot_refresh_is_not_asked_to(open_plugin):
    evonic, editor, uri = await open_plugin(lenses=False)
    evonic.tell("plugin/error", failure())
    await only(editor, uri)
    assert editor.refreshed == 0


# ── Replay ──

DONE = Replayed(
    "p", "message_received", "done", "on_message_received ran", 7, 1.25, None, [LogEntry("p", "", "info", "hi")]
)


async def test_replay_asks_once_for_each_handler(open_plugin):
    evonic, editor, uri = await open_plugin()
    asked = []
    evonic.answers["plugin/replay"] = lambda params: params.get("dryRun") or asked.append(params) or DONE
    editor.answers = ["Cancel", "Run", None, "Run"]
    assert dict(await result(editor, uri, "message_received"))["status"] == "cancelled"
    for _ in range(3):
        assert dict(await result(editor, uri, "message_received"))["status"] == "done"
    assert dict(await result(editor, "p"))["status"] == "cancelled"
    assert dict(await result(editor))["status"] == "done"
    assert asked == [{"plugin": "p", "handler": "message_received"}] * 3 + [{"plugin": "p"}]
    assert len(editor.questions) == 4
    assert "message_received of p will run again" in editor.questions[0].message
    assert "p: replay: on_message_received ran (1.2 ms)\n[p] hi" in editor.logged
    assert "p: replay: on_message_received ran (1.2 ms)" in editor.messages


async def result(editor, *arguments):
    answer = await editor.command("replay", *arguments)
    return answer if isinstance(answer, dict) else answer._asdict()


async def test_a_replay_that_fails_brings_its_traceback(open_plugin):
    evonic, editor, uri = await open_plugin()
    trace = f'Traceback\n  File "{evonic.root}/plugins/p/handler.py", line 3, in on_message_received\nKeyError'
    problem = Problem("KeyError", "KeyError: 'x'", place=place(), traceback=trace)
    evonic.answers["plugin/replay"] = lambda params: dataclasses.replace(DONE, status="failed", problem=problem)
    editor.answers = ["Run"]
    assert (await result(editor, uri, "on_message_received"))["status"] == "failed"
    assert any(f"{evonic.root}/plugins/p/handler.py:3, in on_message_received" in each for each in editor.logged)
    assert editor.messages == []  # it is a diagnostic


async def test_a_replay_that_is_refused(open_plugin):
    evonic, editor, uri = await open_plugin()

    def refuse(params):
        raise WireError(wire.REFUSED, "no such event is kept")

    evonic.answers["plugin/replay"] = refuse
    with pytest.raises(JsonRpcException, match="no such event is kept"):
        await editor.command("replay", uri, "message_received")
    assert editor.questions == []  # nobody is asked about what cannot be


@pytest.mark.parametrize("arguments", [["p", 3], ["p", "a", "b"], ["p", {"a": 1}]])
async def test_wrong_arguments(open_plugin, arguments):
    _, editor, _ = await open_plugin()
    with pytest.raises(JsonRpcException, match="takes a plugin id or a file URI, and the name of an event"):
        await editor.command("replay", *arguments)


# ── Logs ──


async def test_log_lines_go_to_the_log_of_the_editor(open_plugin):
    evonic, editor, _ = await open_plugin()
    evonic.tell("plugin/log", LogEntry("other", "t", "info", "of a plugin that is not worked on here"))
    evonic.tell("plugin/log", LogEntry("p", "t", "info", "first"))
    await editor.until(lambda: "[p] first" in editor.logged)
    for number in range(500):
        evonic.tell("plugin/log", LogEntry("p", "t", "error" if number == 7 else "info", f"line {number}"))
    await editor.until(lambda: any("line 499" in each for each in editor.logged))
    lines = [each for each in editor.logged if "] line" in each]
    assert len(lines) < 10
    assert "\n".join(lines) == "\n".join(f"[p] line {number}" for number in range(500))
    assert not any("not worked on" in each for each in editor.logged)


async def test_a_new_error_brings_its_traceback_with_links_into_the_log(open_plugin):
    evonic, editor, uri = await open_plugin()
    file = f"{evonic.root}/plugins/p/handler.py"
    trace = f'Traceback (most recent call last):\n  File "{file}", line 3, in on_message_received\nKeyError: 1\n'
    for count in (1, 2, 3):
        evonic.tell("plugin/error", failure(count=count, traceback=trace))
    await only(editor, uri, lambda each: "3 times" in each.message)
    (logged,) = [each for each in editor.logged if "Traceback" in each]
    assert f"\n  {file}:3, in on_message_received\n" in logged


async def test_ten_updates_cost_ten_messages_at_most(open_plugin):
    evonic, editor, uri = await open_plugin()
    for count in range(1, 11):
        evonic.tell("plugin/error", failure(count=count))
    await only(editor, uri, lambda each: "10 times" in each.message)
    await asyncio.sleep(0)
    assert editor.published.count(uri) <= 10
