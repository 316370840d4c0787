"""A blocking client of a host: what the command line needs, inside Evonic and outside."""

from __future__ import annotations

import shlex
import socket
import time
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Tuple

from . import rendezvous, wire
from .rendezvous import Announcement

_CHUNK = 65536


class NoHost(Exception):
    """No running host was reached; the text says what to do."""


class NoAnswer(NoHost):
    """Somebody announced a host, but it does not answer, or no longer. `why`: what happened, in a few words."""

    def __init__(self, host: Announcement, why: str) -> None:
        doctor = f"evonic-lsp doctor --evonic {shlex.quote(host.root)}" if host.root else "evonic-lsp doctor"
        where = f"Evonic at {host.root} (pid {host.pid})" if host.root else f"the host at {host.endpoint}"
        super().__init__(f"{where} does not answer: is it stopped or ending? `{doctor}`, or restart it ({why})")
        self.why = why


def find(root: Optional[Path] = None) -> Announcement:
    """The host to speak to: that of `root`, or the only one that runs; :class:`NoHost` otherwise."""
    hosts = rendezvous.hosts(root)
    if len(hosts) > 1:  # one may be dead, its number that of another process now
        hosts = [host for host in hosts if _listens(host)] or hosts
    roots = {host.root for host in hosts}
    if not hosts:
        where = f"no running Evonic with the bridge at {root}" if root else "no running Evonic with the bridge found"
        named = shlex.quote(str(root)) if root else "ROOT"
        raise NoHost(
            f"{where}. Start it, or put the bridge in first: `evonic-lsp install {named}` "
            "(`evonic-lsp doctor` tells what is missing)"
        )
    if len(roots) > 1:
        raise NoHost(
            "several Evonics are running; say which one with --evonic ROOT: "
            + ", ".join(map(shlex.quote, sorted(roots)))
        )
    return hosts[0]


def connect(endpoint: str, timeout: float = 5.0) -> socket.socket:
    """A connected socket; :class:`NoHost` if nobody listens, if it is somebody else's, or if it is no endpoint."""
    kind, _, address = endpoint.partition(":")
    try:
        if kind == "unix" and rendezvous.UNIX_SOCKETS:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            target: Any = address
        elif kind == "tcp":
            host, _, port = address.rpartition(":")
            connection, target = socket.socket(socket.AF_INET, socket.SOCK_STREAM), (host, int(port))
        else:
            raise NoHost(f"{endpoint!r} is not an endpoint: unix:PATH or tcp:127.0.0.1:PORT")
    except ValueError:
        raise NoHost(f"{endpoint!r} has no port: tcp:127.0.0.1:PORT") from None
    try:
        connection.settimeout(timeout)
        connection.connect(target)
        rendezvous.check_peer(connection)
    except OSError as error:
        connection.close()
        raise NoHost(f"cannot connect to {endpoint}: {error.strerror or error}") from error
    except (ValueError, OverflowError, TypeError) as error:  # an address that cannot be one
        connection.close()
        raise NoHost(f"{endpoint!r} is not an endpoint: {error}") from error
    return connection


def _listens(host: Announcement) -> bool:
    try:
        connect(host.endpoint).close()
    except NoHost:
        return False
    return True


class Client:
    """One connection. Use as a context manager.

    `timeout` in seconds bounds connecting and every answer but that of a reload, whose own limit the host keeps.
    """

    def __init__(self, host: Announcement, name: str, timeout: float = 5.0) -> None:
        self.timeout = timeout
        self._announced = host
        self._unread = bytearray()
        self._number = 0
        try:
            self._socket = connect(host.endpoint, timeout)
        except NoHost as error:
            raise NoAnswer(host, str(error)) from error
        me = {"protocol": wire.PROTOCOL, "version": wire.VERSION, "client": name, "token": host.token}
        try:
            self.host = wire.from_json(wire.HostStatus, self.call("initialize", me))
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        self._socket.close()

    def call(self, method: str, params: Dict[str, Any], timeout: Optional[float] = None) -> Any:
        """The result of a request. Raises :class:`wire.WireError` if it is an error, :class:`NoAnswer` if the host
        went away or did not answer within `timeout` seconds (0: wait without limit)."""
        self._number += 1
        seconds = self.timeout if timeout is None else timeout
        until = time.monotonic() + seconds if seconds else None
        try:
            self._socket.settimeout(_left(until))
            self._socket.sendall(wire.request(self._number, method, params))
            while True:
                message = self._read(until)
                if "method" not in message and (message.get("id") == self._number or _about_any(message)):
                    return wire.result_of(message)
        except socket.timeout:
            raise NoAnswer(self._announced, f"nothing came to {method} within {seconds:g} s") from None
        except OSError as error:
            raise NoAnswer(self._announced, f"{method}: {error.strerror or error}") from error

    def notifications(self) -> Iterator[Tuple[str, Any]]:
        """What the host says from now on, (method, params) each, until it goes away."""
        while True:
            try:
                message = self._read(None)
            except (NoHost, OSError):
                return
            if "method" in message:
                yield message["method"], message.get("params")

    def reload(self, plugin: str) -> wire.Outcome:
        """Asks for a reload, as a person does, and waits for its outcome."""
        params = {"plugin": plugin, "askedBy": wire.MANUAL}
        return wire.from_json(wire.Outcome, self.call("plugin/reload", params, timeout=0))

    def status(self) -> wire.HostStatus:
        """The host, its switches, and its plugins with their last outcomes."""
        return wire.from_json(wire.HostStatus, self.call("hotreload/status", {}))

    def switch(self, enabled: bool, plugin: Optional[str] = None) -> wire.HostStatus:
        """Turns hot reload on or off for `plugin`, or the global switch without one."""
        method = "hotreload/enable" if enabled else "hotreload/disable"
        return wire.from_json(wire.HostStatus, self.call(method, {"plugin": plugin} if plugin else {}))

    def _read(self, until: Optional[float]) -> Dict[str, Any]:
        """The next message, if all of it is there at `until`, a time of the monotonic clock."""
        searched = 0
        while True:
            end = self._unread.find(b"\n", searched)
            if end >= 0:
                break
            searched = len(self._unread)
            self._socket.settimeout(_left(until))
            more = self._socket.recv(_CHUNK)
            if not more or searched > wire.MAX_MESSAGE:
                raise NoAnswer(self._announced, "the connection was closed" if not more else "a message without end")
            self._unread += more
        line = bytes(self._unread[: end + 1])
        del self._unread[: end + 1]
        return wire.decode(line)


def _left(until: Optional[float]) -> Optional[float]:
    if until is None:
        return None
    left = until - time.monotonic()
    if left <= 0:
        raise socket.timeout("timed out")
    return left


def _about_any(message: Dict[str, Any]) -> bool:
    """Whether it is the error of a host that could not read a request, and so not whose it was: no other answer will
    come. Other errors without a number belong to notifications."""
    error = message.get("error")
    code = error.get("code") if isinstance(error, dict) else None
    return message.get("id") is None and code in (wire.PARSE_ERROR, wire.INVALID_REQUEST)
