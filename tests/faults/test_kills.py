"""A real host, killed at every step of a reload by what it reloads; and clients killed while it reloads for them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import hosts
import pytest

from evonic_lsp.bridge import rendezvous, wire
from evonic_lsp.bridge.client import Client, find

GOOD = "VALUE = {}\ndef hot_save(sdk):\n    return 1\n"
ROUTES = """
from flask import Blueprint, jsonify
bp = Blueprint("p", __name__)
@bp.route("/plugin/p/value")
def value():
    from plugins.p.handler import VALUE
    return jsonify(VALUE)
def create_blueprint():
    return bp
"""
# Dies the first time only: what is on the disk must be loadable by the host that starts next.
DIE = """
import os
def die():
    if not os.path.exists({mark!r}):
        open({mark!r}, "w").close()
        os.kill(os.getpid(), 9)
"""
STEPS = {
    "import": "die()\n",
    "blueprint": "def create_blueprint():\n    die()\n    from .routes import bp\n    return bp\n",
    "restore": "def hot_restore(sdk, state):\n    die()\n",
    "on_load": "def on_load(sdk):\n    die()\n",
    "thread": "import threading\nthreading.Timer(0.0, die).start()\n",
}


@pytest.fixture
def doomed(own_sandbox, runtime_dir):
    """A running sandbox with the plugin p, opted in."""
    host = own_sandbox()
    hosts.write_plugin(host.root, "p", handler=GOOD.format(1), routes=ROUTES)
    assert host.inspect("toggle", plugin="p", enabled=True)
    with host.client() as client:
        client.switch(True, "p")
    assert host.get("/plugin/p/value") == 1
    return host


def write(host, number, more=""):
    mark = str(host.root / "died")
    if os.path.exists(mark):
        os.unlink(mark)
    text = GOOD.format(number) + (DIE.format(mark=mark) + more if more else "")
    hosts.write_plugin(host.root, "p", handler=text, routes=ROUTES)
    return host.root / "plugins" / "p" / "handler.py"


async def test_a_host_killed_at_each_step_comes_back_and_the_editor_follows(doomed, window, runtime_dir):
    """One host, one editor, every step: the new version serves after the restart, and the editor says so."""
    editor = await window(doomed.root, options={"debounce": 0})
    await editor.state("idle")
    for number, (step, code) in enumerate(STEPS.items(), 2):
        editor.statuses.clear()
        editor.save(write(doomed, number, code))
        await editor.until(lambda: any(each["state"] == "disconnected" for each in editor.statuses), step)
        assert doomed.process.wait(10) == -signal.SIGKILL
        editor.statuses.clear()
        doomed.start()
        # It connects by itself, and what was saved is served: read from the disk by the host, so nothing has changed.
        await editor.until(lambda: any(each["state"] == "idle" for each in editor.statuses), step)
        if step != "thread":  # whose answer may have come before the end
            await editor.state("ok", "p")
        assert doomed.get("/plugin/p/value") == number
        folders = (runtime_dir, rendezvous.run_dir(doomed.root))
        left = {each.stem for folder in folders for each in folder.glob("host-*")}
        assert left == {f"host-{doomed.process.pid}"}
    editor.save(write(doomed, 99))
    while (await editor.state("ok", "p"))["message"] != "reloaded":
        pass  # what was saved before the last end
    assert doomed.get("/plugin/p/value") == 99
    assert [each.code for all_ in editor.shown.values() for each in all_] == ["hot_save"]  # a warning
    doomed.stop()  # a signal that Evonic does not handle: whoever looks next takes its files away
    assert rendezvous.hosts(doomed.root) == []
    assert not list(runtime_dir.glob("host-*"))
    assert not list(rendezvous.run_dir(doomed.root).glob("host-*"))


def test_clients_killed_in_their_reloads_leave_a_host_that_reloads(doomed):
    """Each waits in the import of a module, and is killed there. The one after them is served."""
    gate = doomed.root / "gate"
    os.mkfifo(gate)
    command = [sys.executable, "-m", "evonic_lsp", "reload", "p", "--evonic", str(doomed.root)]
    for number in range(2, 6):
        hosts.write_plugin(
            doomed.root, "p", handler=f"open({str(gate)!r}).close()\n" + GOOD.format(number), routes=ROUTES
        )
        killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(gate, "wb"):  # returns when the import has begun to wait
            killed.send_signal(signal.SIGKILL if number % 2 else signal.SIGINT)
            killed.wait(10)
    write(doomed, 9)
    with Client(find(doomed.root), "witness") as client:
        assert client.reload("p").status == wire.RELOADED
    assert doomed.get("/plugin/p/value") == 9


def test_a_reload_that_never_returns_does_not_hold_the_host(doomed):
    doomed.inspect("configure", plugin=wire.BRIDGE_ID, values={"IMPORT_LIMIT": "0.3"})
    hosts.write_plugin(doomed.root, "p", handler="import threading\nthreading.Event().wait()\n", routes=ROUTES)
    with doomed.client() as client:
        started = time.monotonic()
        outcome = client.reload("p")
        assert outcome.status == wire.STUCK
        assert time.monotonic() - started < 15
        assert doomed.get("/plugin/p/value") == 1
        write(doomed, 2)
        assert client.reload("p").status == wire.RELOADED
    assert doomed.get("/plugin/p/value") == 2


def test_a_save_while_the_host_starts_is_not_taken_for_what_it_loaded(doomed):
    """The text of after the import, which is on the disk when the bridge comes, is not what runs."""
    doomed.stop()
    itself = f"import os\nwith open(__file__, 'w') as file:\n    file.write({GOOD.format(2)!r})\n"
    write(doomed, 1, itself)
    doomed.start()
    with doomed.client() as client:
        saved = {"plugin": "p", "askedBy": wire.SAVE}
        assert client.call("plugin/reload", saved)["status"] == wire.RELOADED
        assert doomed.get("/plugin/p/value") == 2
        assert client.call("plugin/reload", saved)["status"] == wire.UNCHANGED
