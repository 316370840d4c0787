"""What the faults are thrown at: a listener without a host, fake hosts, one sandbox for all, and other users."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import hosts
import pytest
from e2e.conftest import Plugin
from faults import faulty
from hypothesis import HealthCheck, settings

from evonic_lsp.bridge import wire
from evonic_lsp.bridge.client import Client
from evonic_lsp.bridge.listener import Listener
from evonic_lsp.bridge.wire import HostStatus, WireError

settings.register_profile(
    "faults", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], print_blob=True
)
settings.load_profile("faults")


@pytest.fixture(autouse=True)
def runtime_dir(monkeypatch):
    """Ours alone and short, as the path of a socket must be; whatever a test leaves there is a fault."""
    folder = tempfile.mkdtemp(prefix="evf")
    monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
    yield Path(folder) / "evonic-lsp"
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "evonic"
    folder.mkdir()
    return folder


@pytest.fixture
def answers():
    """method -> what a call of it returns or raises; a test fills in more."""
    return {"initialize": HostStatus("/r", "/r/plugins", "1", wire.VERSION, os.getpid(), True)}


@pytest.fixture
def listener(root, answers):
    def answer(method, params):
        value = answers.get(method, WireError(wire.METHOD_NOT_FOUND, f"no method {method}"))
        if callable(value):
            value = value(params)
        if isinstance(value, Exception):
            raise value
        return value

    made = Listener(str(root), str(root / "plugins"), answer)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def nobody(tmp_path):
    """nobody(code, *arguments) -> (exit status, output) of Python code that runs as another user."""
    if not hasattr(os, "getuid") or os.getuid() != 0:
        pytest.skip("only root can become another user: what another user may do was NOT tested")

    def run(code: str, *arguments: object, imports: str = "") -> tuple[int, str]:
        # It imports before it lets go of its rights: the sources may lie where others cannot read.
        start = (
            "import json, os, socket, sys\nfrom pathlib import Path\n"
            "from evonic_lsp.bridge import client, rendezvous, wire\nfrom evonic_lsp.bridge.client import NoHost\n"
            f"{imports}os.setgroups([]); os.setgid({faulty.NOBODY}); os.setuid({faulty.NOBODY})\n"
        )
        command = [sys.executable, "-c", start + code, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd="/")
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.fixture
def commons():
    """A folder that every user of this machine may use."""
    folder = tempfile.mkdtemp(prefix="evc")
    os.chmod(folder, 0o777)
    yield Path(folder)
    shutil.rmtree(folder)


@pytest.fixture
def host(tmp_path):
    """host(name="evonic") -> a FakeHost, not started."""
    made: list[faulty.FakeHost] = []

    def make(name: str = "evonic") -> faulty.FakeHost:
        made.append(faulty.FakeHost(tmp_path / name))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def evonic(host):
    """A fake host, not running, with the plugin p."""
    made = host()
    made.folder = made.plugin("p")
    return made


# ── A real one ──


@pytest.fixture(scope="session")
def shared_runtime():
    folder = tempfile.mkdtemp(prefix="evf")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def sandbox_model(tmp_path_factory):
    """A root of the sandbox that is copied and never run: the commands that make it take a while."""
    return faulty.make_sandbox(tmp_path_factory.mktemp("model") / "root")


@pytest.fixture
def sandbox_root(sandbox_model, tmp_path, runtime_dir):
    """A root of the sandbox for this test alone, the bridge, the inspector and the gate in it."""
    return shutil.copytree(sandbox_model, tmp_path / "sandbox root")


@pytest.fixture
def own_sandbox(sandbox_root):
    """own_sandbox() -> a running sandbox for this test alone, which may end it."""
    made: list[hosts.RunningHost] = []

    def start() -> hosts.RunningHost:
        made.append(hosts.RunningHost(sandbox_root).start())
        return made[-1]

    yield start
    for each in made:
        each.stop()


@pytest.fixture(scope="session")
def running(shared_runtime, sandbox_model, tmp_path_factory):
    """One running sandbox that no test may end."""
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = shared_runtime
    try:
        root = shutil.copytree(sandbox_model, tmp_path_factory.mktemp("sandbox") / "root")
        made = hosts.RunningHost(root).start()
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
    yield made
    made.stop()


@pytest.fixture
def sandbox(running, shared_runtime, runtime_dir, monkeypatch):
    """The shared sandbox, and a client of it."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", shared_runtime)
    return running


@pytest.fixture
def gate(sandbox):
    """The :class:`faulty.Gate` of the shared sandbox."""
    return faulty.Gate(sandbox)


@pytest.fixture
def client(sandbox):
    with sandbox.client() as connected:
        yield connected


@pytest.fixture
def plugin(sandbox, client: Client):
    """plugin(id, **files) -> a plugin of the shared sandbox, enabled."""
    made: list[Plugin] = []

    def make(id: str, **files: Any) -> Plugin:
        made.append(Plugin(sandbox, client, id))
        return made[-1].write(**files).enable()

    yield make
    for each in made:
        os.chmod(each.folder, 0o755) if each.folder.is_dir() else None
        sandbox.inspect("toggle", plugin=each.id, enabled=False)
        shutil.rmtree(each.folder, ignore_errors=True)


@pytest.fixture
def probe(plugin):
    """A plugin that answers with what its ``db.py`` holds."""

    def make(id="probe"):
        made = plugin(id, handler=faulty.HANDLER, db="VALUE = 1\n", routes=faulty.ROUTES.format(id=id))
        assert made.reload().status in (wire.RELOADED, wire.UNCHANGED)
        return made

    return make


@pytest.fixture(autouse=True)
def nothing_left(runtime_dir):
    """No thread of ours outlives a test, but that of a queue, which lives as long as its process."""
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        if thread.name.startswith("evonic-lsp") and thread.name != "evonic-lsp reload":
            thread.join(5)
            assert not thread.is_alive(), f"{thread.name} was left behind"
