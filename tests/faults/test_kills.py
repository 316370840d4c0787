"""A real host, killed at every step of a reload by what it reloads; and clients killed while it reloads for them."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import hosts
import pytest
from faults import faulty
from faults.test_stdio import Editor, linux, saved

from evonic_lsp.bridge import rendezvous, wire
from evonic_lsp.bridge.client import Client, NoHost, find
from evonic_lsp.link import Link

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
import os, traceback
def die():
    if not os.path.exists({mark!r}):
        with open({mark!r}, "w") as file:
            file.write("".join(traceback.format_stack()))
        os.kill(os.getpid(), 9)
"""
BLUEPRINT = "def create_blueprint():\n    from .routes import bp\n    {}\n    return bp\n"
# A registration with a say in how it is compared with the one before it.
GUARD = """
from backend.plugin_hooks import register_tool_guard
class Guard:
    def __call__(self, *arguments):
        return None
    def __getattr__(self, name):
        if name == "__qualname__":
            die()
        raise AttributeError(name)
register_tool_guard(Guard())
"""
POOL = """
from concurrent.futures import ThreadPoolExecutor
class Pool(ThreadPoolExecutor):
    def shutdown(self, *arguments, **options):
        die()
pool = Pool(1)
pool.submit(int).result()
"""
# What ends the host: in the code that serves, in the code that is saved, and the function of ours that was at work.
STEPS = {
    "import": ("", "die()\n", "in import_all"),
    "blueprint": ("", BLUEPRINT.format("die()"), "in import_all"),
    "record": ("", BLUEPRINT.format("bp.record(lambda state: die())"), "in _validate"),
    "hot_save": ("def hot_save(sdk):\n    die()\n", "def hot_restore(sdk, state):\n    pass\n", "in hand_over"),
    "hot_restore": ("", "def hot_restore(sdk, state):\n    die()\n", "in hand_over"),
    "commit": (
        "from backend.plugin_hooks import register_tool_guard\nregister_tool_guard(print)\n",
        GUARD,
        "in commit",
    ),
    "on_unload": ("def on_unload(sdk):\n    die()\n", "", "in on_unload"),
    "on_load": ("", "def on_load(sdk):\n    die()\n", "in on_load"),
    "retire": (POOL, "", "in retire"),
    "thread": ("", "import threading\nthreading.Timer(0.0, die).start()\n", "in run"),
}
# And the same between them, in the bridge itself: before or after a call of these.
BRIDGE_STEPS = [
    ("reload:Engine.prepare", "before"),
    ("snapshot:check", "before"),
    ("reload:Engine.prepare", "after"),
    ("reload:Engine.reload", "before"),
    ("reload:Engine.load", "before"),
    ("kinds.routes:LiveRoutes.validate", "after"),
    ("kinds.routes:LiveRoutes.commit", "after"),
    ("kinds.events:EventHandlers.commit", "after"),
    ("kinds.modules:Modules.commit", "after"),
    ("kinds.modules:Modules.retire", "before"),
    ("snapshot:forget_bytecode", "before"),
    ("listener:Listener.notify", "before"),
    ("listener:Listener.notify", "after"),
    ("reload:Engine.reload", "after"),
]


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
    text += "#" * number  # another size: the host must not take the bytecode of what was there in the same second
    hosts.write_plugin(host.root, "p", handler=text, routes=ROUTES)
    return host.root / "plugins" / "p" / "handler.py"


def left(host, runtime_dir):
    """The announcements and sockets of hosts."""
    folders = (runtime_dir, rendezvous.run_dir(host.root))
    return {each.stem for folder in folders for each in folder.glob("host-*")}


