"""Hosts that misbehave on purpose, and what measures them."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import threading
import time
from pathlib import Path
from typing import Any, Callable, Iterator

import hosts
from e2e.test_editor import ROUTES as ROUTES
from lsp.conftest import FakeHost as FakeHost

from evonic_lsp.bridge import rendezvous, wire
from evonic_lsp.bridge.client import connect, find
from evonic_lsp.bridge.rendezvous import Announcement
from evonic_lsp.bridge.wire import HostStatus, Outcome
from evonic_lsp.install import install

NOBODY = 65534
HANDLER = "from . import db\n"
LIMIT = 15.0
GATE = Path(__file__).parent / "gate"


def make_sandbox(folder: Path) -> Path:
    """A sandbox with the bridge, the inspector and the gate, all enabled."""
    root = hosts.make_root("sandbox", folder)
    install(root)
    for plugin in (hosts.INSPECTOR, GATE):
        shutil.copytree(plugin, root / "plugins" / plugin.name)
        assert hosts.evonic(root, "plugin", "enable", plugin.name).returncode == 0
    return root


class Gate:
    """Stops a sandbox at a step of its bridge: ``module:Class.function``, see ``gate/routes.py``."""

    def __init__(self, host: hosts.RunningHost) -> None:
        self._host = host

    def die_at(self, step: str, when: str = "before", only: Any = None) -> None:
        """The host ends there."""
        self._host.get("/plugin/gate/at", {"step": step, "then": "die", "when": when, "only": only})

    @contextlib.contextmanager
    def waits_at(self, step: str, when: str = "before", only: Any = None) -> Iterator[Callable[[], None]]:
        """The host waits there until the block ends; what is yielded returns when it has begun to wait."""
        self._host.get("/plugin/gate/at", {"step": step, "then": "wait", "when": when, "only": only})

        def reached() -> None:
            assert self._host.get("/plugin/gate/reached", {}), f"{step} was not reached"

        try:
            yield reached
        finally:
            self._host.get("/plugin/gate/open", {})

    @contextlib.contextmanager
    def clock_off_by(self, seconds: float) -> Iterator[None]:
        """The clock of the host has jumped."""
        self._host.get("/plugin/gate/clock", {"seconds": seconds})
        try:
            yield
        finally:
            self._host.get("/plugin/gate/clock", {"seconds": 0})

    def tell(self, times: int, size: int) -> None:
        """Every client is told something long, so many times."""
        self._host.get("/plugin/gate/tell", {"times": times, "size": size})

    def pass_on(self, name: str) -> None:
        """What the inspector holds of a plugin, somebody else holds from now on."""
        self._host.get("/plugin/gate/pass_on", {"name": name})

    def log(self, plugin: str, times: int, size: int, character: str = "x") -> None:
        """A plugin logs so many lines at once."""
        given = {"plugin": plugin, "times": times, "size": size, "character": character}
        self._host.get("/plugin/gate/log", given)


class Wire:
    """A connection to a host without a client: any JSON out, any message in."""

    def __init__(self, root: Path) -> None:
        self.socket = connect(find(root).endpoint, LIMIT)
        self._stream = self.socket.makefile("rb")
        self.socket.sendall(hello(0))
        assert self.answer(0)["result"]

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._stream.close()
        self.socket.close()

    def send(self, method: str, params: Any, number: int | None = None) -> None:
        """A request, or a notification without a number."""
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        self.socket.sendall(json.dumps({**message, "id": number} if number is not None else message).encode() + b"\n")

    def receive(self) -> dict[str, Any]:
        """The next message."""
        line = self._stream.readline()
        if not line:
            raise ConnectionResetError("the host has hung up")
        return dict(json.loads(line))

    def answer(self, number: int) -> dict[str, Any]:
        """The answer of this number; what else arrives before it is dropped."""
        while (message := self.receive()).get("id") != number or "method" in message:
            pass
        return message


def memory_of(pid: int | str = "self") -> int:
    """What a process holds in memory now, in bytes (Linux)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


