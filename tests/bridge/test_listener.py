"""The socket: who may speak, what is answered to broken input, what is left behind."""

import json
import os
import stat
import threading
from concurrent.futures import Future

import pytest

from evonic_lsp.bridge import rendezvous, wire
from evonic_lsp.bridge.client import Client, NoHost, connect, find
from evonic_lsp.bridge.listener import Listener
from evonic_lsp.bridge.wire import HostStatus, WireError


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "rt"))
    (tmp_path / "evonic").mkdir()
    return tmp_path / "evonic"


@pytest.fixture
def answers():
    """method -> what a call of it returns or raises; the test fills in more."""
    return {"initialize": HostStatus("/r", "/r/plugins", "1", wire.VERSION, os.getpid(), True)}


@pytest.fixture
def listener(root, answers):
    def answer(method, params):
        value = answers.get(method, WireError(wire.METHOD_NOT_FOUND, method))
        if callable(value):
            value = value(params)
        if isinstance(value, Exception):
            raise value
        return value

    listener = Listener(str(root), str(root / "plugins"), answer)
    listener.start()
    yield listener
    listener.stop()


@pytest.fixture
def raw(listener, root):
    """A connection without a client: bytes in, bytes out."""
    connection = connect(find(root).endpoint)
    yield connection
    connection.close()


def ask(connection, line):
    connection.sendall(line)
    return json.loads(connection.makefile("rb").readline())


HELLO = wire.request(1, "initialize", {"protocol": wire.PROTOCOL, "version": wire.VERSION})


def test_files_and_folders_are_the_users_alone(listener, root):
    endpoint = find(root).endpoint[5:]
    assert stat.S_IMODE(os.stat(endpoint).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(endpoint)).st_mode) == 0o700
    for file in rendezvous.run_dir(root).glob("host-*.json"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_it_is_found_by_root_and_without(listener, root):
    assert find(root) == find()
    with Client(find(root), "test") as client:
        assert client.host.root == "/r"


def test_nothing_is_left_after_stop(root, answers):
    listener = Listener(str(root), "", lambda method, params: None)
    listener.start()
    listener.stop()
    assert not list(root.rglob("host-*"))
    with pytest.raises(NoHost, match="evonic-lsp install"):
        find(root)


def test_a_dead_hosts_files_are_removed(root):
    folder = rendezvous.private_folder(rendezvous.run_dir(root))
    (folder / "host-4194305.sock").touch()
    endpoint = f"unix:{folder}/host-4194305.sock"
    dead = rendezvous.Announcement(1, "0", 4194305, str(root), "", endpoint, 1.0)  # above Linux's highest pid
    rendezvous.announce(dead, [folder])
    assert rendezvous.hosts(root) == []
    assert not list(folder.iterdir())


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"nonsense\n", wire.PARSE_ERROR),
        (b"\xff\xfe\n", wire.PARSE_ERROR),
        (b"[1]\n", wire.INVALID_REQUEST),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "x"}\n', wire.INVALID_REQUEST),
        (b'{"jsonrpc": "2.0", "id": 1, "method": 3}\n', wire.INVALID_REQUEST),
        (b'{"jsonrpc": "2.0", "id": {}, "method": "x"}\n', wire.INVALID_REQUEST),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": []}\n', wire.INVALID_PARAMS),
        (wire.request(1, "plugins/list"), wire.NOT_INITIALIZED),
        (wire.request(1, "initialize", {"protocol": 7, "version": "x"}), wire.WRONG_PROTOCOL),
        (b"x" * 64 * 1024 + b"\n", wire.INVALID_REQUEST),
        (b"[" * 60_000 + b"\n", wire.PARSE_ERROR),
    ],
)
def test_broken_input_gets_an_error_and_harms_nobody(raw, listener, root, line, code):
    assert ask(raw, line)["error"]["code"] == code
    assert raw.recv(1) == b""  # whoever does not say hello is not waited for
    with Client(find(root), "another") as client:
        assert client.host.pid == os.getpid()


@pytest.mark.parametrize(
    ("line", "code", "goes_on"),
    [
        (b"x" * (wire.MAX_MESSAGE + 1) + b"\n", wire.INVALID_REQUEST, False),
        (b"[" * 100_000 + b"\n", wire.PARSE_ERROR, False),
        (b'{"jsonrpc": "2.0", "id": {}, "method": "x"}\n', wire.INVALID_REQUEST, True),
        (wire.request(2, "x", {"long": "x" * (wire.MAX_MESSAGE - 100)}), wire.METHOD_NOT_FOUND, True),
    ],
)
def test_after_hello_broken_input_gets_an_error_as_well(raw, line, code, goes_on):
    ask(raw, HELLO)
    assert ask(raw, line)["error"]["code"] == code
    if goes_on:
        assert ask(raw, wire.request(3, "initialize", {"protocol": wire.PROTOCOL}))["id"] == 3
    else:
        assert raw.recv(1) == b""


def test_a_notification_has_no_answer_not_even_an_error(raw):
    ask(raw, HELLO)
    raw.sendall(wire.notification("nonsense", {}) + wire.notification("initialize", []))
    assert ask(raw, wire.request(2, "initialize", {"protocol": wire.PROTOCOL}))["id"] == 2


def test_what_happens_while_it_greets_is_heard(raw, listener, answers):
    status = answers["initialize"]

    def greet(params):
        listener.notify("plugin/outcome", {"n": 1})
        return status

    answers["initialize"] = greet
    raw.sendall(HELLO)
    stream = raw.makefile("rb")
    assert {json.loads(stream.readline()).get("method") for _ in range(2)} == {"plugin/outcome", None}