async def comes_back(host, editor, number, step):
    """After the end of `host`: it starts again, what was saved serves, and the editor says so by itself."""
    await editor.until(lambda: any(each["state"] == "disconnected" for each in editor.statuses), step)
    assert await asyncio.to_thread(host.process.wait, 10) == -signal.SIGKILL
    told = len(editor.statuses)
    await asyncio.to_thread(host.start)

    def true_again():
        connected = any(each["state"] == "idle" and each["plugin"] is None for each in editor.statuses[told:])
        of_p = [each["state"] for each in editor.statuses if each["plugin"] == "p"]
        return connected and of_p[-1] == "ok"

    await editor.until(true_again, step)
    assert host.get("/plugin/p/value") == number, step
    assert not any(each.severity == 1 for all_ in editor.shown.values() for each in all_), step


async def save(host, editor, number, more=""):
    """A save that goes well."""
    editor.statuses.clear()
    editor.save(write(host, number, more))
    await editor.state("ok", "p")
    editor.statuses.clear()


async def test_a_host_killed_at_each_step_comes_back_and_the_editor_follows(doomed, window, runtime_dir):
    """One host, one editor, every step: the new version serves after the restart, and the editor says so."""
    editor = await window(doomed.root, options={"debounce": 0})
    await editor.state("idle")
    for number, (step, (before, now, where)) in enumerate(STEPS.items(), 1):
        await save(doomed, editor, number * 10, before)
        editor.save(write(doomed, number * 10 + 1, now or "pass\n"))
        await comes_back(doomed, editor, number * 10 + 1, step)
        assert where in (died := (doomed.root / "died").read_text()), f"{step}\n{died}"
        assert left(doomed, runtime_dir) == {f"host-{doomed.process.pid}"}
    await save(doomed, editor, 999)
    assert doomed.get("/plugin/p/value") == 999
    assert [each.code for all_ in editor.shown.values() for each in all_] == ["hot_save"]  # a warning
    doomed.stop()  # a signal that Evonic does not handle: whoever looks next takes its files away
    assert rendezvous.hosts(doomed.root) == []
    assert left(doomed, runtime_dir) == set()


async def test_a_host_killed_between_the_steps_comes_back_and_the_editor_follows(doomed, window, runtime_dir):
    """As above, where nothing of the plugin runs: while it is prepared, compiled, committed, told."""
    editor = await window(doomed.root, options={"debounce": 30})
    await editor.state("idle")
    for number, (step, when) in enumerate(BRIDGE_STEPS, 2):
        editor.statuses.clear()
        faulty.Gate(doomed).die_at(step, when, only="plugin/outcome" if step.endswith("notify") else None)
        editor.save(write(doomed, number))
        await comes_back(doomed, editor, number, f"{when} {step}")
    assert left(doomed, runtime_dir) == {f"host-{doomed.process.pid}"}
    await save(doomed, editor, 99)
    assert doomed.get("/plugin/p/value") == 99


async def test_a_host_killed_from_outside_while_it_compiles(doomed, window):
    """What was announced, and is big, is compiled while the editor still waits for further saves."""
    editor = await window(doomed.root, options={"debounce": 60_000})
    await editor.state("idle")
    (doomed.root / "plugins" / "p" / "big.py").write_text("x = [1, 2, 3]\n" * 50_000)
    with faulty.Gate(doomed).waits_at("reload:Engine.prepare") as reached:
        editor.save(write(doomed, 2))
        await asyncio.to_thread(reached)
    doomed.process.kill()
    editor.server.session.configure({"debounce": 0})
    editor.save(write(doomed, 2))
    await comes_back(doomed, editor, 2, "compile")


# Where the host waits while its client is killed.
CLIENT_STEPS = {
    "connected": ("service:Service.status", "after", None),
    "announced": ("queue:ReloadQueue.expect", "after", None),
    "asked": ("queue:ReloadQueue.submit", "before", "p"),
    "check": ("snapshot:check", "before", None),
    "import": ("generation:StagedGeneration.import_all", "before", None),
    "commit": ("kinds.modules:Modules.commit", "before", "p"),
    "told, not answered": ("listener:Listener.notify", "after", "plugin/outcome"),
}


