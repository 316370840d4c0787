"""What the hosts tell about plugins, on the screen: diagnostics of reloads and of run time, and log lines."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from lsprotocol import types

from . import diagnostics, logs, plugins
from .bridge import wire
from .bridge.messages import Replayed
from .bridge.snapshot import Snapshot
from .bridge.wire import Failure, HostStatus, Outcome, Place, Problem
from .documents import Documents
from .editor import ERROR, INFO, Editor
from .faults import Faults, lines_of_text
from .where import Ref, Where

logger = logging.getLogger(__name__)
_GOOD = (wire.RELOADED, wire.UNLOADED)


class Board:
    """`changed()` is called when what a lens shows may be another."""

    def __init__(self, editor: Editor, where: Where, documents: Documents, changed: Callable[[], None]) -> None:
        self.book = diagnostics.Book(editor.publish)
        self._editor = editor
        self._where = where
        self._documents = documents
        self._changed = changed
        self._faults = Faults()
        self._problems: Dict[Ref, List[Problem]] = {}
        # The generation that the last outcome of each plugin has told of.
        self._told: Dict[Ref, int] = {}

    def connected(self, root: str, status: HostStatus) -> None:
        """A host says how everything is; what it does not mention is no more."""
        known = {Ref(root, info.id): info for info in status.plugins}
        self._told = {ref: number for ref, number in self._told.items() if ref.root != root}
        for ref in [*self._problems, *self._faults.owners()]:
            if ref.root == root and ref not in known:
                self._problems.pop(ref, None)
                self._faults.clear(ref)
                self._publish(ref)
        for ref, info in known.items():
            self._problems[ref] = info.outcome.problems if info.outcome else []
            self._faults.reset(ref, info.errors, info.generation)
            self._publish(ref)
        self._changed()

    def outcome(self, ref: Ref, outcome: Outcome) -> bool:
        """A reload has ended. False if a later one has been told of before: then this one tells nothing."""
        if outcome.generation is not None and outcome.generation < self._told.get(ref, 0):
            return False
        self._told[ref] = outcome.generation or 0
        if outcome.status != wire.DISABLED:
            self._problems[ref] = outcome.problems
            self._faults.replaced(ref, outcome, outcome.status in _GOOD)
            self._publish(ref)
            self._changed()
        return True

    def failed(self, ref: Ref, failure: Failure) -> None:
        """Something went wrong at run time; the first time, the log has its traceback."""
        if self._faults.heard(ref, failure):
            what = f"{ref.plugin}: {failure.problem.message} ({failure.trigger} {failure.name})"
            self._editor.log("\n".join([what, self._linked(ref.root, failure.problem)]).rstrip(), ERROR)
        self._publish(ref)
        self._changed()

    def moved_on(self, uri: str) -> None:
        """The text of a document is known from now on, as it is typed: what is shown in it may be elsewhere in it."""
        for ref in self._faults.owners():
            if self.book.shows(ref, uri):
                self._publish(ref)

    def cleared(self, ref: Ref) -> None:
        """The run-time errors of a plugin are no longer wanted."""
        self._faults.clear(ref)
        self._publish(ref)
        self._changed()

    def clear(self, ref: Optional[Ref]) -> List[Ref]:
        """Takes everything about a plugin from the screen, or about all of them; those that had anything."""
        chosen = [ref] if ref is not None else list(dict.fromkeys([*self._problems, *self._faults.owners()]))
        for each in chosen:
            self._problems.pop(each, None)
            self._faults.clear(each)
            self._publish(each)
        if ref is None:
            self.book.drop(lambda uri: True)
        self._changed()
        return chosen

    def replayed(self, ref: Ref, answer: Replayed) -> None:
        """A handler ran once more, because a person asked for it."""
        text = f"{ref.plugin}: replay: {answer.message} ({answer.duration_ms:.1f} ms)"
        lines = [f"[{entry.plugin}] {entry.message}" for entry in answer.log]
        trace = [self._linked(ref.root, answer.problem)] if answer.problem else []
        self._editor.log("\n".join([text, *lines, *trace]), ERROR if answer.problem else INFO)
        if answer.problem is None:  # an error is marked where it is, as at any other call
            self._editor.show(text)
        self._changed()

    def errors(self, ref: Ref) -> int:
        """How many different run-time errors a plugin has."""
        return len(self._faults.of(ref))

    def lines_of(self, root: str, place: Place) -> Optional[List[str]]:
        """The lines of a file as it is open, else as it is on the disk."""
        path = self._where.path(root, place)
        if path is None:
            return None
        text = self._documents.text(self._where.uri(path))
        if text is None:
            try:
                data = path.read_bytes()
            except OSError:
                return None
            text = Snapshot("", "", {path.name: data}, {}).text(path.name) or ""
        return lines_of_text(text)

    def _publish(self, ref: Ref) -> None:
        try:
            self.book.replace(ref, self._diagnostics(ref))
        except Exception:  # whatever is the matter with what one plugin shows, others go on
            logger.exception("%s: what the host tells of it could not be shown", ref.plugin)

    def _diagnostics(self, ref: Ref) -> Dict[str, List[types.Diagnostic]]:
        def lines_of(place: Place) -> Optional[List[str]]:
            key = (place.plugin, place.file)
            if key not in read:  # once for each file: many places are in one
                read[key] = self.lines_of(ref.root, place)
            return read[key]

        read: Dict[Any, Optional[List[str]]] = {}
        problems = [*self._problems.get(ref, []), *self._faults.problems(ref, lines_of)]
        measure, related = self._editor.measure, self._editor.shows_related
        where, fallback = self._where, self._where.main_file(ref)
        return diagnostics.of_problems(
            problems, fallback, lambda place: where.locate(ref.root, place), measure, related
        )

    def _linked(self, root: str, problem: Problem) -> str:
        plugins_dir = self._where.plugins_dirs.get(root)

        def local(file: str) -> Optional[str]:
            if plugins_dir is None or not Path(file).is_absolute() or plugins_dir not in Path(file).parents:
                return None
            plugin, *rest = Path(file).relative_to(plugins_dir).parts
            path = self._where.folder(Ref(root, plugin)).joinpath(*rest)
            uri = self._where.open.get(os.path.realpath(path))
            return str((plugins.path_of(uri) if uri else None) or path)

        return logs.linked(problem.traceback, local)
