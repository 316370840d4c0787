"""Without Unix sockets: a port of 127.0.0.1, to which everybody on this machine can connect, and a token."""

from __future__ import annotations

import socket

import pytest
from faults import faulty
from faults.faulty import lines

from evonic_lsp.bridge import listener as listeners
from evonic_lsp.bridge import rendezvous, wire
from evonic_lsp.bridge.client import Client, connect, find
from evonic_lsp.bridge.listener import Listener


@pytest.fixture
def tcp(root, answers, monkeypatch):
    monkeypatch.setattr(rendezvous, "UNIX_SOCKETS", False)
    monkeypatch.setattr(listeners, "HELLO_LIMIT", 0.5)
    answers["x"] = "secret"
    made = Listener(str(root), "", lambda method, params: answers[method])
    made.start()
    yield made
    made.stop()


def exchange(host, *messages):
    """What a host answers to bytes that were captured somewhere."""
    with connect(host.endpoint, 15) as connection:
        connection.sendall(b"".join(messages))
        connection.shutdown(socket.SHUT_WR)
        return lines(connection)


def test_captured_frames_are_worth_nothing_without_the_token_and_after_a_restart(tcp, root, answers):
    host = find(root)
    assert host.token is not None
    whole = [faulty.hello(token=host.token), wire.request(2, "x")]
    assert exchange(host, whole[0])[0]["id"] == 1
    for frames in (
        whole[1:],
        whole[:0:-1],
        [faulty.hello(token=host.token[:-1]), whole[1]],
        [faulty.hello(), whole[1]],
    ):
        (refused,) = exchange(host, *frames)
        assert refused["error"]["code"] in (wire.REFUSED, wire.NOT_INITIALIZED)
        assert "secret" not in str(refused)
    tcp.stop()
    again = Listener(str(root), "", lambda method, params: answers[method])
    again.start()
    try:
        (refused,) = exchange(find(root), *whole)
        assert refused["error"]["code"] == wire.REFUSED
    finally:
        again.stop()


@pytest.mark.parametrize("token", ["é", "\ud800", None, 3, [], "", {"a": 1}])
def test_a_token_that_is_none_is_refused_like_a_wrong_one(tcp, root, token):
    (refused,) = exchange(find(root), faulty.hello(token=token))
    assert refused["error"]["code"] == wire.REFUSED


@pytest.mark.parametrize("line", [b"POST / HTTP/1.1\r\n", b"GET /socket HTTP/1.1\r\n", b"\x16\x03\x01\x02\x00\n"])
def test_a_web_page_gets_nothing(tcp, root, line):
    """A page in a browser can make it connect to any port of this machine, and choose what follows the head."""
    (refused,) = exchange(find(root), line, b"Host: x\r\n\r\n", faulty.hello(token=find(root).token))
    assert refused["error"]["code"] == wire.PARSE_ERROR


def test_whoever_does_not_introduce_themselves_is_let_go(tcp, root):
    """Before the token, anybody on this machine can connect: they must not be able to take all the places."""
    with connect(find(root).endpoint, 15) as silent:
        assert silent.recv(1) == b""
    with connect(find(root).endpoint, 15) as slow:
        slow.sendall(faulty.hello()[:5])
        assert slow.recv(1) == b""
    for nothing in (b'{"jsonrpc":"2.0"}\n', b'{"jsonrpc":"1.0"}\n', b'{"jsonrpc":"2.0","id":1,"result":{}}\n'):
        with connect(find(root).endpoint, 15) as told:
            told.sendall(nothing)
            assert told.makefile("rb").read().count(b"\n") <= 1  # and the end
    with Client(find(root), "in time") as client:
        assert client.call("x", {}) == "secret"
