"""The connection to one host: find it, speak with it, notice its end.

Nothing is tried again by the clock. Whoever owns the link calls :meth:`Link.connect` when there is a reason to:
a file was opened or saved, a command was given, a host has rung the bell.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from typing import Any, Callable, Dict, List, Optional, Tuple

from . import plugins
from .bridge import client, wire
from .bridge.client import NoHost
from .bridge.rendezvous import Announcement
from .bridge.wire import HostStatus

logger = logging.getLogger(__name__)
# Seconds in which a host answers `initialize`: one that is stopped, or stuck, accepts connections all the same.
GREETING_LIMIT = 10.0
_GIVEN_UP = "the connection was given up for another one"


class Link:
    """A connection to the host that `find` names, which raises :class:`NoHost` if there is none. Once it was closed it
    stays closed, for those too who were waiting for it: another link has taken its place.

    `connected(status)` is called at each connection, `heard(method, params)` for each notification of the host,
    `lost()` at the end of a connection that was not asked for.
    """

    def __init__(
        self,
        find: Callable[[], Announcement],
        connected: Callable[[HostStatus], None],
        heard: Callable[[str, Any], None],
        lost: Callable[[], None],
    ) -> None:
        self._find = find
        self._connected = connected
        self._heard = heard
        self._lost = lost
        self._writer: Optional[asyncio.StreamWriter] = None
        self._answers: Dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        # What the host says while it still answers `initialize`.
        self._early: List[Tuple[str, Any]] = []
        self._connecting: Optional[asyncio.Task[None]] = None
        self._reading: Optional[asyncio.Task[None]] = None
        self._closed = False
        self.initialized = False

    async def connect(self) -> None:
        """Connects if need be. Raises :class:`NoHost`, or WireError if the host does not want us."""
        if self._connecting is not None:
            with contextlib.suppress(NoHost):  # it was begun before our reason: a host that has just started, say
                await _end_of(self._connecting)
        if self._closed:
            raise NoHost(_GIVEN_UP)
        if self.initialized:
            return
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.create_task(self._connect())
            self._connecting.add_done_callback(self._connect_done)
        await _end_of(self._connecting)

    async def call(self, method: str, params: Optional[Dict[str, Any]] = None) -> Any:
        """The result of a request. Raises WireError if it is an error, :class:`NoHost` if the host is not there or
        goes away."""
        await self.connect()
        return await self.ask(method, params or {})

    def ask(self, method: str, params: Dict[str, Any]) -> asyncio.Future[Any]:
        """The same, sent before this returns: the result to come. Raises :class:`NoHost` if not connected."""
        if self._writer is None:
            raise NoHost("the host went away")
        self._number += 1
        number = self._number
        self._writer.write(wire.request(number, method, params))
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(lambda _: self._answers.pop(number, None))
        return answer

    def tell(self, method: str, params: Dict[str, Any]) -> None:
        """Sends a notification, if the host is there to hear it."""
        if self.initialized and self._writer is not None:
            self._writer.write(wire.notification(method, params))

    async def status(self) -> HostStatus:
        """The host, its switches, and its plugins with their last outcomes."""
        return _status(await self.call("hotreload/status"))

    async def switch(self, enabled: bool, plugin: Optional[str] = None) -> HostStatus:
        """Turns hot reload on or off for `plugin`, or the global switch without one."""
        method = "hotreload/enable" if enabled else "hotreload/disable"
        return _status(await self.call(method, {"plugin": plugin} if plugin else {}))

    def close(self) -> None:
        """Ends the connection for good, quietly."""
        self._closed = True
        for task in (self._connecting, self._reading):
            if task is not None:
                task.cancel()
        self._disconnect()

    async def _connect(self) -> None:
        host = self._find()
        # A peer check and a timeout come with the blocking client's way; a host that is there accepts at once.
        connection = await asyncio.to_thread(client.connect, host.endpoint)
        connection.setblocking(False)
        reader, self._writer = await asyncio.open_connection(sock=connection, limit=wire.MAX_MESSAGE)
        self._reading = asyncio.create_task(self._read(reader))
        me = {
            "protocol": wire.PROTOCOL,
            "version": wire.VERSION,
            "client": "evonic-lsp serve",
            "token": host.token,
        }
        try:
            status = _status(await asyncio.wait_for(self.ask("initialize", me), GREETING_LIMIT))
        except asyncio.TimeoutError:
            self._disconnect()
            raise NoHost(f"the host did not answer within {GREETING_LIMIT:g} s (process {host.pid})") from None
        except BaseException:
            self._disconnect()
            raise
        if self._writer is None:  # it greeted and went away in one breath
            raise NoHost("the host went away")
        self.initialized = True
        self._tell(self._connected, status)
        early, self._early = self._early, []
        for method, params in early:
            self._tell(self._heard, method, params)

    def _connect_done(self, task: asyncio.Task[None]) -> None:
        if self._connecting is task:
            self._connecting = None
        if not task.cancelled():
            task.exception()  # told to whoever awaits it; without this, asyncio complains if nobody does

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                self._take(wire.decode(line))
        except (OSError, ValueError, wire.WireError) as error:
            logger.warning("the connection to the host broke: %s", error)
        was_connected = self.initialized
        self._disconnect()
        if was_connected:
            self._lost()

    def _take(self, message: Dict[str, Any]) -> None:
        if "method" in message:
            if self.initialized:
                self._tell(self._heard, message["method"], message.get("params"))
            else:
                self._early.append((message["method"], message.get("params")))
            return
        answer = self._answers.get(message["id"]) if isinstance(message.get("id"), int) else None
        if answer is None or answer.done():
            return
        try:
            answer.set_result(wire.result_of(message))
        except wire.WireError as error:
            answer.set_exception(error)

    def _tell(self, whom: Callable[..., None], *what: Any) -> None:
        """What comes of a message must not end the connection that it came over."""
        try:
            whom(*what)
        except Exception:
            logger.exception("a message of the host was not taken in")

    def _disconnect(self) -> None:
        self.initialized, self._early = False, []
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        for answer in list(self._answers.values()):
            if not answer.done():
                answer.set_exception(NoHost("the host went away before it answered"))


async def _end_of(connecting: asyncio.Task[None]) -> None:
    """Waits for an attempt to connect without ending it. One that was cancelled has reached nobody: whoever waits is
    not cancelled with it."""
    await asyncio.wait([connecting])
    if connecting.cancelled():
        raise NoHost(_GIVEN_UP)
    connecting.result()


def _status(data: Any) -> HostStatus:
    """The status of a host, without plugins whose ids are none: folders are named after them."""
    status = wire.from_json(HostStatus, data)
    return dataclasses.replace(status, plugins=[each for each in status.plugins if plugins.is_id(each.id)])
