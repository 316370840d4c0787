"""Hosts for tests: the sandbox, and a copy of the real Evonic that ``EVONIC_ROOT`` names."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from evonic_lsp.bridge import rendezvous
from evonic_lsp.bridge.client import Client
from evonic_lsp.demo import copy_evonic

LIMIT = 30.0
INSPECTOR = Path(__file__).parent / "plugins" / "inspector"


def make_root(kind: str, folder: Path) -> Path:
    """A root of the host `kind` (``sandbox`` or ``evonic``) in `folder`, with nothing enabled."""
    if kind == "sandbox":
        from evonic_lsp.sandbox import create

        return create(folder)
    return copy_evonic(Path(os.environ["EVONIC_ROOT"]).resolve(), folder)


def environment() -> dict[str, str]:
    """The environment of a host: bytecode is written, as the faults of reloading hide where it is not."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "EVONIC_PYTHON": sys.executable, "PYTHONUNBUFFERED": "1"}


def evonic(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs ``./evonic …``."""
    command = [str(root / "evonic"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, env=environment(), cwd=root)


def interpreter(root: Path) -> str:
    """The Python that runs this host."""
    own = root / ".venv" / "bin" / "python"
    return str(own) if own.exists() else sys.executable


def write_plugin(root: Path, plugin: str, **files: Any) -> Path:
    """Writes a plugin; the manifest as a dict (`manifest`), ``handler=…`` as ``handler.py``."""
    folder = root / "plugins" / plugin
    folder.mkdir(parents=True, exist_ok=True)
    manifest = {"id": plugin, "name": plugin, "version": "1", "events": [], **files.pop("manifest", {})}
    _replace(folder / "plugin.json", json.dumps(manifest, indent=1))
    for name, text in files.items():
        _replace(folder / f"{name}.py", text)
    return folder


def _replace(file: Path, text: str) -> None:
    """Writes a file at one stroke: a reload may be reading it."""
    new = file.with_name(f".{file.name}.new")
    new.write_text(text)
    new.replace(file)


class RunningHost:
    """A server process of a host."""

    def __init__(self, root: Path, way: str = "app") -> None:
        self.root = root
        self.way = way
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> RunningHost:
        """Starts it, and returns when it answers: the bridge (if it is on) by its bell, then HTTP."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        env = {**environment(), "HOST": "127.0.0.1", "PORT": str(self.port)}
        app = [interpreter(self.root), "app.py"] if self.way == "app" else [str(self.root / "evonic"), "start"]
        log = open(self.root / "test-server.log", "ab")
        self.process = subprocess.Popen(app, cwd=self.root, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        self._wait_for_http()
        return self

    def _wait_for_http(self) -> None:
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            assert self.process is not None
            assert self.process.poll() is None, self.log()
            try:
                return self.get("/api/health") and None
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.02)  # a port has no event to wait for
        raise AssertionError("the host did not start\n" + self.log())

    def client(self) -> Client:
        """A connection to its bridge."""
        return Client(rendezvous.hosts(self.root)[0], "test")

    def get(self, path: str, data: Any = None) -> Any:
        """The JSON answer to a GET, or to a POST of `data`."""
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", body, {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=LIMIT) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code >= 400:
                error.msg += "\n" + self.log()
            raise

    def status_of(self, path: str) -> int:
        """The HTTP status of a GET."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=LIMIT) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def inspect(self, call: str, **arguments: Any) -> Any:
        """Calls a function of the inspector plugin in the server."""
        return self.get(f"/plugin/inspector/{call}", arguments)

    def log(self) -> str:
        """What the server has printed."""
        return (self.root / "test-server.log").read_text(errors="replace")[-5000:]

    def stop(self, how: int = signal.SIGTERM) -> None:
        """Ends it and waits for its end."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
