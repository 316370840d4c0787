"""From didSave to the outcome, against hosts that answer what the test wants."""

from __future__ import annotations

import asyncio
import threading

import pytest

from evonic_lsp.bridge import wire
from evonic_lsp.bridge.wire import Outcome, Place, Problem, Related, WireError

QUICK = {"debounce": 0}


def broken(plugin, file="handler.py", message="NameError: name 'x' is not defined", **place):
    where = Place(file, 0, 0, 0, 1, plugin, "x", "x")
    return lambda id, asked_by: Outcome(
        plugin, wire.REJECTED, message, asked_by, problems=[Problem("NameError", message, place=where)]
    )


async def test_a_save_reloads_and_the_status_follows(host, window):
    evonic = host()
    kanban = evonic.plugin("kanban")
    evonic.start()
    editor = await window()
    editor.open(kanban / "handler.py")
    await editor.state("idle")
    editor.save(kanban / "db.py")
    await editor.state("pending", "kanban")
    await editor.state("reloading", "kanban")
    status = await editor.state("ok", "kanban")
    assert (status["message"], status["durationMs"], status["generation"]) == ("reloaded", 1.5, 2)
    assert evonic.reloads() == [("kanban", wire.SAVE)]
    await editor.until(lambda: len(editor.progress) == 2)
    assert [value["kind"] if isinstance(value, dict) else value.kind for value in editor.progress] == ["begin", "end"]


async def test_a_hundred_saves_in_a_burst_are_one_reload_or_two(host, window):
    evonic = host()
    kanban = evonic.plugin("kanban")
    evonic.start()
    editor = await window()
    for _ in range(100):
        editor.save(kanban / "handler.py")
    await editor.state("ok", "kanban")
    assert len(evonic.reloads()) <= 2


async def test_a_save_during_a_reload_brings_exactly_one_more(host, window):
    evonic = host()
    kanban = evonic.plugin("kanban")
    going, go_on = threading.Event(), threading.Event()
    plain = evonic.outcome

    def slow(plugin, asked_by):
        going.set()
        assert go_on.wait(10)
        return plain(plugin, asked_by)

    evonic.outcome = slow
    evonic.start()
    editor = await window(options=QUICK)
    editor.save(kanban / "handler.py")
    assert await asyncio.to_thread(going.wait, 10)
    for _ in range(5):
        editor.save(kanban / "handler.py")
    # A request behind the saves: they have been taken in when it is answered.
    await editor.command("status")
    go_on.set()
    await editor.state("ok", "kanban")
    await editor.state("ok", "kanban")
    await editor.command("status")
    assert len(evonic.reloads()) == 2


async def test_saves_of_one_plugin_do_not_wait_for_another(host, window):
    evonic = host()
    slow, quick = evonic.plugin("slow"), evonic.plugin("quick")
    go_on = threading.Event()
    plain = evonic.outcome

    def outcome(plugin, asked_by):
        if plugin == "slow":
            assert go_on.wait(10)
        return plain(plugin, asked_by)

    evonic.outcome = outcome
    evonic.start()
    editor = await window(options=QUICK)
    editor.save(slow / "handler.py")
    editor.save(quick / "handler.py")
    await editor.state("ok", "quick")
    go_on.set()
    await editor.state("ok", "slow")


async def test_a_failure_is_shown_at_its_place_and_cleared_by_the_next_good_reload(host, window):
    evonic = host()
    kanban = evonic.plugin("kanban")
    good = evonic.outcome
    evonic.outcome = broken("kanban", "db.py")
    evonic.start()
    editor = await window(options=QUICK)
    saved = editor.save(kanban / "handler.py")
    await editor.state("failed", "kanban")
    uri = (kanban / "db.py").as_uri()
    (shown,) = editor.shown[uri]
    assert (shown.source, shown.code, shown.message) == ("evonic", "NameError", "NameError: name 'x' is not defined")
    assert saved not in editor.shown
    evonic.outcome = good
    editor.save(kanban / "handler.py")
    await editor.state("ok", "kanban")
    assert editor.shown[uri] == []
    assert editor.published == [uri, uri]


