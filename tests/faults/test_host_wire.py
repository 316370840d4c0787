"""What clients may send to a host: cut, doubled, shuffled, too long, meaningless; and how many of them there may be."""

from __future__ import annotations

import gc
import json
import os
import socket
import threading
import time
from concurrent.futures import Future

import pytest
from faults import faulty
from faults.faulty import lines
from hypothesis import given, settings
from hypothesis import strategies as st

from evonic_lsp.bridge import listener as listeners
from evonic_lsp.bridge import rendezvous, wire
from evonic_lsp.bridge.client import Client, connect, find
from evonic_lsp.bridge.queue import ReloadQueue
from evonic_lsp.bridge.wire import Outcome, WireError

linux = pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is measured on Linux only")


@pytest.fixture
def raw(listener, root):
    """raw() -> a connection without a client: bytes in, bytes out."""
    made: list[socket.socket] = []

    def make() -> socket.socket:
        made.append(connect(find(root).endpoint, 15))
        return made[-1]

    yield make
    for each in made:
        each.close()


def serves(root):
    """The host still answers a client that behaves."""
    with Client(find(root), "witness") as client:
        assert client.host.pid == os.getpid()


# ── One message at a time ──

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "jsonrpc": st.just("2.0") | VALUES,
        "id": VALUES,
        "method": st.sampled_from(["initialize", "plugin/reload", "x"]) | VALUES,
        "params": VALUES,
        "result": VALUES,
        "error": VALUES,
    },
)


@given(st.one_of(st.binary(max_size=300), VALUES.map(lambda value: json.dumps(value).encode())))
def test_decode_gives_a_message_or_an_error(line):
    try:
        message = wire.decode(line)
    except WireError as error:
        assert error.code in (wire.PARSE_ERROR, wire.INVALID_REQUEST)
        wire.failure(None, error)
    else:
        assert message["jsonrpc"] == "2.0"


KINDS = (
    wire.Outcome,
    wire.HostStatus,
    wire.PluginInfo,
    wire.LogEntry,
    wire.Change,
    wire.Place,
    rendezvous.Announcement,
)


@given(st.sampled_from(KINDS), VALUES)
def test_any_data_as_any_message_is_a_value_or_an_error(kind, data):
    try:
        assert isinstance(wire.from_json(kind, data), kind)
    except WireError as error:
        assert error.code == wire.INVALID_PARAMS


@settings(max_examples=60)
@given(
    data=st.lists(st.one_of(st.binary(max_size=80), MESSAGES.map(lambda m: json.dumps(m).encode() + b"\n")), max_size=6)
)
def test_any_messages_harm_nobody(raw, root, data):
    connection = raw()
    connection.sendall(faulty.hello() + b"".join(data))
    connection.shutdown(socket.SHUT_WR)
    for message in lines(connection):
        assert message["jsonrpc"] == "2.0"
    serves(root)


@pytest.mark.parametrize("cut", range(0, len(faulty.hello()), 9))
def test_a_client_that_ends_in_the_middle_of_a_message(raw, root, listener, cut):
    connection = raw()
    connection.sendall(faulty.hello()[:cut])
    connection.shutdown(socket.SHUT_WR)
    assert lines(connection) == []
    serves(root)


def test_a_message_may_come_byte_by_byte_and_two_in_one_breath(raw, answers):
    answers["x"] = 1
    connection = raw()
    for number in range(len(faulty.hello())):
        connection.send(faulty.hello()[number : number + 1])
    connection.sendall(wire.request(2, "x") + wire.request(3, "x"))
    connection.shutdown(socket.SHUT_WR)
    assert lines(connection)[0]["id"] == 1


def test_doubled_and_shuffled_requests_are_each_answered(raw, answers):
    answers["x"] = lambda params: params
    connection = raw()
    numbers = [5, 3, 3, 9, 5, 1]
    connection.sendall(faulty.hello() + faulty.hello(7) + b"".join(wire.request(n, "x", {"n": n}) for n in numbers))
    stream = connection.makefile("rb")
    got = [json.loads(stream.readline()) for _ in range(2 + len(numbers))]
    assert sorted(each["id"] for each in got) == sorted([1, 7, *numbers])
    assert all(each["result"] == {"n": each["id"]} for each in got if each["id"] not in (1, 7) or "n" in each["result"])


LONG = "m" * (wire.MAX_MESSAGE - 200)


