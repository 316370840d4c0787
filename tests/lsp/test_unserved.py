"""Saves whose host is away, stopped, or was given up for another: each is served in the end, by one link."""

from __future__ import annotations

import asyncio
import os
import threading

import pytest
from faults.faulty import ScriptedHost, outcome
from lsprotocol import types

from evonic_lsp import session
from evonic_lsp.bridge import client, wire
from evonic_lsp.bridge.client import NoHost
from evonic_lsp.bridge.wire import PluginInfo
from evonic_lsp.link import Link

QUICK = {"debounce": 0}
LIMIT = 10


@pytest.fixture
def hanging(host):
    """hanging() -> (host, begun, ended): the first connection is never greeted, and sets these events; those after it
    are served."""
    made: list[ScriptedHost] = []

    def make():
        evonic = host()
        evonic.folder = evonic.plugin("p")
        begun, ended = threading.Event(), threading.Event()

        def script(number, connection):
            if number == 1:
                while connection.recv(100_000):
                    begun.set()
                ended.set()
                return
            for asked in made[0].greet(connection, plugins=[PluginInfo("p", "p", "1", True, True, True)]):
                good = outcome("p")
                told = wire.notification("plugin/outcome", good) if asked["method"] == "plugin/reload" else b""
                answer = good if told else made[0].status()
                connection.sendall(told + wire.response(asked["id"], answer))

        made.append(ScriptedHost(evonic.root, os.getppid(), script))
        return evonic, begun, ended

    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize("how", ["evonic.connect", "endpoint", "no endpoint any more"])
async def test_a_link_that_is_given_up_stays_closed_and_the_save_goes_to_its_successor(hanging, window, how):
    evonic, begun, ended = hanging()
    endpoint = client.find(evonic.root).endpoint
    first = {"endpoint": endpoint} if how.startswith("no") else {}
    editor = await window(evonic.root, options={**QUICK, **first})
    editor.save(evonic.folder / "handler.py")
    await editor.state("pending", "p")
    assert await asyncio.to_thread(begun.wait, LIMIT)
    if how == "evonic.connect":
        given_up = editor.server.session.hosts.link(str(evonic.root))
        await editor.command("connect")
    else:
        given_up = next(link for _, link in editor.server.session.hosts)
        settings = {"evonic": {"endpoint": None if first else endpoint}}
        editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(settings))
    await editor.state("ok", "p")
    assert await asyncio.to_thread(ended.wait, LIMIT)
    assert not given_up.initialized
    assert [link.initialized for _, link in editor.server.session.hosts].count(True) == 1
    with pytest.raises(NoHost, match="given up"):
        await given_up.connect()


@pytest.mark.parametrize("told", [asyncio.CancelledError, NoHost])
async def test_whoever_waits_for_a_link_that_is_closed_is_told_and_not_cancelled(monkeypatch, told):
    """Where a Python lets a cancellation through, and where it lets the end of the connection through instead."""
    begun = asyncio.Event()

    async def hangs(link):
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise told from None

    monkeypatch.setattr(Link, "_connect", hangs)
    link = Link(*[lambda *what: None] * 4)
    waiting = [asyncio.create_task(link.connect()) for _ in range(2)]
    await begun.wait()
    waiting.append(asyncio.create_task(link.connect()))
    waiting[0].cancel()  # whoever is cancelled is, and the attempt goes on
    with pytest.raises(asyncio.CancelledError):
        await waiting.pop(0)
    assert link._connecting is not None
    begun.clear()
    link.close()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in found] == [NoHost, NoHost]
    assert not begun.is_set()  # no new attempt


# ── Who saved ──


@pytest.mark.parametrize("person", [False, True])
@pytest.mark.parametrize("known", [False, True])
async def test_a_question_comes_of_a_persons_save_only(host, window, person, known):
    """A checkout while Evonic was down is none; `known`: whether the Evonic of the plugin was known by then."""
    evonic = host()
    folder = evonic.plugin("p", hotreload=False, decided=False)
    source = folder if known else folder.rename(evonic.root.parent / "source")
    if not known:
        folder.symlink_to(source)
    editor = await window(source, options=QUICK)
    if person:
        editor.save(source / "handler.py")
        await editor.state("disconnected", "p")
    editor.watched(source / "handler.py")
    await editor.state("disconnected", "p")
    evonic.start()
    await editor.state("idle", "p")
    await editor.command("status")
    await editor.command("status")
    questions = [each for each in editor.questions if "Reload the plugin p" in each.message]
    assert len(questions) == person


# ── No answer ──


@pytest.fixture
async def silent(host, window, monkeypatch):
    """(host, the editor's folder, editor, go_on): the plugin p was saved, and is reloaded once `go_on` is set."""
    monkeypatch.setattr(session, "SLOW", 0.05)
    evonic = host()
    folder = evonic.plugin("p")
    go_on, plain = threading.Event(), evonic.outcome

    def slow(plugin, asked_by):
        assert go_on.wait(LIMIT)
        return plain(plugin, asked_by)

    evonic.outcome = slow
    evonic.start()
    editor = await window(folder, options=QUICK)
    editor.save(folder / "handler.py")
    return evonic, folder, editor, go_on


async def test_a_host_that_does_not_answer_is_told_of_once_until_it_goes_on(silent, monkeypatch):
    _, folder, editor, go_on = silent
    told = await editor.until(lambda: [each for each in editor.statuses if "has not answered" in each["message"]])
    assert [(each["state"], each["plugin"]) for each in told] == [("reloading", "p")]
    go_on.set()
    await editor.state("ok", "p")
    monkeypatch.setattr(session, "SLOW", 15.0)
    editor.save(folder / "handler.py")
    await editor.state("ok", "p")
    assert not [each for each in editor.statuses if "has not answered" in each["message"]]


async def test_a_host_that_did_not_answer_and_goes_away(silent):
    evonic, _, editor, go_on = silent
    await editor.until(lambda: any("has not answered" in each["message"] for each in editor.statuses))
    await asyncio.to_thread(evonic.stop)
    await editor.state("disconnected", "p")
    go_on.set()
    evonic.start()
    await editor.state("ok", "p")


async def test_a_reload_by_hand_that_is_refused_does_not_stay_reloading(host, window):
    evonic = host()
    folder = evonic.plugin("p")
    evonic.start()
    editor = await window(folder, options=QUICK)
    with pytest.raises(Exception, match="there is no plugin q"):
        await editor.command("reload", "q")
    await editor.state("reloading", "q")
    await editor.state("idle", "q")
