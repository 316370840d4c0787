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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Awaitable, Callable, Dict, List, Optional, Set

from . import rendezvous, wire
from .rendezvous import Announcement
from .wire import WireError

_logger = logging.getLogger("evonic_lsp")
_MOST_CLIENTS = 256
# A client that does not read for so long that this much waits for it is let go.
_MOST_UNREAD = 2 * wire.MAX_MESSAGE

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
        self._thread = threading.Thread(target=self._run, name="evonic-lsp listener", daemon=True)

    def start(self) -> None:
        """Listens, says so, and rings the bells. Raises OSError if no socket can be made."""
        rendezvous.hosts(Path(self.root))  # reading them removes what dead processes left
        folders = self._folders()
        listening, endpoint = self._bind(folders)
        self._loop.run_until_complete(self._serve(listening))
        self._thread.start()
        announcement = Announcement(
            wire.PROTOCOL, wire.VERSION, os.getpid(), self.root, self.plugins_dir, endpoint, time.time(), self._token
        )
        self._files += rendezvous.announce(announcement, folders)
        rendezvous.ring_bells(rendezvous.usable_runtime_dirs())

    def stop(self) -> None:
        """Tells the clients, closes, and removes every file."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(2)
        for file in self._files:
            try:
                file.unlink()
            except OSError:
                continue  # somebody cleaned up before us
        self._files = []

    def notify(self, method: str, params: Any) -> None:
        """Sends a notification to every client; from any thread."""
        if not self._clients or self._loop.is_closed():
            return
        line = wire.notification(method, params)
        try:
            self._loop.call_soon_threadsafe(self._broadcast, line)
        except RuntimeError:
            _logger.debug("the listener stopped before %s was sent", method)

    def _folders(self) -> List[Path]:
        folders = []
        try:
            folders.append(rendezvous.private_folder(rendezvous.run_dir(Path(self.root))))
        except OSError as error:
            _logger.warning("%s cannot be used (%s); clients find this host by the runtime directory", self.root, error)
        return folders + rendezvous.usable_runtime_dirs()

    def _bind(self, folders: List[Path]) -> Any:
        if hasattr(socket, "AF_UNIX"):
            path = rendezvous.socket_path(folders, os.getpid())
            if path.is_symlink() or path.exists():
                path.unlink()  # of a dead process that had our number
            listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listening.bind(str(path))
            os.chmod(path, 0o600)
            self._files.append(path)
            return listening, f"unix:{path}"
        self._token = secrets.token_urlsafe(32)
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.bind(("127.0.0.1", 0))
        return listening, f"tcp:127.0.0.1:{listening.getsockname()[1]}"

    async def _serve(self, listening: socket.socket) -> None:
        if self._token is None:
            self._server = await asyncio.start_unix_server(self._client, sock=listening, limit=wire.MAX_MESSAGE)
        else:
            self._server = await asyncio.start_server(self._client, sock=listening, limit=wire.MAX_MESSAGE)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
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
        try:
            await self._read(client, reader)
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client went away; that is its right
        finally:
            self._clients.discard(client)
            for task in client.tasks:
                task.cancel()
            writer.close()

    async def _read(self, client: _Connection, reader: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await reader.readuntil(b"\n")
            except asyncio.LimitOverrunError:
                error = WireError(wire.INVALID_REQUEST, f"a message is longer than {wire.MAX_MESSAGE} bytes")
                client.send(wire.failure(None, error))
                return
            try:
                message = wire.decode(line)
            except WireError as error:
                client.send(wire.failure(None, error))
                if error.code == wire.PARSE_ERROR:
                    return  # whatever follows cannot be trusted either
                continue
            if "method" not in message:
                continue
            task = self._loop.create_task(self._respond(client, message))
            client.tasks.add(task)
            task.add_done_callback(client.tasks.discard)
            if not client.initialized:
                await asyncio.wait([task])
                if not client.initialized:
                    return

    async def _respond(self, client: _Connection, message: Dict[str, Any]) -> None:
        number = message.get("id")
        try:
            params = message.get("params", {})
            if not isinstance(params, dict):
                raise WireError(wire.INVALID_PARAMS, "params must be an object")
            result = await self._result(client, message["method"], params)
            if number is not None:
                client.send(wire.response(number, result))
        except WireError as error:
            client.send(wire.failure(number, error))
        except Exception as error:
            _logger.exception("%s failed", message["method"])
            kind = type(error).__name__
            client.send(wire.failure(number, WireError(wire.INTERNAL_ERROR, f"the bridge failed: {kind}: {error}")))

    async def _result(self, client: _Connection, method: str, params: Dict[str, Any]) -> Any:
        if method == "initialize":
            if self._token is not None and not hmac.compare_digest(str(params.get("token")), self._token):
                raise WireError(wire.REFUSED, "the token is not the one that this host announced")
            wire.check_protocol(params.get("protocol"), params.get("version"))
        elif not client.initialized:
            raise WireError(wire.NOT_INITIALIZED, "the first request must be initialize")
        result = await self._loop.run_in_executor(self._pool, self._answer, method, params)
        if isinstance(result, Awaitable):
            result = await result
        elif hasattr(result, "add_done_callback"):
            result = await asyncio.wrap_future(result)
        if method == "initialize":
            client.initialized = True
        return result


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