@pytest.mark.parametrize("line", [
    wire.encode({"id": 2, "method": "\u00e9" * (wire.MAX_MESSAGE // 7)}),
    wire.encode({"id": 2, "method": LONG}),
    wire.encode({"id": LONG, "method": "x"}),
    wire.encode({"id": 2, "method": "initialize", "params": {"protocol": LONG}}),
    wire.encode({"id": 2, "method": "initialize", "params": {"protocol": 1, "token": LONG}}),
    wire.encode({"id": 2, "method": "x", "params": LONG}),
], ids=["escaped method", "method", "id", "protocol", "token", "params"])  # fmt: skip
def test_what_is_as_long_as_may_be_is_answered_briefly(raw, root, line, listener):
    connection = raw()
    connection.sendall(faulty.hello() + line)
    stream = connection.makefile("rb")
    assert "result" in json.loads(stream.readline())
    answer = stream.readline()
    assert "error" in json.loads(answer) or json.loads(answer)["id"] == 2
    assert len(answer) < 8000
    serves(root)


def test_an_answer_that_is_too_long_is_an_error(raw, answers):
    answers["x"] = "x" * wire.MAX_MESSAGE
    connection = raw()
    connection.sendall(faulty.hello() + wire.request(2, "x") + wire.request(3, "y"))
    stream = connection.makefile("rb")
    got = {message["id"]: message for message in (json.loads(stream.readline()) for _ in range(3))}
    assert "over the limit" in got[2]["error"]["message"]
    assert got[3]["error"]["code"] == wire.METHOD_NOT_FOUND


@pytest.mark.parametrize("value", ["x" * wire.MAX_MESSAGE, {1: 2}, object(), {"x": float("nan")}, "\ud800"])
def test_telling_never_raises_in_the_host(listener, root, value):
    """A plugin that logs five megabytes must not get an exception for it that it would not get without us."""
    with Client(find(root), "reader") as reader:
        listener.notify("plugin/log", value)
        listener.notify("plugin/log", "after")
        told = reader.notifications()
        while (params := next(told)[1]) != "after":
            assert params is not None


# ── Waiting, and going away while waiting ──


def test_a_client_that_is_killed_in_its_reload_takes_nobody_with_it(raw, root, answers):
    """Two ask for the same reload, which is one; one of them goes away; then a third asks for another."""
    going, go_on = threading.Event(), threading.Event()

    def reload(plugin, asked_by):
        going.set()
        assert go_on.wait(10)
        return Outcome(plugin, wire.RELOADED, "reloaded", asked_by)

    queue = ReloadQueue(reload, lambda plugin: None)
    queue.open()
    answers["plugin/reload"] = lambda params: queue.submit(params["plugin"], wire.MANUAL)
    answers["x"] = None
    killed, other = raw(), raw()
    ask = wire.request(2, "plugin/reload", {"plugin": "a"}) + wire.request(3, "plugin/reload", {"plugin": "b"})
    for connection in (killed, other):
        connection.sendall(faulty.hello() + ask + wire.request(4, "x"))
    streams = [connection.makefile("rb") for connection in (killed, other)]
    for stream in streams:  # the answers to `initialize` and `x`: whoever has them has asked
        assert {json.loads(stream.readline())["id"], json.loads(stream.readline())["id"]} == {1, 4}
    assert going.wait(10)
    killed.close()
    streams[0].close()
    serves(root)
    other.sendall(wire.request(5, "x"))
    assert json.loads(streams[1].readline())["id"] == 5
    go_on.set()
    assert sorted(json.loads(streams[1].readline())["id"] for _ in range(2)) == [2, 3]
    assert queue.submit("c", wire.SAVE).result(10).plugin == "c"


def test_a_reload_that_raises_leaves_the_queue_at_work():
    def reload(plugin, asked_by):
        if plugin == "bad":
            raise MemoryError
        return Outcome(plugin, wire.RELOADED, "", asked_by)

    queue = ReloadQueue(reload, lambda plugin: None)
    bad, good = queue.submit("bad", wire.SAVE), queue.submit("good", wire.SAVE)
    assert not good.cancel()  # it is not one asker's alone
    queue.open()
    with pytest.raises(MemoryError):
        bad.result(10)
    assert good.result(10).plugin == "good"


# ── Many, slow, and never ──


def test_fifty_clients_at_once(root, answers, listener):
    answers["x"] = lambda params: params
    start, failed = threading.Barrier(50), []

    def work(number):
        try:
            start.wait(10)
            with Client(find(root), f"client {number}", timeout=15) as client:
                for turn in range(10):
                    assert client.call("x", {"n": [number, turn]}) == {"n": [number, turn]}
                assert next(client.notifications())[0] == "plugin/outcome"
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + 20
    for thread in threads:  # joining one that has ended would not wait: notifications without end
        while thread.is_alive() and time.monotonic() < end:
            listener.notify("plugin/outcome", {})
            thread.join(0.01)
    for thread in threads:
        thread.join(10)
    assert failed == []
    assert not any(thread.is_alive() for thread in threads)


def test_more_clients_than_there_may_be_are_turned_away_and_later_let_in(root, raw, listener, monkeypatch):
    monkeypatch.setattr(listeners, "_MOST_CLIENTS", 3)
    inside = []
    for _ in range(3):
        inside.append(Client(find(root), "inside"))
    assert lines(raw()) == []
    inside[0].close()
    end = time.monotonic() + 10
    while True:  # that a socket was closed, the host sees a moment later
        connection = raw()
        connection.sendall(faulty.hello())
        try:
            if connection.recv(1):
                break
        except ConnectionResetError:
            pass
        assert time.monotonic() < end
    for client in inside:
        client.close()


@linux
def test_fifty_who_never_read_cost_no_memory_to_speak_of(listener, root, raw, monkeypatch):
    monkeypatch.setattr(listeners, "_MOST_UNREAD", 256 * 1024)
    lazy = []
    for _ in range(50):
        connection = raw()
        connection.sendall(faulty.hello())
        assert connection.recv(4096)
        lazy.append(connection)
    gc.collect()
    before = faulty.memory_of()
    with Client(find(root), "reader") as reader:
        for _ in range(64):
            listener.notify("plugin/log", "x" * 65536)
            assert next(reader.notifications())[0] == "plugin/log"
    assert faulty.memory_of() - before < 50 * 256 * 1024 + 30e6
    serves(root)


@linux
def test_a_client_that_asks_and_asks_without_reading_is_not_read_on(listener, root, raw, answers):
    """Each request that waits costs a task: their number is bounded, and the rest waits in the client."""
    waiting: Future[None] = Future()
    asked = []
    answers["x"] = lambda params: asked.append(1) or waiting
    connection = raw()
    connection.sendall(faulty.hello())
    assert connection.recv(4096)
    connection.settimeout(0.3)  # how long nothing must happen
    many = b"".join(wire.request(number, "x", {"pad": "x" * 1000}) for number in range(2, 40_000))
    with pytest.raises(TimeoutError):
        connection.sendall(many)
    assert len(asked) <= 300
    serves(root)
    waiting.set_result(None)
