"""An editor as small as can be, around a language server in a process of its own.

Written out, not a client library: parsing what the server says must not cost what is to be measured.
Times are seconds since the epoch, as those of the host are: both run on one machine.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Callable

from evonic_lsp.bridge import rendezvous, wire
from evonic_lsp.bridge.client import Client

LIMIT = 60.0


class Late(Exception):
    """What was waited for did not come."""


class Editor:
    """`events`: (when, method, params) of everything the server has said, answers under the method ``answer``."""

    def __init__(self, folder: Path, debounce: int | None = None) -> None:
        self.events: list[tuple[float, str, Any]] = []
        self._heard = threading.Condition()
        self._number = 0
        began = time.time()
        command = [sys.executable, "-m", "evonic_lsp", "serve", "--stdio"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        threading.Thread(target=self._listen, daemon=True).start()
        documents = {"publishDiagnostics": {"relatedInformation": True}}
        options = {} if debounce is None else {"debounce": debounce}
        answered, _ = self.request(
            "initialize",
            {
                "processId": None,
                "capabilities": {"textDocument": documents},
                "rootUri": folder.as_uri(),
                "workspaceFolders": [{"uri": folder.as_uri(), "name": "work"}],
                "initializationOptions": options,
            },
        )
        self.started = answered - began
        self.notify("initialized", {})

    def connected(self) -> Editor:
        """Waits until it has found its host."""
        self.wait(lambda method, params: method == "evonic/status" and params["state"] == "idle")
        return self

    def save(self, file: Path) -> float:
        """Tells of a save; when that began."""
        return self.notify("textDocument/didSave", {"textDocument": {"uri": file.as_uri()}})

    def request(self, method: str, params: Any) -> tuple[float, Any]:
        """When the answer came, and the result in it."""
        self._number += 1
        number, mark = self._number, len(self.events)
        self._send({"id": number, "method": method, "params": params})
        when, _, message = self.wait(lambda kind, given: kind == "answer" and given.get("id") == number, mark)
        return when, message.get("result")

    def notify(self, method: str, params: Any) -> float:
        """Sends a notification; when that began."""
        began = time.time()
        self._send({"method": method, "params": params})
        return began

    def wait(self, wanted: Callable[[str, Any], bool], mark: int = 0) -> tuple[float, str, Any]:
        """The first event from number `mark` on that is `wanted`."""
        end = time.monotonic() + LIMIT
        with self._heard:
            while True:
                for event in self.events[mark:]:
                    if wanted(event[1], event[2]):
                        return event
                mark = len(self.events)
                if self.process.poll() is not None or not self._heard.wait(max(end - time.monotonic(), 0)):
                    raise Late("the language server did not say what was waited for")

    def status(self, plugin: str, states: tuple[str, ...], mark: int) -> tuple[float, Any]:
        """The first status of the plugin in one of these states, with its time."""

        def wanted(method: str, params: Any) -> bool:
            return method == "evonic/status" and params["plugin"] == plugin and params["state"] in states

        when, _, params = self.wait(wanted, mark)
        return when, params

    def close(self) -> None:
        """As an editor that is closed."""
        try:
            self.request("shutdown", None)
            self.notify("exit", None)
            self.process.wait(5)
        except (Late, OSError, subprocess.TimeoutExpired):
            self.process.kill()
        self.process.wait()

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self.process.stdin is not None
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.process.stdin.flush()

    def _listen(self) -> None:
        stream = self.process.stdout
        assert stream is not None
        while line := stream.readline():
            length = 0
            while line.strip():
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
                line = stream.readline()
            body = stream.read(length)
            when = time.time()
            message = json.loads(body)
            if "method" in message and "id" in message:
                self._send({"id": message["id"], "result": None})
            with self._heard:
                self.events.append((when, message.get("method", "answer"), message.get("params", message)))
                self._heard.notify_all()
        with self._heard:
            self._heard.notify_all()


class Ear:
    """Hears the outcomes themselves from the host, for the engine's part of the time."""

    def __init__(self, root: Path) -> None:
        self.outcomes: list[dict[str, Any]] = []
        self._heard = threading.Condition()
        self._client = Client(rendezvous.hosts(root)[0], "benchmark")
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def after(self, plugin: str, mark: int) -> dict[str, Any]:
        """The first outcome of the plugin from number `mark` on."""
        end = time.monotonic() + LIMIT
        with self._heard:
            while True:
                for outcome in self.outcomes[mark:]:
                    if outcome["plugin"] == plugin and outcome["status"] != wire.DISABLED:
                        return outcome
                if not self._heard.wait(max(end - time.monotonic(), 0)):
                    raise Late(f"no outcome of {plugin}")

    def close(self) -> None:
        """Hears no more."""
        self._client._socket.shutdown(socket.SHUT_RDWR)  # the thread that reads holds the stream
        self._thread.join()
        self._client.close()

    def _listen(self) -> None:
        for method, params in self._client.notifications():
            if method == "plugin/outcome":
                with self._heard:
                    self.outcomes.append(params)
                    self._heard.notify_all()
