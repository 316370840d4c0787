"""What a host may say to the language server: cut, late, doubled, shuffled, too long, meaningless, and nothing.

Whatever it was: the editor's picture becomes true again by itself, at the latest with the next save.
"""

from __future__ import annotations

import asyncio
import os
import threading

import pytest
from faults import faulty

from evonic_lsp.bridge import wire
from evonic_lsp.bridge.wire import Place, PluginInfo, Problem, Related

QUICK = {"debounce": 0}
LONG = "x" * (wire.MAX_MESSAGE + 100)


def broken(plugin="p", message="NameError: x", **place):
    start = {"start_line": 0, "start_column": 0, "end_line": 0, "end_column": 1}
    where = Place(**{"file": "handler.py", "plugin": plugin, **start, **place})
    return faulty.outcome(plugin, wire.REJECTED, message, problems=[Problem("NameError", message, place=where)])


@pytest.fixture
def scripted(evonic):
    made = []

    def make(script):
        made.append(faulty.ScriptedHost(evonic.root, os.getppid(), script))
        return made[-1]

    yield make
    for each in made:
        each.close()


async def recovers(evonic, window_, state="ok"):
    """A good host takes over, and the picture becomes true."""
    window_.statuses.clear()
    evonic.start()
    window_.save(evonic.folder / "handler.py")
    await window_.state(state, "p")
    await window_.until(lambda: not any(window_.shown.values()))


# What is said after `initialize` was answered, with the connection left open.
NONSENSE = {
    "no JSON": b"nonsense\n",
    "no UTF-8": b"\xff\xfe\n",
    "cut": wire.notification("plugin/outcome", broken())[:-40],
    "no object": b"[1]\n",
    "too long": wire.encode({"method": "x"})[:-2] + LONG.encode() + b"\n",
    "no end": LONG.encode(),
    "deep": b'{"jsonrpc":"2.0","method":"plugin/outcome","params":' + b"[" * 100_000 + b"\n",
    "an answer to nothing": wire.response(99, {}) + wire.response("a", 1) + wire.failure(None, wire.WireError(1, "x")),
    "a request of the host": wire.encode({"id": 1, "method": "plugin/outcome", "params": {}}),
    "nothing of worth": wire.notification("plugin/outcome", None) + wire.notification("plugin/outcome", []),
    "no outcome": wire.notification("plugin/outcome", {"plugin": 1}) + wire.notification("hotreload/changed", {"x": 1}),
    "numbers": b'{"jsonrpc":"2.0","method":"plugin/outcome","params":{"durationMs":1e999,"plugin":"p","status":"ok",'
    b'"message":"m","askedBy":"s","at":NaN,"generation":99999999999999999999}}\n',
    "a strange place": wire.notification("plugin/outcome", broken(file="a\0b")),
    "a lone surrogate": wire.notification("plugin/outcome", broken("\ud800", file="\udfff.py", message="\ud800")),
    "a climbing plugin": wire.notification("plugin/outcome", broken("../../../etc", file="passwd")),
    "an absolute plugin": wire.notification("plugin/outcome", broken("/etc", file="passwd")),
    "a long name": wire.notification("plugin/outcome", broken("n" * 5000, file="m" * 5000)),
    "related nonsense": wire.notification("plugin/outcome", faulty.outcome("p", wire.REJECTED, "m", problems=[
        Problem("x", "m", related=[Related("r", Place("../x", -1, -5, -9, 10**30, "\0")), Related("")])])),
    "a negative range": wire.notification("plugin/outcome", faulty.outcome("p", wire.STUCK, "m", problems=[
        Problem("x", "m", "no severity", place=Place("handler.py", -3, -1, 10**12, 10**12, "p"))])),
}  # fmt: skip


@pytest.mark.parametrize("nonsense", NONSENSE)
async def test_after_nonsense_a_save_works_again(evonic, scripted, window, nonsense):
    """On the same connection if it can go on, else on the next."""

    def script(number, connection):
        requests = talk.greet(connection, plugins=[PluginInfo("p", "p", "1", True, True, True)])
        if number == 1:
            connection.sendall(NONSENSE[nonsense])
        for asked in requests:
            outcome = faulty.outcome("p")
            connection.sendall(wire.notification("plugin/outcome", outcome) + wire.response(asked["id"], outcome))

    talk = scripted(script)
    editor = await window(evonic.root, options=QUICK)
    await editor.until(lambda: any(each["state"] in ("idle", "disconnected") for each in editor.statuses))
    editor.save(evonic.folder / "handler.py")
    await editor.state("ok", "p")
    assert talk.connections <= 2
    assert not any("/etc" in uri or "%00" in uri for uri in editor.shown)
    await editor.until(lambda: not any(editor.shown.get((evonic.folder / "handler.py").as_uri(), ())))


