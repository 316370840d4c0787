"""Everything that is said to the editor, in LSP's own words and the one notification of ours."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from dataclasses import asdict, dataclass
from typing import Any, AsyncIterator, Callable, Coroutine, List, Optional

from lsprotocol import types
from pygls.lsp.server import LanguageServer

from . import shown
from .bridge.text import clean
from .bridge.wire import LogEntry

logger = logging.getLogger(__name__)
_tokens = itertools.count(1)
INFO, WARNING, ERROR = types.MessageType.Info, types.MessageType.Warning, types.MessageType.Error
_WATCHED = "**/*.{py,json,yaml,yml,md,html,htm,jinja,jinja2,j2,txt,xml,css,js}"


@dataclass(frozen=True)
class Status:
    """``evonic/status``. `state` is one of disconnected, idle, pending, reloading, ok, failed; without `plugin` it
    is about the connection. `durationMs` and `generation` come with an outcome."""

    state: str
    message: str
    plugin: Optional[str] = None
    durationMs: Optional[float] = None
    generation: Optional[int] = None


class Editor:
    """The client of one language server."""

    def __init__(self, server: LanguageServer) -> None:
        self._server = server
        self._follows_code = False
        self._asking = False

    @property
    def shows_related(self) -> bool:
        """Whether diagnostics may carry related information."""
        documents = self._server.client_capabilities.text_document
        published = documents.publish_diagnostics if documents else None
        return bool(published and published.related_information)

    def measure(self, text: str) -> int:
        """The length of a text in the units of the position encoding agreed on."""
        encoding = self._server.server_capabilities.position_encoding
        if encoding == types.PositionEncodingKind.Utf8:
            return len(text.encode("utf-8", "surrogatepass"))
        if encoding == types.PositionEncodingKind.Utf32:
            return len(text)
        return len(text.encode("utf-16-le", "surrogatepass")) // 2

    @property
    def tells_all_changes(self) -> bool:
        """Whether the client tells of all changes of all documents."""
        return not follows_on_demand(self._server.client_capabilities)

    @property
    def refreshes_lenses(self) -> bool:
        """Whether the client can be asked to ask for its lenses again."""
        workspace = self._server.client_capabilities.workspace
        return bool(workspace and workspace.code_lens and workspace.code_lens.refresh_support)

    async def refresh_lenses(self) -> None:
        """Has the client ask for its lenses again."""
        try:
            await self._server.workspace_code_lens_refresh_async(None)
        except Exception as error:  # pygls raises what the client answers, of no common type
            logger.warning("the editor did not refresh its lenses: %s", error)

    def publish(self, uri: str, diagnostics: List[types.Diagnostic]) -> None:
        """Replaces what a file shows."""
        cleaned = [shown.diagnostic(each) for each in diagnostics]
        self._server.text_document_publish_diagnostics(types.PublishDiagnosticsParams(uri, cleaned))

    def status(self, status: Status) -> None:
        """Tells how a plugin, or the connection, is."""
        self._server.protocol.notify("evonic/status", shown.data(asdict(status)))

    def log(self, message: str, kind: types.MessageType = INFO) -> None:
        """A line in the editor's log of this server."""
        self._server.window_log_message(types.LogMessageParams(kind, clean(message)))

    def plugin_log(self, root: str, entry: LogEntry) -> None:
        """A new line in the log of a plugin that the editor shows."""
        self._server.protocol.notify("evonic/log", {"root": root, **shown.data(asdict(entry))})

    def show(self, message: str, kind: types.MessageType = INFO) -> None:
        """A message in front of the person. For what they asked for, and what they must know."""
        self._server.window_show_message(types.ShowMessageParams(kind, shown.text(message)))

    async def ask(self, message: str, *answers: str) -> Optional[str]:
        """One of `answers`, or None if the question is dismissed or the editor cannot ask."""
        actions = [types.MessageActionItem(each) for each in answers]
        params = types.ShowMessageRequestParams(INFO, shown.text(message), actions)
        try:
            chosen = await self._server.window_show_message_request_async(params)
        except Exception as error:  # pygls raises what the client answers, of no common type
            logger.warning("the editor did not take a question: %s", error)
            return None
        return chosen.title if chosen else None

    @contextlib.asynccontextmanager
    async def progress(self, title: str) -> AsyncIterator[None]:
        """``$/progress`` around a block, which never waits for the editor."""
        window = self._server.client_capabilities.window
        if not (window and window.work_done_progress) or self._asking:
            yield
            return
        ended = asyncio.Event()
        task = asyncio.create_task(self._report(title, ended))
        try:
            yield
        finally:
            ended.set()
            task.add_done_callback(_log_failure)

    async def _report(self, title: str, ended: asyncio.Event) -> None:
        progress, token = self._server.work_done_progress, f"evonic-{next(_tokens)}"
        self._asking = True  # an editor that does not answer is not asked again, for each reload
        try:
            await progress.create_async(token)
        finally:
            self._asking = False
        progress.begin(token, types.WorkDoneProgressBegin(title))
        await ended.wait()
        progress.end(token, types.WorkDoneProgressEnd())
        progress.tokens.pop(token, None)

    async def settings(self) -> Any:
        """What the editor has set under ``evonic``; None if it cannot be asked, or does not say."""
        workspace = self._server.client_capabilities.workspace
        if not (workspace and workspace.configuration):
            return None
        items = [types.ConfigurationItem(section="evonic")]
        try:
            answer = await self._server.workspace_configuration_async(types.ConfigurationParams(items))
        except Exception as error:  # pygls raises what the client answers, of no common type
            logger.warning("the editor did not tell its settings: %s", error)
            return None
        return answer[0] if isinstance(answer, (list, tuple)) and answer else None

    async def watch_files(self) -> None:
        """Asks to be told of changes from outside the editor, where it offers that."""
        workspace = self._server.client_capabilities.workspace
        watching = workspace.did_change_watched_files if workspace else None
        if not (watching and watching.dynamic_registration):
            return
        options = types.DidChangeWatchedFilesRegistrationOptions([types.FileSystemWatcher(_WATCHED)])
        await self._register("evonic-files", types.WORKSPACE_DID_CHANGE_WATCHED_FILES, options)

    async def follow_manifests(self) -> None:
        """Asks to be told of each change of a ``plugin.json``, and of no other file, where it offers that."""
        if not follows_on_demand(self._server.client_capabilities):
            return
        await self._follow("evonic-manifests", "**/plugin.json")

    async def follow_code(self) -> None:
        """The same for Python files, once: where something went wrong at run time, what is shown has to move with the
        text. Each change brings the whole text, so it does not matter that those before it were not told."""
        if self._follows_code or not follows_on_demand(self._server.client_capabilities):
            return
        self._follows_code = True
        await self._follow("evonic-code", "**/*.py")

    async def _follow(self, name: str, pattern: str) -> None:
        files = [types.TextDocumentFilterPattern(pattern=pattern, scheme="file")]
        options = types.TextDocumentChangeRegistrationOptions(types.TextDocumentSyncKind.Full, files)
        await self._register(name, types.TEXT_DOCUMENT_DID_CHANGE, options)

    async def _register(self, name: str, method: str, options: Any) -> None:
        registration = types.RegistrationParams([types.Registration(name, method, options)])
        try:
            await self._server.client_register_capability_async(registration)
        except Exception as error:  # pygls raises what the client answers, of no common type
            logger.warning("the editor will not tell of %s: %s", name, error)


def follows_on_demand(capabilities: types.ClientCapabilities) -> bool:
    """Whether the client can be asked for the changes of some files only. Others tell of all or of none."""
    documents = capabilities.text_document
    synchronization = documents.synchronization if documents else None
    return bool(synchronization and synchronization.dynamic_registration)


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.warning("the editor did not take a progress report: %s", task.exception())


class Refresher:
    """Has the editor ask for its lenses again, one request at a time. `run` runs a coroutine beside everything else."""

    def __init__(self, editor: Editor, run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
        self._editor = editor
        self._run = run
        self._asking = False
        self._again = False

    def wake(self) -> None:
        """What lenses show may be another."""
        if self._asking:
            self._again = True
        elif self._editor.refreshes_lenses:
            self._asking = True
            self._run(self._ask())

    async def _ask(self) -> None:
        try:
            await self._editor.refresh_lenses()
        finally:
            self._asking = False
        if self._again:
            self._again = False
            self.wake()
