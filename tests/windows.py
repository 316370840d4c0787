"""An editor window for tests: a language server and its client in one process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
from pathlib import Path
from typing import Any, Callable

import pytest
from lsprotocol import types
from pygls.io_ import run_async
from pygls.lsp.client import LanguageClient
from pygls.protocol import default_converter

from evonic_lsp.server import Server, make_server

LIMIT = 10.0
_converter = default_converter()


class Window:
    """An editor window: what it was told, and what a person does in it."""

    def __init__(self, server: Server, client: LanguageClient) -> None:
        self.server, self.client = server, client
        self.shown: dict[str, list[types.Diagnostic]] = {}
        self.published: list[str] = []
        self.statuses: list[dict[str, Any]] = []
        self.messages: list[str] = []
        self.logged: list[str] = []
        self.questions: list[types.ShowMessageRequestParams] = []
        self.answers: list[str | None] = []
        self.progress: list[Any] = []
        self.registered: list[str] = []
        self.refreshed = 0
        self.configuration: Any = None
        self._changed = asyncio.Event()
        self._listen()

    def _listen(self) -> None:
        feature = self.client.feature

        @feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
        def publish(params: types.PublishDiagnosticsParams) -> None:
            self.shown[params.uri] = list(params.diagnostics)
            self.published.append(params.uri)
            self._changed.set()

        @feature("evonic/status")
        def status(params: Any) -> None:
            self.statuses.append({key: getattr(params, key) for key in params._fields})
            self._changed.set()

        @feature(types.WINDOW_SHOW_MESSAGE)
        def show(params: types.ShowMessageParams) -> None:
            self.messages.append(params.message)
            self._changed.set()

        @feature(types.WINDOW_LOG_MESSAGE)
        def log(params: types.LogMessageParams) -> None:
            self.logged.append(params.message)
            self._changed.set()

        @feature(types.WINDOW_SHOW_MESSAGE_REQUEST)
        def ask(params: types.ShowMessageRequestParams) -> types.MessageActionItem | None:
            self.questions.append(params)
            self._changed.set()
            answer = self.answers.pop(0) if self.answers else None
            return types.MessageActionItem(answer) if answer else None

        @feature(types.WINDOW_WORK_DONE_PROGRESS_CREATE)
        def create(params: types.WorkDoneProgressCreateParams) -> None:
            return None

        @feature(types.PROGRESS)
        def progress(params: types.ProgressParams) -> None:
            self.progress.append(params.value)
            self._changed.set()

        @feature(types.CLIENT_REGISTER_CAPABILITY)
        def register(params: types.RegistrationParams) -> None:
            self.registered += [each.method for each in params.registrations]
            self._changed.set()

        @feature(types.WORKSPACE_CODE_LENS_REFRESH)
        def refresh(params: None) -> None:
            self.refreshed += 1
            self._changed.set()

        @feature(types.WORKSPACE_CONFIGURATION)
        def configuration(params: types.ConfigurationParams) -> list[Any]:
            return [self.configuration]

    async def until(self, holds: Callable[[], Any], what: str = "") -> Any:
        """What `holds()` returns once it is true; waits for the next thing that the server says."""
        try:
            async with asyncio.timeout(LIMIT) if hasattr(asyncio, "timeout") else contextlib.AsyncExitStack():
                while not (value := holds()):
                    self._changed.clear()
                    await self._changed.wait()
        except asyncio.TimeoutError:
            told = "\n".join(map(str, [*self.statuses, *self.logged]))
            raise AssertionError(f"waited in vain for {what or 'a condition'}\n{told}") from None
        return value

    async def state(self, state: str, plugin: str | None = None) -> dict[str, Any]:
        """The next status with this state (and plugin); the ones up to it are forgotten."""

        def found() -> int:
            hits = (i for i, s in enumerate(self.statuses, 1) if s["state"] == state and s["plugin"] == plugin)
            return next(hits, 0)

        number = await self.until(found, state)
        status = self.statuses[number - 1]
        del self.statuses[:number]
        return status

    def open(self, path: Path | str, text: str = "") -> str:
        uri = path.as_uri() if isinstance(path, Path) else path
        item = types.TextDocumentItem(uri, "python", 1, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        return uri

    def save(self, path: Path | str) -> str:
        uri = path.as_uri() if isinstance(path, Path) else path
        self.client.text_document_did_save(types.DidSaveTextDocumentParams(types.TextDocumentIdentifier(uri)))
        return uri

    def watched(self, path: Path, change: types.FileChangeType = types.FileChangeType.Changed) -> None:
        event = types.FileEvent(path.as_uri(), change)
        self.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([event]))

    async def lenses(self, uri: str) -> list[tuple[int, str, str]]:
        """(line, title, command) of the code lenses of a file."""
        params = types.CodeLensParams(types.TextDocumentIdentifier(uri))
        found = await self.client.text_document_code_lens_async(params)
        return [(each.range.start.line, each.command.title, each.command.command) for each in found or []]

    async def command(self, name: str, *arguments: Any) -> Any:
        """The result of a command, as it is on the wire."""
        params = types.ExecuteCommandParams(f"evonic.{name}", list(arguments) or None)
        return await self.client.workspace_execute_command_async(params)


def capabilities(encoding: str | None = None, **changes: Any) -> types.ClientCapabilities:
    """Those of an editor that can everything; `encoding` is the only position encoding that it offers."""
    encodings = [types.PositionEncodingKind(encoding)] if encoding else None
    return types.ClientCapabilities(
        general=types.GeneralClientCapabilities(position_encodings=encodings),
        text_document=types.TextDocumentClientCapabilities(
            synchronization=types.TextDocumentSyncClientCapabilities(dynamic_registration=changes.get("follow", False)),
            publish_diagnostics=types.PublishDiagnosticsClientCapabilities(
                related_information=changes.get("related", True)
            ),
        ),
        window=types.WindowClientCapabilities(work_done_progress=changes.get("progress", True)),
        workspace=types.WorkspaceClientCapabilities(
            configuration=changes.get("configuration", False),
            code_lens=types.CodeLensWorkspaceClientCapabilities(refresh_support=changes.get("lenses", True)),
            did_change_watched_files=types.DidChangeWatchedFilesClientCapabilities(
                dynamic_registration=changes.get("watch", True)
            ),
        ),
    )


@pytest.fixture
async def window():
    """window(*folders, encoding=…, options=…) -> a Window of a server that is initialized."""
    tasks: list[asyncio.Task[Any]] = []
    stops: list[threading.Event] = []
    windows: list[Window] = []

    async def connect(peer: Any, end: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=end)
        peer.protocol.set_writer(writer)
        stops.append(threading.Event())
        logger = logging.getLogger("test")
        tasks.append(asyncio.create_task(run_async(stops[-1], reader, peer.protocol, logger)))

    async def make(
        *folders: Path, encoding: str | None = None, options: Any = None, configuration: Any = None, **changes: Any
    ):
        server = make_server(converter_factory=lambda: _converter)
        client = LanguageClient("test", "1", converter_factory=lambda: _converter)
        windows.append(Window(server, client))
        windows[-1].configuration = configuration
        for peer, end in zip((server, client), socket.socketpair()):
            await connect(peer, end)
        await client.initialize_async(
            types.InitializeParams(
                capabilities(encoding, configuration=configuration is not None, **changes),
                initialization_options=options,
                workspace_folders=[types.WorkspaceFolder(each.as_uri(), each.name) for each in folders],
            )
        )
        client.initialized(types.InitializedParams())
        return windows[-1]

    yield make
    for each in windows:
        if not each.server.protocol._shutdown:  # a second one is never answered
            await each.client.shutdown_async(None)
        each.client.protocol.writer.close()
        each.server.protocol.writer.close()
    await asyncio.gather(*tasks, return_exceptions=True)