@pytest.mark.parametrize(
    ("encoding", "start", "end"), [("utf-8", 6, 11), ("utf-16", 3, 7), ("utf-32", 2, 5), (None, 3, 7)]
)
async def test_ranges_are_in_the_clients_units(host, window, encoding, start, end):
    line = "😋éboo😋"  # code points on the wire: 2 to 5 of it
    place = Place("handler.py", 4, 2, 4, 5, "p", line, line)
    evonic = host()
    evonic.plugin("p")
    evonic.outcome = lambda plugin, asked_by: Outcome(
        plugin, wire.REJECTED, "no", asked_by, problems=[Problem("E", "m", place=place, related=[Related("r", place)])]
    )
    evonic.start()
    editor = await window(options=QUICK, encoding=encoding)
    uri = editor.save(evonic.root / "plugins" / "p" / "handler.py")
    await editor.state("failed", "p")
    (shown,) = editor.shown[uri]
    at = (shown.range.start.line, shown.range.start.character, shown.range.end.character)
    if encoding in ("utf-16", None):
        assert at == (4, 3, 6)
    else:
        assert at == ((4, 6, 9) if encoding == "utf-8" else (4, 2, 5))
    assert shown.related_information[0].location.range == shown.range
    assert shown.related_information[0].location.uri == uri


async def test_related_information_goes_into_the_message_where_it_is_not_shown(host, window):
    evonic = host()
    evonic.plugin("p")
    place = Place("handler.py", 4, 0, 4, 1, "p", "x", "x")
    evonic.outcome = lambda plugin, asked_by: Outcome(
        plugin, wire.REJECTED, "no", asked_by, problems=[Problem("E", "m", related=[Related("in f", place)])]
    )
    evonic.start()
    editor = await window(options=QUICK, related=False)
    uri = editor.save(evonic.root / "plugins" / "p" / "handler.py")
    await editor.state("failed", "p")
    assert [(each.message, each.related_information) for each in editor.shown[uri]] == [("m\nhandler.py:5: in f", None)]


async def test_a_file_is_named_as_the_editor_names_it(host, window, tmp_path):
    """The plugin is linked in, the editor has it open by a link of its own: diagnostics go to that very URI."""
    evonic = host()
    source = tmp_path / "repository" / "src"
    evonic.plugin("linked", folder=source)
    (tmp_path / "link").symlink_to(tmp_path / "repository")
    evonic.outcome = broken("linked")
    evonic.start()
    editor = await window(options=QUICK)
    uri = "file://" + str(tmp_path / "link" / "src" / "handler.py").replace("handler", "h%61ndler")
    editor.open(uri)
    editor.save(tmp_path / "link" / "src" / "other.py")
    await editor.state("failed", "linked")
    assert list(editor.shown) == [uri]


async def test_two_roots_have_each_their_own_link(host, window):
    one, two = host("one"), host("two")
    here, there = one.plugin("p"), two.plugin("p")
    one.start()
    editor = await window(here, there, options=QUICK)
    editor.save(here / "handler.py")
    await editor.state("ok", "p")
    editor.save(there / "handler.py")
    await editor.state("disconnected", "p")
    assert (one.reloads(), two.reloads()) == ([("p", "save")], [])


async def test_saves_without_a_host_are_served_when_it_comes(host, window):
    evonic = host()
    kanban = evonic.plugin("kanban")
    editor = await window(options=QUICK)
    editor.save(kanban / "handler.py")
    await editor.state("disconnected", "kanban")
    evonic.start()
    await editor.state("ok", "kanban")
    assert evonic.reloads() == [("kanban", "save")]


async def test_a_plugin_of_a_host_that_is_not_known_yet(host, window, tmp_path):
    """A repository that shows nothing of Evonic, and no host: which one it is, its start tells."""
    evonic = host()
    source = tmp_path / "repository"
    evonic.plugin("linked", folder=source)
    editor = await window(source, options=QUICK)
    editor.save(source / "handler.py")
    status = await editor.state("disconnected", "linked")
    assert status["message"] == "no running Evonic has the plugin linked"
    evonic.start()
    await editor.state("ok", "linked")


async def test_a_host_that_dies_and_comes_back(host, window):
    evonic = host()
    kanban = evonic.plugin("kanban")
    evonic.outcome = broken("kanban")
    evonic.start()
    editor = await window(kanban, options=QUICK)
    uri = editor.save(kanban / "handler.py")
    await editor.state("failed", "kanban")
    evonic.stop()
    await editor.state("disconnected")
    evonic.start()  # it tells of the same failure at the connection: nothing is published twice
    await editor.state("failed", "kanban")
    assert editor.published == [uri]
    evonic.stop()
    await editor.state("disconnected")
    evonic.plugins["kanban"] = evonic.plugins.pop("kanban").__class__("kanban", "k", "1", True, True)
    evonic.start()
    await editor.until(lambda: editor.shown[uri] == [])


async def test_load_errors_of_the_hosts_start_are_shown_at_the_connection(host, window):
    evonic = host()
    folder = evonic.plugin("p")
    outcome = broken("p")("p", wire.HOST)
    evonic.plugin("q", outcome=outcome)
    evonic.start()
    editor = await window(folder)
    await editor.state("failed", "q")
    assert (folder / "handler.py").as_uri() in editor.shown