def threads_of(pid: int | str = "self") -> int:
    """How many threads a process has (Linux)."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def files_of(pid: int | str = "self") -> int:
    """How many files and sockets a process has open (Linux)."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def processes_in(runtime_dir: str) -> list[int]:
    """The processes of this environment, but for ourselves (Linux)."""
    wanted, found = f"XDG_RUNTIME_DIR={runtime_dir}\0".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile, or is somebody else's
            if wanted in (folder / "environ").read_bytes() and folder.name != str(os.getpid()):
                found.append(int(folder.name))
    return found


def until(holds: Callable[[], Any]) -> None:
    """Asks again and again, for what tells nobody when it happens: each question goes to another process."""
    end = time.monotonic() + LIMIT
    while not holds():
        assert time.monotonic() < end


def hello(number: int = 1, **changes: Any) -> bytes:
    """The first line of a client."""
    return wire.request(number, "initialize", {"protocol": wire.PROTOCOL, "version": wire.VERSION, **changes})


def outcome(plugin: str, status: str = wire.RELOADED, message: str = "reloaded", **more: Any) -> Outcome:
    return Outcome(plugin, status, message, wire.SAVE, 1.0, 1, **more)


def lines(connection):
    """Every message until the host closes."""
    stream = connection.makefile("rb")
    try:
        return [json.loads(line) for line in stream]
    except ConnectionResetError:
        return []


class ScriptedHost:
    """Listens as a host does, and lets `script(number, connection)` say whatever it likes on each connection.

    `number` counts the connections from 1. A script that returns closes its connection.
    """

    def __init__(self, root: Path, pid: int, script: Callable[[int, socket.socket], None]) -> None:
        self.root = root
        self.script = script
        self.connections = 0
        self.arrived = threading.Condition()
        folder = rendezvous.usable_runtime_dirs()[0]
        self._path = folder / f"host-{pid}.sock"
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listening.bind(str(self._path))
        self._listening.listen(64)
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()
        self._files = rendezvous.announce(
            Announcement(
                wire.PROTOCOL, wire.VERSION, pid, str(root), str(root / "plugins"), f"unix:{self._path}", 1e12
            ),
            [folder],
        )
        rendezvous.ring_bells([folder])

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            connection.settimeout(LIMIT)
            self._open.append(connection)
            with self.arrived:
                self.connections += 1
                number = self.connections
                self.arrived.notify_all()
            self._threads.append(threading.Thread(target=self._run, args=(number, connection), daemon=True))
            self._threads[-1].start()

    def _run(self, number: int, connection: socket.socket) -> None:
        try:
            self.script(number, connection)
        except OSError:
            pass  # the client went away
        finally:
            connection.close()

    def status(self, **changes: Any) -> dict[str, Any]:
        """What `initialize` is answered with."""
        plain = HostStatus(str(self.root), str(self.root / "plugins"), "9", wire.VERSION, 1, True, **changes)
        return dict(wire.to_json(plain))

    def greet(self, connection: socket.socket, **changes: Any) -> Any:
        """Answers `initialize`; returns an iterator over the requests that follow, decoded."""
        stream = connection.makefile("rb")
        line = stream.readline()
        if not line:
            raise ConnectionResetError("the client went away")
        first = json.loads(line)
        assert first["method"] == "initialize"
        connection.sendall(wire.response(first["id"], self.status(**changes)))
        return (message for message in map(json.loads, stream) if "id" in message)

    def close(self) -> None:
        """The host has ended; again does nothing."""
        if self._listening.fileno() < 0:
            return
        for file in (*self._files, self._path):
            file.unlink(missing_ok=True)
        # A mere close does not wake the thread that accepts.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._threads[0].join(5)
        for connection in self._open:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # closed already
        for thread in self._threads:
            thread.join(5)


def value(probe):
    return probe.host.get(f"/plugin/{probe.id}/value")


def heals(probe, number):
    """A good save brings the new version, whatever was before."""
    probe.write(handler=HANDLER, db=f"VALUE = {number}\n", routes=ROUTES.format(id=probe.id))
    outcome = probe.reload()
    assert (outcome.status, value(probe)) == (wire.RELOADED, number), outcome