def goes_on(host, number, files):
    """Whoever comes next is served, and nothing is left of who was killed."""
    write(host, number)
    with Client(find(host.root), "witness") as client:
        assert client.reload("p").status == wire.RELOADED
        assert host.get("/plugin/p/value") == number
        faulty.until(lambda: client.status() and faulty.files_of(host.process.pid) <= files + 1)
    assert faulty.processes_in(os.environ["XDG_RUNTIME_DIR"]) == [host.process.pid]


@linux
def test_command_lines_killed_at_each_step_leave_a_host_that_reloads(doomed):
    command = [sys.executable, "-m", "evonic_lsp", "reload", "p", "--evonic", str(doomed.root)]
    files = faulty.files_of(doomed.process.pid)
    for number, (step, at) in enumerate(CLIENT_STEPS.items(), 1):
        if step == "announced":
            continue  # which only editors do
        write(doomed, number * 10)
        with faulty.Gate(doomed).waits_at(*at) as reached:
            killed = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            reached()
            killed.send_signal(signal.SIGKILL if number % 2 else signal.SIGINT)
            killed.wait(10)
        goes_on(doomed, number * 10 + 1, files)


@linux
def test_language_servers_killed_at_each_step_leave_a_host_that_reloads(doomed):
    files = faulty.files_of(doomed.process.pid)
    editors = {}
    try:
        for step in CLIENT_STEPS:
            if step != "connected":
                editors[step] = Editor(doomed.root)
        for editor in editors.values():
            editor.state("idle", None)
        with faulty.Gate(doomed).waits_at(*CLIENT_STEPS["connected"]) as reached:
            killed = Editor(doomed.root)
            reached()
            assert killed.end(signal.SIGKILL) == -signal.SIGKILL
        for number, (step, editor) in enumerate(editors.items(), 1):
            with faulty.Gate(doomed).waits_at(*CLIENT_STEPS[step]) as reached:
                editor.send(saved(write(doomed, number * 10)))
                reached()
                assert editor.end(signal.SIGKILL) == -signal.SIGKILL
    finally:
        for editor in editors.values():
            editor.end(signal.SIGKILL)
    goes_on(doomed, 99, files)


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


async def test_a_host_that_starts_in_the_very_moment_in_which_an_attempt_to_connect_has_failed(evonic):
    """Its bell rings once. Whoever hears it must not take the attempt that has just ended for their own."""

    def find_():
        try:
            return find(evonic.root)
        finally:
            if evonic.listener is None:
                evonic.start()

    link = Link(find_, lambda status: None, lambda method, params: None, lambda: None)

    async def rang():
        await asyncio.sleep(0)  # until the attempt has been made, and nobody was told of its end yet
        await link.connect()

    try:
        failed, connected = await asyncio.gather(link.connect(), rang(), return_exceptions=True)
        assert isinstance(failed, NoHost)
        assert connected is None
    finally:
        link.close()


def test_what_was_saved_in_the_second_of_the_start_and_not_yet_reloaded_serves_after_a_kill(doomed):
    """Bytecode of the same second and size would run in its place."""
    file = write(doomed, 1)
    os.utime(file, (1e9, 1e9))
    doomed.stop()
    doomed.start()  # its import leaves bytecode
    file.write_text(file.read_text().replace("VALUE = 1", "VALUE = 2"))
    os.utime(file, (1e9, 1e9))
    bytecode = Path(importlib.util.cache_from_source(str(file)))
    assert bytecode.exists()
    with doomed.client() as client:
        client.call("plugin/willReload", {"plugin": "p"})
        faulty.until(lambda: not bytecode.exists())
    doomed.stop(signal.SIGKILL)
    doomed.start()
    with doomed.client() as client:
        assert client.call("plugin/reload", {"plugin": "p", "askedBy": wire.SAVE})
    assert doomed.get("/plugin/p/value") == 2
