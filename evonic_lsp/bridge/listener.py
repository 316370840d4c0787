"""The socket inside the host: one thread, one event loop, any number of clients, no polling."""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import secrets
import socket
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Awaitable, Callable, Dict, List, Optional, Set

from . import rendezvous, wire
from .rendezvous import Announcement
from .wire import WireError

_logger = logging.getLogger("evonic_lsp")
_MOST_CLIENTS = 256
# A client that does not read for so long that this much waits for it is let go.
_MOST_UNREAD = 2 * wire.MAX_MESSAGE
# Requests of one client that wait for their answers; it is read on when there are fewer.
_MOST_WAITING = 64
# Seconds until a client has been let in: where there is a token, anybody can connect, and must not keep a place.
HELLO_LIMIT = 10.0
# Bytes of a message before that, and of what is read ahead of any.
_LONGEST_HELLO = 64 * 1024

# (method, params) -> the result, or something to await for it
Answer = Callable[[str, Dict[str, Any]], Any]


class Listener:
    """Listens for clients and answers them with `answer`, which may block: it runs in a small pool of threads.

    `root` and `plugins_dir` are announced.
    """

    def __init__(self, root: str, plugins_dir: str, answer: Answer) -> None:
        self.root = root
        self.plugins_dir = plugins_dir
        self._answer = answer
        self._loop = asyncio.new_event_loop()
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="evonic-lsp answer")
        self._clients: Set[_Connection] = set()
        self._token: Optional[str] = None
        self._files: List[Path] = []
        self._server: Optional[asyncio.AbstractServer] = None
        self._thread: Optional[threading.Thread] = None
        self._listening: Future[None] = Future()

    def start(self) -> None:
        """Listens, says so, and rings the bells. Raises OSError if no socket can be made."""
        rendezvous.hosts(Path(self.root))  # reading them removes what dead processes left
        folders = self._folders()
        listening, endpoint = self._bind(folders)
        self._thread = threading.Thread(target=self._run, args=(listening,), name="evonic-lsp listener", daemon=True)
        self._thread.start()
        self._listening.result()
        announcement = Announcement(
            wire.PROTOCOL, wire.VERSION, os.getpid(), self.root, self.plugins_dir, endpoint, time.time(), self._token
        )
        try:
            self._files += rendezvous.announce(announcement, folders)
        except OSError:
            self.stop()  # nobody could find it
            raise
        rendezvous.ring_bells(rendezvous.usable_runtime_dirs())

    def stop(self) -> None:
        """Tells the clients, closes, and removes every file."""
        thread, self._thread = self._thread, None
        if thread is not None and thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(2)
        for file in self._files:
            try:
                file.unlink()
            except OSError:
                continue  # somebody cleaned up before us
        self._files = []

    def notify(self, method: str, params: Any) -> None:
        """Sends a notification to every client; from any thread, whose work it never disturbs."""
        if not self._clients or self._loop.is_closed():
            return
        try:
            line = wire.notification(method, params)
        except (WireError, ValueError, TypeError, RecursionError) as error:
            _logger.warning("%s was not sent: %s", method, error)
            return
        try:
            self._loop.call_soon_threadsafe(self._broadcast, line)
        except RuntimeError:
            _logger.debug("the listener stopped before %s was sent", method)

    def call_later(self, delay: float, work: Callable[[], None]) -> bool:
        """Calls `work` in the loop's thread in `delay` seconds; from any thread. False if it will not."""
        try:
            self._loop.call_soon_threadsafe(self._loop.call_later, delay, work)
        except RuntimeError:
            return False  # it has stopped
        return True

    def _folders(self) -> List[Path]:
        folders = []
        try:
            folders.append(rendezvous.private_folder(rendezvous.run_dir(Path(self.root))))
        except OSError as error:
            _logger.warning("%s cannot be used (%s); clients find this host by the runtime directory", self.root, error)
        return folders + rendezvous.usable_runtime_dirs()

    def _bind(self, folders: List[Path]) -> Any:
        if rendezvous.UNIX_SOCKETS:
            *others, last = rendezvous.socket_paths(folders, os.getpid())
            for path in others:
                try:
                    return self._bind_at(path)
                except OSError as error:  # a file system without sockets, a full disk, a folder in the way
                    _logger.warning("no socket can be made at %s: %s", path, error)
            return self._bind_at(last)
        self._token = secrets.token_urlsafe(32)
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.bind(("127.0.0.1", 0))
        return listening, f"tcp:127.0.0.1:{listening.getsockname()[1]}"

    def _bind_at(self, path: Path) -> Any:
        if os.path.lexists(path):
            path.unlink()  # of a dead process that had our number, or planted
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listening.bind(str(path))
        except OSError:
            listening.close()
            raise
        self._files.append(path)
        os.chmod(path, 0o600)
        return listening, f"unix:{path}"

    async def _serve(self, listening: socket.socket) -> None:
        if self._token is None:
            self._server = await asyncio.start_unix_server(self._client, sock=listening, limit=_LONGEST_HELLO)
        else:
            self._server = await asyncio.start_server(self._client, sock=listening, limit=_LONGEST_HELLO)

    def _run(self, listening: socket.socket) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            try:
                self._loop.run_until_complete(self._serve(listening))
            except BaseException as error:
                self._listening.set_exception(error)
                return
            self._listening.set_result(None)
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._close())
            self._loop.close()

    async def _close(self) -> None:
        if self._server:
            self._server.close()
        self._broadcast(wire.notification("host/stopping", {}))
        for client in list(self._clients):
            client.writer.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        self._pool.shutdown(wait=False)

    def _broadcast(self, line: bytes) -> None:
        for client in list(self._clients):
            if client.initialized:
                client.send(line)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = _Connection(writer)
        try:
            rendezvous.check_peer(writer.get_extra_info("socket"))
            if len(self._clients) >= _MOST_CLIENTS:
                raise PermissionError(f"{_MOST_CLIENTS} clients are connected already")
        except OSError as error:
            _logger.warning("connection refused: %s", error)
            writer.close()
            return
        self._clients.add(client)
        due = self._loop.call_later(HELLO_LIMIT, writer.transport.abort)
        try:
            await self._read(client, reader, due)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, that is its right; or the listener stops
        finally:
            due.cancel()
            self._clients.discard(client)
            for task in client.tasks:
                task.cancel()
            writer.close()

    async def _read(self, client: _Connection, reader: asyncio.StreamReader, due: asyncio.TimerHandle) -> None:
        while True:
            try:
                message = wire.decode(await _line(reader, wire.MAX_MESSAGE if client.initialized else _LONGEST_HELLO))
            except WireError as error:
                client.send(wire.failure(None, error))
                if not client.initialized or isinstance(error, _TooLong) or error.code == wire.PARSE_ERROR:
                    return  # whatever follows cannot be trusted either
                continue
            if "method" in message:
                task = self._loop.create_task(self._respond(client, message))
                client.tasks.add(task)
                task.add_done_callback(client.tasks.discard)
                if len(client.tasks) >= _MOST_WAITING:
                    await asyncio.wait(client.tasks, return_when=asyncio.FIRST_COMPLETED)
                if not client.initialized:
                    await asyncio.wait([task])
            if not client.initialized:
                return
            due.cancel()

    async def _respond(self, client: _Connection, message: Dict[str, Any]) -> None:
        try:
            params = message.get("params", {})
            if not isinstance(params, dict):
                raise WireError(wire.INVALID_PARAMS, "params must be an object")
            answer = wire.response(message.get("id"), await self._result(client, message["method"], params))
        except WireError as error:
            answer = wire.failure(message.get("id"), error)
        except Exception as error:
            _logger.exception("%s failed", message["method"])
            kind = type(error).__name__
            failure = WireError(wire.INTERNAL_ERROR, f"the bridge failed: {kind}: {error}")
            answer = wire.failure(message.get("id"), failure)
        if message.get("id") is not None:  # a notification has no answer, not even an error
            client.send(answer)

    async def _result(self, client: _Connection, method: str, params: Dict[str, Any]) -> Any:
        if method == "initialize":
            if self._token is not None and not _same(params.get("token"), self._token):
                raise WireError(wire.REFUSED, "the token is not the one that this host announced")
            wire.check_protocol(params.get("protocol"), params.get("version"))
            client.initialized = True  # from now on it hears everything, so nothing is lost while its answer is made
        elif not client.initialized:
            raise WireError(wire.NOT_INITIALIZED, "the first request must be initialize")
        result = await self._loop.run_in_executor(self._pool, self._answer, method, params)
        if isinstance(result, Awaitable):
            result = await result
        elif hasattr(result, "add_done_callback"):
            result = await asyncio.wrap_future(result)
        return result


class _TooLong(WireError):
    """Nobody knows where the next message begins."""


async def _line(reader: asyncio.StreamReader, longest: int) -> bytes:
    """The next line. Raises :class:`_TooLong`; asyncio.IncompleteReadError at the end."""
    parts: List[bytes] = []
    while not (parts and parts[-1].endswith(b"\n")):
        try:
            parts.append(await reader.readuntil(b"\n"))
        except asyncio.LimitOverrunError as error:
            parts.append(await reader.readexactly(error.consumed))
        if sum(map(len, parts)) > longest:
            raise _TooLong(wire.INVALID_REQUEST, f"a message is longer than {longest} bytes")
    return b"".join(parts)


def _same(given: Any, token: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode("utf-8", "surrogatepass"), token.encode("ascii"))


class _Connection:
    """One client."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.initialized = False
        self.tasks: Set[asyncio.Task[None]] = set()

    def send(self, line: bytes) -> None:
        """Queues a line; never waits. Whoever does not read is disconnected before it costs memory."""
        if self.writer.transport.is_closing():
            return
        self.writer.write(line)
        if self.writer.transport.get_write_buffer_size() > _MOST_UNREAD:
            _logger.warning("a client that does not read was disconnected")
            self.writer.transport.abort()