@pytest.mark.parametrize("cut", ["silent", "before", "half", "after", "reset"])
async def test_a_host_that_dies_in_a_reload(evonic, scripted, window, cut):
    """Before its answer, in the middle of it, and between the outcome and the answer."""

    def script(number, connection):
        requests = talk.greet(connection, plugins=[PluginInfo("p", "p", "1", True, True, True)])
        asked = next(requests)
        answer = wire.response(asked["id"], broken())
        if cut == "half":
            connection.sendall(answer[: len(answer) // 2])
        elif cut == "after":
            connection.sendall(wire.notification("plugin/outcome", broken()))
        elif cut == "reset":
            connection.setsockopt(1, 13, b"\1\0\0\0\0\0\0\0")  # SO_LINGER 0: the end without a goodbye

    talk = scripted(script)
    editor = await window(evonic.root, options=QUICK)
    await editor.state("idle")
    editor.save(evonic.folder / "handler.py")
    await editor.state("disconnected")
    talk.close()
    await recovers(evonic, editor)
    assert evonic.reloads()[-1] == ("p", wire.SAVE)


async def test_a_host_that_hangs_up_after_each_greeting_is_not_called_for_ever(evonic, scripted, window):
    def script(number, connection):
        talk.greet(connection)
        threading.Event().wait(0.02)  # it lives so long

    talk = scripted(script)
    editor = await window(evonic.root, options=QUICK)
    await editor.state("disconnected")
    await asyncio.sleep(0.3)  # how long nothing must happen
    assert talk.connections < 20
    talk.close()
    await recovers(evonic, editor)


async def test_a_host_that_answers_with_the_wrong_thing(evonic, scripted, window):
    def script(number, connection):
        requests = talk.greet(connection, plugins=[PluginInfo("p", "p", "1", True, True, True)])
        for answer in ([], {"plugin": 1}, None, "x"):
            asked = next(requests)
            connection.sendall(wire.response(asked["id"], answer))
        connection.recv(1)

    talk = scripted(script)
    editor = await window(evonic.root, options=QUICK)
    await editor.state("idle")
    for _ in range(4):
        editor.save(evonic.folder / "handler.py")
        await editor.state("reloading", "p")
        await editor.state("idle", "p")
    talk.close()
    await recovers(evonic, editor)


async def test_answers_that_come_late_doubled_and_in_another_order(evonic, scripted, window):
    """Two plugins at once; the second is answered first, and twice, then the first."""
    evonic.plugin("q")
    infos = [PluginInfo(each, each, "1", True, True, True) for each in "pq"]

    def script(number, connection):
        requests = talk.greet(connection, plugins=infos)
        asked = [next(requests) for _ in range(2)]
        for each in asked[::-1]:
            outcome = faulty.outcome(each["params"]["plugin"])
            line = wire.notification("plugin/outcome", outcome) + wire.response(each["id"], outcome)
            connection.sendall(line + line)
        connection.sendall(wire.notification("plugin/outcome", faulty.outcome("p", wire.UNCHANGED, "the last word")))
        connection.recv(1)

    talk = scripted(script)
    editor = await window(evonic.root, options=QUICK)
    await editor.state("idle")
    for each in "pq":
        editor.save(evonic.root / "plugins" / each / "handler.py")
    await editor.until(lambda: any(each["message"] == "the last word" for each in editor.statuses))
    seen = [(each["plugin"], each["state"]) for each in editor.statuses]
    assert seen.count(("p", "reloading")) == seen.count(("q", "reloading")) == 1


async def test_a_host_that_never_greets_does_not_hold_the_editor(evonic, scripted, window, monkeypatch):
    """Stopped by Ctrl-Z, say. Another one that starts is found all the same."""
    from evonic_lsp import link

    monkeypatch.setattr(link, "GREETING_LIMIT", 0.3)
    talk = scripted(lambda number, connection: connection.recv(10_000_000) and connection.recv(1))
    editor = await window(evonic.root, options=QUICK)
    editor.save(evonic.folder / "handler.py")
    status = await editor.state("disconnected", "p")
    assert "did not answer" in status["message"]
    talk.close()
    await recovers(evonic, editor)


async def test_a_folder_without_rights_does_not_end_the_connection(evonic, window, monkeypatch):
    """What the editor may not look into is no fault of the host."""
    inside, outside = (
        Place(file, 0, 0, 0, 1, plugin) for file, plugin in (("handler.py", "p"), ("backend/x.py", None))
    )
    evonic.outcome = lambda plugin, asked_by: faulty.outcome(
        "p", wire.REJECTED, "m", problems=[Problem("x", "m", place=place) for place in (inside, outside, None)]
    )
    evonic.start()
    editor = await window(evonic.root, options=QUICK)
    await editor.state("idle")
    real = os.stat

    def forbidden(path, *args, **options):
        if str(path).endswith(("plugins/p/handler.py", "backend/x.py")):
            raise PermissionError(13, "Permission denied", path)
        return real(path, *args, **options)

    monkeypatch.setattr(os, "stat", forbidden)
    editor.save(evonic.folder / "db.py")
    await editor.state("failed", "p")
    monkeypatch.undo()
    assert [each for each in editor.statuses if each["state"] == "disconnected"] == []
