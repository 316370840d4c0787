"""One editor at work: its saves, the hosts that hear of them, and what comes back.

Holds no truth of its own: what a plugin's state is, the host says, at each connection and in what it tells after.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from pathlib import Path
from typing import Any, Coroutine, Dict, List, Optional, Sequence, Set

from lsprotocol import types

from . import plugins
from .board import Board
from .bridge import wire
from .bridge.client import NoHost
from .bridge.messages import Cleared
from .bridge.wire import Change, Failure, HostStatus, LogEntry, Outcome, WireError
from .documents import Documents
from .editor import ERROR, INFO, WARNING, Editor, Refresher, Status
from .finder import Finder
from .hosts import ENDPOINT, Hosts
from .logs import Logs
from .manifests.comparison import Comparison
from .manifests.desk import Desk
from .offers import Bridge, Offers, bridge_in
from .plugins import Found
from .saves import Saves
from .settings import Settings, updated
from .where import Ref, Where

logger = logging.getLogger(__name__)
_STATES = {
    wire.RELOADED: "ok",
    wire.UNCHANGED: "ok",
    wire.REJECTED: "failed",
    wire.ROLLED_BACK: "failed",
    wire.STUCK: "failed",
}
_BRIEF = 1.0
# Seconds without an answer to a reload until that is told: what waits in a host may take long, but not without a word.
SLOW = 15.0
_MOST_HUNG_UP = 3


class Session:
    """Made inside a running event loop."""

    def __init__(self, editor: Editor) -> None:
        self.editor = editor
        self.settings = Settings()
        self.current: Optional[Ref] = None
        self.hosts = Hosts(self._connected, self._heard, self._lost, self._rang)
        self.offers = Offers(editor, self.hosts, self.saved_again)
        self.where = Where()
        self._finder = Finder()
        self.documents = Documents(editor.measure)
        self.board = Board(editor, self.where, self.documents, Refresher(editor, self.task).wake)
        self.book = self.board.book
        self.logs = Logs(editor.log)
        self.desk = Desk(self.book, editor.measure, lambda uri: self._finder.find(plugins.path_of(uri)))
        self._comparison = Comparison(self.desk.saved)
        self.saves: Saves[Ref] = Saves(self._begin, self._pending, asyncio.get_running_loop().call_later)
        self._last: Dict[Ref, str] = {}
        self._followed: Set[Ref] = set()
        # Saved while there was no host to tell: URIs, the oldest first; and whether by a person.
        self._unserved: Dict[str, bool] = {}
        self._tasks: Set[asyncio.Task[None]] = set()
        # When each host was connected last, and how often in a row it has hung up on us soon after.
        self._since: Dict[str, float] = {}
        self._hung_up: Dict[str, int] = {}

    # ── What the editor tells ──

    async def start(self, folders: List[Path]) -> None:
        """Listens for hosts, and connects to those that the workspace's `folders` speak of."""
        await self.hosts.listen()
        for folder in folders:
            self.folder_opened(folder)
        self._connect_configured()
        self._rang()  # a host may have started while the bells were being hung

    def folder_opened(self, folder: Path) -> None:
        """A folder was added to the workspace."""
        for root in plugins.evonics_around(folder):
            self._finder.known[root.folder] = root
            self._connect(str(root.folder))

    def configure(self, given: Any) -> None:
        """Takes settings; see :func:`settings.updated`."""
        before = self.settings
        self.settings, wrong = updated(before, given)
        for sentence in wrong:
            self.editor.show(sentence, WARNING)
        self.saves.delay = self.settings.debounce / 1000
        if self.settings.endpoint != before.endpoint:
            self.hosts.drop()
            for known in self._finder.known if not self.settings.endpoint else ():
                self._connect(str(known))
        if (self.settings.root, self.settings.endpoint) != (before.root, before.endpoint):
            self._connect_configured()

    def opened(self, uri: str, text: str) -> None:
        """A file is being worked on: that tells which plugin, and which Evonic to speak to."""
        self.desk.opened(uri, text)
        self.documents.all_told = self.editor.tells_all_changes
        self.documents.opened(uri, text)
        path = plugins.path_of(uri)
        found = self._finder.find(path)
        if path is None or found is None:
            return
        self.where.open[os.path.realpath(path)] = uri
        ref = self._note(found)
        if ref is not None:
            self._connect(ref.root)

    def changed(self, uri: str, changes: Sequence[types.TextDocumentContentChangeEvent]) -> None:
        """The text of an open file has changed."""
        self.desk.changed(uri, changes)
        if self.documents.changed(uri, changes):
            self.board.moved_on(uri)

    def closed(self, uri: str) -> None:
        """A file is no longer open."""
        self.documents.closed(uri)
        self.desk.closed(uri)
        path = plugins.path_of(uri)
        if path is None:
            return
        self.where.open.pop(os.path.realpath(path), None)
        if not path.exists():
            self.book.drop(lambda each: each == uri)

    def saved(self, uri: str, by_person: bool = True) -> None:
        """A file was saved in the editor (`by_person`), or changed by something else."""
        heard = time.monotonic()
        found = self._finder.find(plugins.path_of(uri))
        if found is None or not found.counts or not self.settings.reload_on_save:
            self._comparison.add(None, uri, found)
            return
        ref = self._note(found)
        self._comparison.add(ref if ref is not None and ref.plugin != wire.BRIDGE_ID else None, uri, found)
        if ref is None:
            self._not_served(uri, by_person)
            self._disconnected(found.plugin, f"no running Evonic has the plugin {found.plugin}")
        elif ref.plugin == wire.BRIDGE_ID:
            self.editor.status(Status("idle", "the bridge cannot reload itself; restart Evonic", ref.plugin))
        else:
            if by_person:
                self.offers.may_ask(ref.root, ref.plugin)
            self._last[ref] = uri
            self.saves.saved(ref, time.monotonic() - heard)

    def deleted(self, uri: str) -> None:
        """A file or a folder was deleted."""
        path = plugins.path_of(uri)
        if path is None:
            return

        def gone(each: str) -> bool:
            file = plugins.path_of(each)
            return file is not None and (file == path or path in file.parents)

        self.book.drop(gone)
        self.saved(uri, by_person=False)

    def close(self) -> None:
        """Ends everything that was begun."""
        self.saves.close()
        self.logs.close()
        self._comparison.close()
        self.hosts.close()
        for task in self._tasks:
            task.cancel()

    # ── What is done about it ──

    def saved_again(self, root: str, plugin: str) -> None:
        """As if the plugin had been saved once more: hot reload has just been switched on for it."""
        self.saves.saved(Ref(root, plugin))

    async def reload(self, ref: Ref, asked_by: str) -> Outcome:
        """Reloads, telling the editor. Raises NoHost or WireError."""
        link = self.hosts.link(ref.root)
        await link.connect()
        answer = link.ask("plugin/reload", {"plugin": ref.plugin, "askedBy": asked_by})
        self.editor.status(Status("reloading", f"reloading {ref.plugin}", ref.plugin))
        slow = asyncio.get_running_loop().call_later(SLOW, self._slow, ref)
        try:
            async with self.editor.progress(f"Reloading {ref.plugin}"):
                return wire.from_json(Outcome, await answer)
        finally:
            slow.cancel()

    def _slow(self, ref: Ref) -> None:
        why = "it is busy, it was stopped, or the way to it is dead"
        message = f"Evonic has not answered for {SLOW:g} s: {why}. {ref.plugin} is reloaded when it goes on"
        self.editor.status(Status("reloading", message, ref.plugin))
        self.editor.log(message, WARNING)

    async def clear(self, ref: Optional[Ref]) -> None:
        """Takes what is said of a plugin, or of all, from the screen; the hosts forget its run-time errors."""
        for each in self.board.clear(ref):
            link = self.hosts.link(each.root)
            if link.initialized:
                with contextlib.suppress(NoHost, WireError):  # an older bridge keeps none
                    await link.call("plugin/clear", {"plugin": each.plugin})

    async def follow_log(self, ref: Ref) -> List[LogEntry]:
        """The lines of a plugin's log; the editor is told of those to come. Raises NoHost or WireError."""
        self._followed.add(ref)  # before the answer: a line may be told twice, never not at all
        answer = await self.hosts.link(ref.root).call("plugin/logs", {"plugin": ref.plugin, "limit": 500})
        if not isinstance(answer, list):
            raise WireError(wire.INTERNAL_ERROR, f"the log of {ref.plugin} is no list of lines")
        return [wire.from_json(LogEntry, each) for each in answer]

    def bridge(self, root: str) -> Bridge:
        """What is installed in an Evonic."""
        return bridge_in(root, self.where.plugins_dirs.get(root))

    def plugin_of(self, uri: str) -> Optional[Ref]:
        """The plugin that a file belongs to; None if it belongs to none of a known Evonic."""
        found = self.found(uri)
        return self._note(found) if found is not None else None

    def found(self, uri: str) -> Optional[Found]:
        """The plugin and the file in it that a URI names."""
        return self._finder.find(plugins.path_of(uri))

    def ref(self, found: Found) -> Optional[Ref]:
        """The plugin's name among our hosts; None if no Evonic is known to have it."""
        if self.settings.endpoint:
            return Ref(ENDPOINT + self.settings.endpoint, found.plugin)
        return Ref(str(found.root), found.plugin) if found.root is not None else None

    def _pending(self, ref: Ref) -> None:
        self.hosts.link(ref.root).tell("plugin/willReload", {"plugin": ref.plugin})
        self.editor.status(Status("pending", "saved", ref.plugin))

    def _begin(self, ref: Ref) -> None:
        self.task(self._reload_saved(ref))

    async def _reload_saved(self, ref: Ref) -> None:
        try:
            outcome = await self.reload(ref, wire.SAVE)
            if outcome.status == wire.DISABLED:
                self.editor.status(Status("idle", outcome.message, ref.plugin))
                self.task(self.offers.opt_in(ref.root, ref.plugin, self.settings.opt_in))
        except NoHost as error:
            uri = self._last.get(ref)
            if uri is not None:
                self._not_served(uri, self.offers.is_persons(ref.root, ref.plugin))
            self._disconnected(ref.plugin, str(error))
            self.task(self.offers.bridge_if_missing(ref.root, self.where.plugins_dirs.get(ref.root)))
        except WireError as error:
            self.editor.status(Status("idle", error.message, ref.plugin))
            self._refused(ref.root, error)
        finally:
            self.saves.ended(ref)
            self._comparison.start(ref)

    def _note(self, found: Found) -> Optional[Ref]:
        """The same, remembered."""
        ref = self.ref(found)
        if ref is None:
            return None
        if found.root is not None:
            self.where.plugins_dirs.setdefault(ref.root, found.root / "plugins")
        self.current = ref
        self.where.folders[ref] = found.folder
        return ref

    @property
    def configured(self) -> Optional[plugins.Root]:
        """The Evonic that the setting `root` names; None if there is none."""
        return plugins.evonic_at(Path(os.path.expanduser(self.settings.root))) if self.settings.root else None

    def _connect_configured(self) -> None:
        if self.settings.endpoint:
            self._connect(ENDPOINT + self.settings.endpoint)
        elif self.settings.root:
            root = self.configured
            if root is None:
                self.editor.show(f"evonic.root: there is no Evonic at {self.settings.root}", WARNING)
                return
            self._finder.known[root.folder] = root
            self._connect(str(root.folder))

    def _connect(self, root: str) -> None:
        if not self.hosts.link(root).initialized:
            self.task(self._try_to_connect(root))

    async def _try_to_connect(self, root: str) -> None:
        try:
            await self.hosts.link(root).connect()
        except NoHost as error:
            self._disconnected(None, str(error))
        except WireError as error:
            self._disconnected(None, error.message)
            self._refused(root, error)

    def _not_served(self, uri: str, by_person: bool) -> None:
        self._unserved[uri] = by_person or self._unserved.get(uri, False)

    def _serve_unserved(self) -> None:
        unserved, self._unserved = self._unserved, {}
        for uri, by_person in unserved.items():
            self.saved(uri, by_person)

    def _disconnected(self, plugin: Optional[str], why: str) -> None:
        self.editor.status(Status("disconnected", why, plugin))

    def _refused(self, root: str, error: WireError) -> None:
        if error.code == wire.WRONG_PROTOCOL:
            self.task(self.offers.upgrade(root, error.message))

    # ── What a host tells ──

    def _connected(self, root: str, status: HostStatus) -> None:
        self._since[root] = time.monotonic()
        self.where.plugins_dirs[root] = Path(status.plugins_dir)
        self.editor.log(f"Connected to Evonic {status.version} at {status.root} (bridge {status.bridge})")
        for note in status.degraded:
            self.editor.log(note, WARNING)
        self.editor.status(Status("idle", f"connected to Evonic {status.version}"))
        self.board.connected(root, status)
        for info in status.plugins:
            if info.outcome is not None and info.outcome.failed:
                self._say(Ref(root, info.id), info.outcome)
        self._serve_unserved()

    def _heard(self, root: str, method: str, params: Any) -> None:
        try:
            if method == "plugin/outcome":
                outcome = wire.from_json(Outcome, params)
                wire.plugin_id(outcome.plugin)
                if self.board.outcome(Ref(root, outcome.plugin), outcome):
                    self._say(Ref(root, outcome.plugin), outcome)
            elif method == "plugin/error":
                failure = wire.from_json(Failure, params)
                wire.plugin_id(failure.plugin)
                self.board.failed(Ref(root, failure.plugin), failure)
                self.task(self.editor.follow_code())
            elif method == "plugin/cleared":
                self.board.cleared(Ref(root, wire.from_json(Cleared, params).plugin))
            elif method == "hotreload/changed":
                change = wire.from_json(Change, params)
                what = f"hot reload is {'on' if change.enabled else 'off'}"
                what += f" for {change.plugin}" if change.plugin else " for Evonic as a whole"
                self.editor.status(Status("idle", what, change.plugin))
            elif method == "plugin/log":
                entry = wire.from_json(LogEntry, params)
                ref = Ref(root, entry.plugin)
                if ref in self._followed:
                    self.editor.plugin_log(root, entry)
                if ref in self.where.folders:  # a plugin that is worked on in this window
                    self.logs.add(ref, entry)
        except WireError as error:
            logger.warning("%s from %s is not understood: %s", method, root, error)

    def _lost(self, root: str) -> None:
        self._disconnected(None, "Evonic has ended; it will be connected again when it is back")
        # There may be another one of this root. But one that hangs up on us each time is not called for ever.
        brief = time.monotonic() - self._since.get(root, 0.0) < _BRIEF
        self._hung_up[root] = self._hung_up.get(root, 0) + 1 if brief else 0
        if self._hung_up[root] < _MOST_HUNG_UP:
            self._connect(root)

    def _rang(self) -> None:
        for root, _ in self.hosts:
            self._connect(root)
        self._serve_unserved()

    def _say(self, ref: Ref, outcome: Outcome) -> None:
        state = _STATES.get(outcome.status, "idle")
        self.editor.status(Status(state, outcome.message, ref.plugin, outcome.duration_ms, outcome.generation))
        text = f"{ref.plugin}: {outcome.message} ({outcome.duration_ms:.1f} ms)"
        traces = [problem.traceback.rstrip() for problem in outcome.problems if problem.traceback]
        self.editor.log("\n".join([text, *traces]), ERROR if outcome.failed else INFO)

    def task(self, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work` beside everything else; what it raises is logged."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("a task of the session failed", exc_info=task.exception())
