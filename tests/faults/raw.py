"""An editor without a library, for what a library would not send."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Callable

LIMIT = 15.0


def framed(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def message(method, params=None, number=None):
    body = {"jsonrpc": "2.0", "method": method, "params": params or {}}
    return framed(json.dumps({**body, "id": number} if number is not None else body).encode())


def told(method, params, **more):
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **more}).encode()


def saved(path, **more):
    return message("textDocument/didSave", {"textDocument": {"uri": Path(path).as_uri()}, **more})


class Editor:
    """Bytes to a real server, and everything that comes back.

    `answers`: method -> (id -> the bytes that answer a request of the server); no other is answered. It begins as an
    editor does, unless it is told not to.
    """

    def __init__(
        self,
        folder: Path,
        reads: bool = True,
        begins: bool = True,
        capabilities: Any = None,
        answers: dict[str, Callable[[Any], bytes]] | None = None,
    ) -> None:
        command = [sys.executable, "-m", "evonic_lsp", "serve"]
        pipe, self._errors = subprocess.PIPE, tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=self._errors)
        self.answers = answers or {}
        self.got: list[dict] = []
        self.over = False
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self._read, daemon=True)
        if reads:
            self.reader.start()
        capabilities = capabilities or {"window": {"workDoneProgress": True}}
        options = {"debounce": 0}
        folders = [{"uri": folder.as_uri(), "name": "x"}]
        params = {"capabilities": capabilities, "workspaceFolders": folders, "initializationOptions": options}
        self.initialize = message("initialize", {"processId": None, "rootUri": None, **params}, 1)
        if begins:
            self.send(self.initialize, message("initialized"))

    def send(self, *data: bytes) -> None:
        self.process.stdin.write(b"".join(data))
        self.process.stdin.flush()

    def _read(self) -> None:
        stream = self.process.stdout
        while line := stream.readline():
            length = 0
            while line.strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
                line = stream.readline()
            found = json.loads(stream.read(length))
            if "id" in found and found.get("method") in self.answers:
                self.send(self.answers[found["method"]](found["id"]))
            with self.changed:
                self.got.append(found)
                self.changed.notify_all()
        with self.changed:
            self.over = True
            self.changed.notify_all()

    def asked(self, method):
        """The requests of the server of this kind, up to now."""
        with self.changed:
            return [each for each in self.got if each.get("method") == method]

    def until(self, holds):
        """The first message that `holds`; what came before stays."""
        end = time.monotonic() + LIMIT
        with self.changed:
            while True:
                for each in self.got:
                    if holds(each):
                        return each
                assert not self.over, "the server has ended"
                assert self.changed.wait(max(end - time.monotonic(), 0)), self.got[-5:]

    def ended(self):
        """Its exit status, and what it had to say; the end of its input is not what ends it."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.over, LIMIT), "it neither answers nor ends"
        status = self.process.wait(LIMIT)
        self._errors.seek(0)
        return status, self._errors.read().decode()

    def state(self, state, plugin="p"):
        return self.until(
            lambda each: each.get("method") == "evonic/status" and each["params"]["state"] == state
            and each["params"]["plugin"] == plugin
        )  # fmt: skip

    def serves(self, number=77):
        """It answers a request."""
        self.send(message("workspace/executeCommand", {"command": "evonic.status", "arguments": ["*"]}, number))
        assert "result" in self.until(lambda each: each.get("id") == number and "method" not in each)

    def end(self, how=None):
        """The exit status after `how` (a signal), or after the end of its input."""
        if how is None:
            self.process.stdin.close()
        else:
            self.process.send_signal(how)
        try:
            return self.process.wait(LIMIT)
        finally:
            self.process.kill()
            self.process.wait(LIMIT)
            if self.reader.is_alive():
                self.reader.join(LIMIT)
            self.process.stdout.close()
