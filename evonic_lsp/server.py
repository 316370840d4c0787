"""The LSP surface: features and commands, each handed on to the session. No logic here."""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any, BinaryIO, Generator, List, Optional, cast

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, lsp_method

from . import commands, lenses, plugins
from .bridge import wire
from .editor import Editor, follows_on_demand
from .frames import Frames
from .manifests import actions, features
from .session import Session

logger = logging.getLogger(__name__)


class Protocol(LanguageServerProtocol):
    """Where the client lets itself be asked later for the changes of some files, it is asked for none here."""

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Generator[Any, Any, types.InitializeResult]:
        result = yield from super().lsp_initialize(params)
        sync = result.capabilities.text_document_sync
        if follows_on_demand(params.capabilities) and isinstance(sync, types.TextDocumentSyncOptions):
            sync.change = types.TextDocumentSyncKind.None_
        return result

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> Generator[Any, Any, None]:
        """Without pygls's own copy: it counts line ends that are none in LSP, and nobody reads it."""
        yield self.fm.features[types.TEXT_DOCUMENT_DID_CHANGE], (params,), None


class Server(LanguageServer):
    """The language server of one editor window; `session` lives from ``initialized`` to ``shutdown``."""

    def __init__(self, **options: Any) -> None:
        super().__init__("evonic-lsp", wire.VERSION, protocol_cls=Protocol, **options)
        self.editor = Editor(self)
        self.session: Optional[Session] = None
        self.greeted = False
        self.initialization_options: Any = None

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Into the log of the editor, with its traceback. What is an answer to the client is no error of ours."""
        if not isinstance(error.__cause__ or error, JsonRpcException):
            logger.error("%s: %s", source.__name__, error, exc_info=error)


def make_server(**options: Any) -> Server:
    """A server with all of its features; `options` are those of pygls (a converter factory, for tests)."""
    server = Server(**options)

    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        server.greeted, server.initialization_options = True, params.initialization_options

    @server.feature(types.INITIALIZED)
    def initialized(params: types.InitializedParams) -> None:
        if not server.greeted or server.session is not None:
            return  # before `initialize`, or twice
        # At once: what follows in the same breath must find a session.
        server.session = Session(server.editor)
        options = server.initialization_options
        server.session.desk.tells_syntax = not (isinstance(options, dict) and options.get("checksJson"))
        server.session.configure(options)
        # None waits for another: an editor may answer what it is asked late, or never.
        server.session.task(server.session.start(_folders(server)))
        server.session.task(_take_settings(server.session))
        server.session.task(server.editor.watch_files())
        server.session.task(server.editor.follow_manifests())

    @server.feature(types.SHUTDOWN)
    def shutdown(params: None) -> None:
        # pygls cancels what is still being answered while it iterates over it: the shutdown would fail, and an editor
        # that keeps the pipe open would keep the process.
        for number, future in list(server.protocol._request_futures.items()):
            if number != server.protocol.msg_id:
                future.cancel()
        if server.session is not None:
            server.session.close()

    _add_documents(server)
    _add_language(server)
    _add_lenses(server)
    _add_workspace(server)
    for name in commands.NAMES:
        _add_command(server, name)
    return server


def _add_documents(server: Server) -> None:
    @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
    def did_open(params: types.DidOpenTextDocumentParams) -> None:
        if server.session is not None:
            server.session.opened(params.text_document.uri, params.text_document.text)

    @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def did_close(params: types.DidCloseTextDocumentParams) -> None:
        if server.session is not None:
            server.session.closed(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE, types.SaveOptions(include_text=False))
    def did_save(params: types.DidSaveTextDocumentParams) -> None:
        if server.session is not None:
            server.session.saved(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
    def did_change(params: types.DidChangeTextDocumentParams) -> None:
        if server.session is not None:
            server.session.changed(params.text_document.uri, params.content_changes)


def _add_language(server: Server) -> None:
    """``plugin.json`` as a language."""

    @server.feature(types.TEXT_DOCUMENT_COMPLETION, types.CompletionOptions(trigger_characters=['"']))
    def completion(params: types.CompletionParams) -> Optional[List[types.CompletionItem]]:
        desk = server.session.desk if server.session else None
        return features.completions(desk, params.text_document.uri, params.position) if desk else None

    @server.feature(types.TEXT_DOCUMENT_HOVER)
    def hover(params: types.HoverParams) -> Optional[types.Hover]:
        desk = server.session.desk if server.session else None
        return features.hover(desk, params.text_document.uri, params.position) if desk else None

    @server.feature(types.TEXT_DOCUMENT_DEFINITION)
    def definition(params: types.DefinitionParams) -> Optional[types.Location]:
        desk = server.session.desk if server.session else None
        return features.definition(desk, params.text_document.uri, params.position) if desk else None

    @server.feature(types.TEXT_DOCUMENT_CODE_ACTION, types.CodeActionOptions([types.CodeActionKind.QuickFix]))
    async def code_action(params: types.CodeActionParams) -> Optional[List[types.CodeAction]]:
        return await actions.code_actions(server.session, params) if server.session else None


def _add_lenses(server: Server) -> None:
    @server.feature(types.TEXT_DOCUMENT_CODE_LENS, types.CodeLensOptions(resolve_provider=False))
    async def code_lens(params: types.CodeLensParams) -> Optional[List[types.CodeLens]]:
        return await lenses.of(server.session, params.text_document.uri) if server.session else None


def _add_workspace(server: Server) -> None:
    @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
    def did_change_watched_files(params: types.DidChangeWatchedFilesParams) -> None:
        for change in params.changes if server.session is not None else ():
            assert server.session is not None
            if change.type == types.FileChangeType.Deleted:
                server.session.deleted(change.uri)
            else:
                server.session.saved(change.uri, by_person=False)

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    def did_change_configuration(params: types.DidChangeConfigurationParams) -> None:
        if server.session is None:
            return
        if params.settings:
            server.session.configure(params.settings)
        else:
            server.session.task(_take_settings(server.session))

    @server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    def did_change_workspace_folders(params: types.DidChangeWorkspaceFoldersParams) -> None:
        for folder in params.event.added if server.session is not None else ():
            path = plugins.path_of(folder.uri)
            if path is not None and server.session is not None:
                server.session.folder_opened(path)


def _add_command(server: Server, name: str) -> None:
    @server.command(f"evonic.{name}")
    async def command(ls: Server, *arguments: Any) -> Any:
        if server.session is None:
            raise commands.CommandFailed("the server is not initialized yet")
        return await commands.execute(server.session, name, arguments)


async def _take_settings(session: Session) -> None:
    session.configure(await session.editor.settings())


def _folders(server: Server) -> List[Path]:
    folders = [plugins.path_of(folder.uri) for folder in server.workspace.folders.values()]
    if not folders and server.workspace.root_uri:
        folders = [plugins.path_of(server.workspace.root_uri)]
    return [folder for folder in folders if folder is not None]


def serve() -> None:
    """Speaks LSP over standard input and output until the editor goes away. Exits with status 1 where what it sends can
    no longer be understood."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    # It logs what it then reports to `report_server_error`.
    logging.getLogger("pygls.protocol.json_rpc").setLevel(logging.CRITICAL)
    if sys.stdin.isatty():
        print("evonic-lsp is waiting for an editor on standard input; Ctrl-C ends it.", file=sys.stderr)
    server, frames = make_server(), Frames(sys.stdin.buffer)

    def leave(number: int, frame: Any) -> None:
        if server.session is not None:
            server.session.hosts.take_down_bells()
        os._exit(128 + number)  # a thread of pygls sits in a read of stdin that nothing interrupts

    # SIGHUP comes when the terminal around an editor is closed; Windows has none.
    for number in (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)):
        signal.signal(number, leave)
    try:
        server.start_io(stdin=cast(BinaryIO, frames))
    finally:
        if server.session is not None:
            server.session.hosts.take_down_bells()
    if frames.lost is not None:
        sys.exit(f"evonic-lsp ends, as it cannot tell any more where a message begins: {frames.lost}. Start it again.")
