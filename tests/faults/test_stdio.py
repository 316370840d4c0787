"""The language server as a process: whatever its editor sends, or stops reading, or however it dies."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from faults import faulty

from evonic_lsp.bridge import wire
from evonic_lsp.bridge.client import Client, find

LIMIT = 15.0
linux = pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="processes are measured on Linux only")


def framed(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)


def message(method, params=None, number=None):
    body = {"jsonrpc": "2.0", "method": method, "params": params or {}}
    return framed(json.dumps({**body, "id": number} if number is not None else body).encode())


def saved(path, **more):
    return message("textDocument/didSave", {"textDocument": {"uri": Path(path).as_uri()}, **more})


class Editor:
    """An editor without a library: bytes to a real server, and everything that comes back."""

    def __init__(self, folder: Path, reads: bool = True) -> None:
        command = [sys.executable, "-m", "evonic_lsp", "serve"]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        self.got: list[dict] = []
        self.changed = threading.Condition()
        self.reader = threading.Thread(target=self._read, daemon=True)
        if reads:
            self.reader.start()
        capabilities = {"window": {"workDoneProgress": True}}
        options = {"debounce": 0}
        folders = [{"uri": folder.as_uri(), "name": "x"}]
        params = {"capabilities": capabilities, "workspaceFolders": folders, "initializationOptions": options}
        self.send(message("initialize", {"processId": None, "rootUri": None, **params}, 1), message("initialized"))

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
            with self.changed:
                self.got.append(found)
                self.changed.notify_all()

    def until(self, holds):
        """The first message that `holds`; what came before stays."""
        end = time.monotonic() + LIMIT
        with self.changed:
            while True:
                for each in self.got:
                    if holds(each):
                        return each
                assert self.changed.wait(max(end - time.monotonic(), 0)), self.got[-5:]

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


@pytest.fixture
def editor(evonic, runtime_dir):
    """An editor on a fake host that runs; after it, no process and no file of it is left."""
    evonic.start()
    made = Editor(evonic.root)
    made.state("idle", None)
    yield made
    if made.process.poll() is None:
        assert made.end() == 0
    assert not list(runtime_dir.glob("bell-*"))


def told(method, params, **more):
    return json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **more}).encode()


SAVE, EXECUTE = "textDocument/didSave", "workspace/executeCommand"
BODIES = [
    *(b"nonsense", b"[]", b"[1, 2]", b"null", b'"x"', b"3", b"{}", b"\xff\xfe", b"{" * 5000, b'{"jsonrpc": "1.0"}'),
    *(b'{"jsonrpc": "2.0"}', b'{"jsonrpc": "2.0", "method": 3}', b'{"jsonrpc": "2.0", "id": {}, "method": "x"}'),
    *(b'{"jsonrpc": "2.0", "id": 99, "result": 1}', b'{"jsonrpc": "2.0", "id": 99, "error": 3}'),
    b'{"jsonrpc": "2.0", "method": "textDocument/didSave"}',
    told("no/such", {}, id=5),
    told("$/no", {}),
    told("$/cancelRequest", {"id": 12345}),
    told("initialize", {"capabilities": {}}, id=1),
    *(told(SAVE, params) for params in ([], {"textDocument": {"uri": 3}}, {"textDocument": None})),
    *(told(SAVE, {"textDocument": {"uri": uri}}) for uri in ("file:///%00", "file:///\ud800", "x" * 100_000)),
    told("textDocument/didOpen", {"textDocument": None}),
    told(EXECUTE, {"command": "evonic.reload", "arguments": {"a": 1}}, id=6),
    told(EXECUTE, {"command": "evonic.rm"}, id=8),
    told("workspace/didChangeConfiguration", {"settings": {"evonic": [[]]}}),
    told("workspace/didChangeWatchedFiles", {"changes": [{"uri": "", "type": 9}]}),
    told("workspace/didChangeWorkspaceFolders", {"event": {"added": [{"uri": "x:y", "name": ""}], "removed": []}}),
]


def test_bodies_that_mean_nothing_harm_nobody(editor, evonic):
    """One after another in one process, doubled, and in another order; after each the server still serves."""
    shuffled = BODIES * 2
    random.Random(7).shuffle(shuffled)
    for number, body in enumerate([*BODIES, *shuffled], 1000):
        editor.send(framed(body))
        editor.serves(number)
    editor.send(saved(evonic.folder / "handler.py"))
    editor.state("ok")


def test_mutated_messages_harm_nobody(editor, evonic):
    """A fuzzer: bytes of good messages replaced, cut out and doubled, in frames that are right."""
    document = {"uri": "file:///x.py", "languageId": "python", "version": 1, "text": ""}
    good = [
        saved(evonic.folder / "handler.py"),
        message("textDocument/didOpen", {"textDocument": document}),
        message("workspace/didChangeConfiguration", {"settings": {"evonic": {"debounce": 3}}}),
        message("workspace/executeCommand", {"command": "evonic.status", "arguments": ["p"]}, 5),
    ]  # fmt: skip
    dice = random.Random(2026)
    for turn in range(400):
        body = bytearray(dice.choice(good).partition(b"\r\n\r\n")[2])
        for _ in range(dice.randint(1, 4)):
            at = dice.randrange(len(body))
            cut = slice(at, at + dice.randint(1, 6))
            body[cut] = dice.choice([b"", bytes([dice.randrange(256)]), body[cut] * 2, b'"', b"{", b"null", b"\\ud800"])
        editor.send(framed(bytes(body)))
        if turn % 100 == 99:
            editor.serves(5000 + turn)
    editor.send(message("workspace/didChangeConfiguration", {"settings": {"evonic": {"debounce": 0, "endpoint": None,
                "reloadOnSave": True}}}))  # fmt: skip
    evonic.requests.clear()
    editor.got.clear()
    editor.send(saved(evonic.folder / "handler.py"))
    editor.state("ok")


BROKEN = {
    "cut": b"Content-Length: 10\r\n\r\nabc",
    "long": b"Content-Length: 999999999\r\n\r\n{",
    "odd": b"Content-Length: -5\r\n\r\n" + b"Content-Length: 0\r\n\r\nGET / HTTP/1.1\r\n\r\nContent-Length: 2\n\n{}",
    "no number": b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
    "too long": b"Content-Length: 99999999999999999999\r\n\r\n{}",
    "noise": b"\0" * 9999 + b"X" * 100_000,
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_broken_frame_and_then_nothing_leaves_no_process(editor, data):
    """Where the frames are lost, nothing can be understood any more. But nothing is left behind either."""
    editor.send(data)
    editor.end()
    assert editor.process.returncode is not None


def test_a_message_may_come_byte_by_byte(editor, evonic):
    for byte in saved(evonic.folder / "handler.py"):
        editor.send(bytes([byte]))
    editor.state("ok")


def test_saves_come_doubled_and_late(editor, evonic):
    editor.send(
        saved(evonic.folder / "handler.py") * 50, message("textDocument/didClose", {"textDocument": {"uri": "x"}})
    )
    editor.state("ok")
    assert 1 <= len(evonic.reloads()) <= 3


# ── Dying ──


@pytest.mark.parametrize(("step", "how"), [
    ("idle", signal.SIGINT), ("idle", signal.SIGHUP), ("pending", None), ("pending", signal.SIGTERM),
    ("reloading", None), ("reloading", signal.SIGTERM), ("reloading", signal.SIGKILL),
])  # fmt: skip
def test_the_server_ends_at_every_step_and_the_host_goes_on(evonic, runtime_dir, how, step):
    going, go_on = threading.Event(), threading.Event()

    def slow(plugin, asked_by):
        going.set()
        assert go_on.wait(LIMIT)
        return faulty.outcome(plugin)

    evonic.outcome = slow
    evonic.start()
    editor = Editor(evonic.root)
    editor.state("idle", None)
    try:
        if step != "idle":
            delay = message("workspace/didChangeConfiguration", {"settings": {"evonic": {"debounce": 60000}}})
            editor.send(delay if step == "pending" else b"", saved(evonic.folder / "handler.py"))
            editor.state(step)
            if step == "reloading":
                assert going.wait(LIMIT)
        editor.end(how)
    finally:
        go_on.set()
    if how == signal.SIGKILL:  # its bell is left, and falls at the next start of a host
        assert len(list(runtime_dir.glob("bell-*"))) == 1
        evonic.stop()
        evonic.start()
    assert not list(runtime_dir.glob("bell-*"))
    with Client(find(evonic.root), "another") as client:
        assert client.reload("p").status == wire.RELOADED


def test_the_host_comes_and_goes_and_the_editor_follows(editor, evonic):
    for _ in range(5):
        editor.got.clear()
        evonic.stop()
        editor.state("disconnected", None)
        editor.send(saved(evonic.folder / "handler.py"))
        editor.state("disconnected")
        editor.got.clear()
        evonic.start()
        editor.state("ok")


# ── Not reading ──


@linux
def test_an_editor_that_never_reads_costs_no_memory_and_leaves_no_process(evonic, runtime_dir):
    """Its pipe is full soon. The server waits for it, and the host lets the server go; until the editor reads on."""
    evonic.start()
    editor = Editor(evonic.root, reads=False)
    deadline = time.monotonic() + LIMIT
    while not evonic.requests:  # that it is connected, it cannot tell us
        assert time.monotonic() < deadline
        time.sleep(0.01)
    text = "x" * 100_000
    for number in range(300):
        evonic.tell("plugin/outcome", faulty.outcome("p", wire.REJECTED, f"{number} {text}"))
    assert faulty.memory_of(editor.process.pid) < 200e6
    assert editor.process.poll() is None
    # Then it reads after all, and the picture becomes true.
    editor.reader.start()
    editor.send(saved(evonic.folder / "handler.py"))
    editor.state("ok")
    assert editor.end() == 0


@linux
def test_an_editor_that_dies_without_reading_leaves_no_process(evonic):
    evonic.start()
    editor = Editor(evonic.root, reads=False)
    pipe = editor.process.stdin.fileno()
    os.set_blocking(pipe, False)
    with contextlib.suppress(BlockingIOError):  # the server no longer reads, as nobody reads from it
        for _ in range(5000):
            os.write(pipe, saved(evonic.folder / "handler.py"))
    editor.process.stdout.close()
    assert editor.end() is not None


@linux
def test_an_editor_that_answers_nothing_is_not_asked_again_and_again(editor, evonic):
    """A hundred reloads, and nobody answers `window/workDoneProgress/create`."""
    for number in range(100):
        editor.got.clear()
        editor.send(saved(evonic.folder / "handler.py"))
        editor.state("ok")
        editor.serves(10_000 + number) if number % 25 == 24 else None
    asked = [each for each in editor.got if each.get("method") == "window/workDoneProgress/create"]
    assert len(asked) <= 1
