"""The language server as a process: whatever its editor sends, or stops reading, or however it dies."""

from __future__ import annotations

import contextlib
import io
import os
import random
import signal
import threading
import time

import pytest
from faults import faulty
from faults.raw import LIMIT, Editor, framed, message, saved, told
from hypothesis import given
from hypothesis import strategies as st

from evonic_lsp.bridge import wire
from evonic_lsp.bridge.client import Client, find
from evonic_lsp.frames import Frames


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


linux = pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="processes are measured on Linux only")
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
    "cut at a line": b"Content-Length: 33\r\n\r\nabc",
    "long": b"Content-Length: 999999999\r\n\r\n{",
    "negative": b"Content-Length: -5\r\n\r\n",
    "of the web": b"Content-Length: 0\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    "ends of lines": b"Content-Length: 2\n\n{}",
    "no number": b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n{}",
    "too long": b"Content-Length: 99999999999999999999\r\n\r\n{}",
    "twice": b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "no length": b"Content-Type: x\r\n\r\n{}",
    "noise": b"\0" * 9999 + b"X" * 100_000,
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_after_a_broken_frame_the_server_is_not_deaf(editor, data):
    """Where the frames are lost, nothing can be understood any more: it says so and ends, though its input has not."""
    with contextlib.suppress(BrokenPipeError):
        editor.send(data)
        for number in (5, 6):
            editor.send(message(EXECUTE, {"command": "evonic.status", "arguments": ["*"]}, number))
    status, said = editor.ended()
    assert status == 1
    assert "cannot tell any more where a message begins: the editor sent" in said.splitlines()[-1]


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_a_broken_frame_and_then_nothing_leaves_no_process(editor, data):
    with contextlib.suppress(BrokenPipeError):
        editor.send(data)
    with contextlib.suppress(BrokenPipeError):
        editor.end()
    assert editor.process.returncode in (0, 1)


def test_headers_may_be_written_as_the_standard_allows(editor, evonic):
    body = saved(evonic.folder / "handler.py").partition(b"\r\n\r\n")[2]
    for header in (b"content-length:%d\r\n", b"Content-Type: a; charset=utf-8\r\nCONTENT-LENGTH:  %d \r\n"):
        editor.got.clear()
        editor.send(header % len(body) + b"\r\n" + body)
        editor.state("ok")


@given(
    st.lists(
        st.binary(max_size=30) | st.sampled_from([b"\r\n", b"Content-Length: 2\r\n", b"\r\n\r\n{}", *BROKEN.values()])
    )
)
def test_whatever_bytes_come_the_input_ends(data):
    """As pygls reads it: each line is a header of a message that may be read, or there is no other."""
    frames = Frames(io.BytesIO(b"".join(data)))
    while line := frames.readline():
        assert line.endswith(b"\r\n")
        if line.startswith(b"Content-Length: "):
            length = int(line[16:])
            while (line := frames.readline()).strip():
                assert not line.startswith(b"Content-Length: ")
            assert len(frames.read(length)) <= length or frames.lost
    assert frames.read(5) == frames.readline() == b""


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