def test_a_failure_of_ours_is_an_error_without_a_traceback(raw, answers):
    answers["boom"] = ZeroDivisionError("inside")
    ask(raw, HELLO)
    error = ask(raw, wire.request(2, "boom"))["error"]
    assert error["code"] == wire.INTERNAL_ERROR
    assert error["message"] == "the bridge failed: ZeroDivisionError: inside"


def test_a_request_that_waits_holds_nobody_up(raw, answers):
    waiting = Future()
    answers.update(slow=lambda params: waiting, quick="now")
    ask(raw, HELLO)
    raw.sendall(wire.request(2, "slow"))
    assert ask(raw, wire.request(3, "quick")) == {"jsonrpc": "2.0", "id": 3, "result": "now"}
    waiting.set_result("later")
    assert json.loads(raw.makefile("rb").readline())["result"] == "later"


def test_every_client_hears_a_notification(listener, root):
    with Client(find(root), "one") as one, Client(find(root), "two") as two:
        listener.notify("plugin/outcome", {"x": 1})
        assert next(one.notifications()) == ("plugin/outcome", {"x": 1})
        assert next(two.notifications()) == ("plugin/outcome", {"x": 1})


def test_clients_hear_that_the_host_stops(listener, root):
    with Client(find(root), "one") as one:
        listener.stop()
        assert list(one.notifications()) == [("host/stopping", {})]


def test_whoever_does_not_read_is_let_go(raw, listener, root):
    ask(raw, HELLO)
    gone = threading.Event()
    with Client(find(root), "reader") as reader:
        for _ in range(8):
            listener.notify("plugin/log", "x" * (wire.MAX_MESSAGE - 200))
            next(reader.notifications())
    raw.settimeout(10)
    received = 0
    try:
        while True:
            data = raw.recv(1 << 20)
            if not data:
                gone.set()
                break
            received += len(data)
    except ConnectionResetError:
        gone.set()
    assert gone.is_set()
    assert received < 8 * wire.MAX_MESSAGE


def test_a_hung_bell_rings_when_a_host_starts(root, answers):
    (folder,) = rendezvous.usable_runtime_dirs()
    bell = rendezvous.Bell(folder)
    stale = folder / "bell-1-1"
    stale.touch()
    listener = Listener(str(root), "", lambda method, params: None)
    try:
        listener.start()
        bell.socket.settimeout(5)
        assert bell.socket.recv(16) == b"!"
        assert not stale.exists()
    finally:
        listener.stop()
        bell.close()
    assert not list(folder.glob("bell-*"))


def test_a_planted_link_is_refused(root, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    run = rendezvous.run_dir(root)
    run.parent.mkdir()
    os.symlink(tmp_path / "elsewhere", run)
    with pytest.raises(PermissionError, match="link planted"):
        rendezvous.private_folder(run)


def test_open_folders_are_closed_to_others(root):
    folder = root / "open"
    folder.mkdir(mode=0o755)
    assert stat.S_IMODE(rendezvous.private_folder(folder).stat().st_mode) == 0o700


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_what_belongs_to_somebody_else_is_ignored(listener, root):
    for file in rendezvous.run_dir(root).glob("host-*.json"):
        os.chown(file, 12345, 12345)
    for folder in rendezvous.runtime_dirs():
        for file in folder.glob("host-*.json"):
            os.chown(file, 12345, 12345)
    with pytest.raises(NoHost):
        find(root)
    folder = root / "theirs"
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    with pytest.raises(PermissionError, match="another user"):
        rendezvous.private_folder(folder)


def test_a_path_too_long_for_a_socket_falls_back(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "rt"))
    deep = tmp_path / ("d" * 100) / "evonic"
    deep.mkdir(parents=True)
    listener = Listener(str(deep), "", lambda method, params: {})
    listener.start()
    try:
        assert find(deep).endpoint.startswith(f"unix:{tmp_path / 'rt'}")
    finally:
        listener.stop()


def test_several_hosts_must_be_told_apart(root, tmp_path, listener):
    other = Listener(str(tmp_path / "other"), "", lambda method, params: {})
    files = rendezvous.announce(
        rendezvous.Announcement(1, "0", os.getppid(), str(tmp_path / "other"), "", find(root).endpoint, 1.0),
        rendezvous.usable_runtime_dirs(),
    )
    assert other.root != listener.root
    with pytest.raises(NoHost, match="several Evonics"):
        find()
    for file in files:
        file.unlink()


@pytest.mark.parametrize(
    "endpoint", ["", "http://x", "tcp:127.0.0.1", "tcp:127.0.0.1:x", "unix:/nowhere", "tcp:127.0.0.1:1"]
)
def test_an_endpoint_that_leads_nowhere(endpoint):
    with pytest.raises(NoHost):
        connect(endpoint)


def test_without_unix_sockets_a_token_is_needed(root, answers, monkeypatch):
    monkeypatch.setattr(rendezvous, "UNIX_SOCKETS", False)
    listener = Listener(str(root), "", lambda method, params: answers[method])
    listener.start()
    try:
        host = find(root)
        assert host.endpoint.startswith("tcp:127.0.0.1:")
        with Client(host, "right"):
            pass
        forged = rendezvous.Announcement(**{**vars(host), "token": "guess"})
        with pytest.raises(WireError, match="token"):
            Client(forged, "wrong")
    finally:
        listener.stop()