async def test_outcomes_that_others_asked_for_are_shown_too(host, window):
    evonic = host()
    folder = evonic.plugin("p")
    evonic.start()
    editors = [await window(folder), await window(folder)]
    for editor in editors:
        await editor.state("idle")
    evonic.tell("plugin/outcome", broken("p")("p", wire.HOST))
    for editor in editors:
        await editor.state("failed", "p")
        assert len(editor.shown[(folder / "handler.py").as_uri()]) == 1


async def test_diagnostics_go_with_their_file_and_with_their_plugin(host, window):
    from lsprotocol.types import FileChangeType

    evonic = host()
    folder = evonic.plugin("p")
    evonic.outcome = broken("p", "gone.py")
    (folder / "gone.py").touch()
    evonic.start()
    editor = await window(folder, options=QUICK)
    editor.save(folder / "handler.py")
    await editor.state("failed", "p")
    evonic.outcome = lambda plugin, asked_by: Outcome(plugin, wire.UNLOADED, "gone", asked_by)
    (folder / "gone.py").unlink()
    editor.watched(folder / "gone.py", FileChangeType.Deleted)
    await editor.until(lambda: editor.shown[(folder / "gone.py").as_uri()] == [])
    await editor.state("idle", "p")
    assert len(evonic.reloads()) == 2


async def test_files_that_do_not_count(host, window, tmp_path):
    evonic = host()
    folder = evonic.plugin("p")
    evonic.start()
    editor = await window(folder, options=QUICK)
    (tmp_path / "elsewhere.py").touch()
    for path in (
        folder / "__pycache__" / "a.py",
        folder / ".git" / "x.json",
        folder / "data.sqlite",
        tmp_path / "elsewhere.py",
    ):
        editor.save(path)
    for uri in (
        "untitled:1",
        "http://x/handler.py",
        "file:",
        "file:///%00",
        "file://host/x.py",
        "",
        "file:relative.py",
    ):
        editor.save(uri)
        editor.open(uri)
    editor.save(folder / "templates" / "page.html")
    await editor.state("ok", "p")
    assert evonic.reloads() == [("p", "save")]


async def test_changes_from_outside_the_editor_reload_as_well_but_ask_nothing(host, window):
    evonic = host()
    folder, quiet = evonic.plugin("p"), evonic.plugin("quiet", hotreload=False, decided=False)
    evonic.start()
    editor = await window(folder, options=QUICK)
    await editor.until(lambda: editor.registered == ["workspace/didChangeWatchedFiles"])
    editor.watched(folder / "handler.py")
    await editor.state("ok", "p")
    editor.watched(quiet / "handler.py")
    await editor.state("idle", "quiet")
    await editor.command("status")
    assert editor.questions == []


async def test_a_host_of_another_protocol_is_told_once_with_what_to_do(host, window):
    evonic = host()
    folder = evonic.plugin("p")
    evonic.protocol_error = WireError(wire.WRONG_PROTOCOL, "run evonic-lsp install ROOT")
    evonic.start()
    editor = await window(folder, options=QUICK)
    await editor.until(lambda: editor.questions)
    editor.save(folder / "handler.py")
    await editor.state("idle", "p")
    await editor.until(lambda: len(editor.questions) == 1)
    assert editor.questions[0].message == "run evonic-lsp install ROOT"
    assert [each.title for each in editor.questions[0].actions] == ["Upgrade the bridge", "Not now"]


async def test_a_host_without_the_bridge_is_offered_it_once(host, window):
    evonic = host()
    folder = evonic.plugin("p")
    editor = await window(folder, options=QUICK)
    for _ in range(2):
        editor.save(folder / "handler.py")
        await editor.state("disconnected", "p")
    await editor.until(lambda: editor.questions)
    assert "bridge is not installed" in editor.questions[0].message
    assert len(editor.questions) == 1


async def test_broken_messages_of_a_host_do_no_harm(host, window):
    evonic = host()
    folder = evonic.plugin("p")
    evonic.start()
    editor = await window(folder, options=QUICK)
    await editor.state("idle")
    for params in ({}, [], None, {"plugin": 3}, {"plugin": "p", "status": "reloaded"}):
        evonic.tell("plugin/outcome", params)
    evonic.tell("no/such", {})
    editor.save(folder / "handler.py")
    await editor.state("ok", "p")


async def test_a_place_that_leads_out_of_the_plugin_is_not_followed(host, window):
    evonic = host()
    folder = evonic.plugin("p")
    evonic.outcome = broken("p", "../../../../etc/passwd")
    evonic.start()
    editor = await window(folder, options=QUICK)
    editor.save(folder / "handler.py")
    await editor.state("failed", "p")
    assert list(editor.shown) == [(folder / "handler.py").as_uri()]
