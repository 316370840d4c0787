"""A reload is a transaction: snapshot, check, stage, validate, commit, retire; or it never happened.

See "A reload" in ``evonic_lsp/README.md``. Nothing here knows a kind of registration: those are in ``kinds``.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Callable, Dict, List, Optional

from . import snapshot as snapshots
from . import wire
from .generation import HANDLER, ROUTES, Generation, StagedGeneration, adopted
from .host import Host
from .kinds import all_kinds
from .kinds.base import recording
from .kinds.events import EventHandlers
from .report import Reporter
from .snapshot import Checked, Snapshot
from .wire import Outcome, Problem

_logger = logging.getLogger("evonic_lsp")
IMPORT_LIMIT = 10.0


class Rejected(Exception):
    """The new code does not come to serve. `status` is the outcome's."""

    def __init__(self, status: str, problems: List[Problem]) -> None:
        super().__init__(status)
        self.status = status
        self.problems = problems


class Engine:
    """Loads, reloads and unloads plugins of one host, one at a time (the caller sees to that).

    `limit`: seconds that an import may take. `app`: the Flask application that serves.
    """

    def __init__(self, host: Host, app: Any, limit: float = IMPORT_LIMIT) -> None:
        self.host = host
        self.limit = limit
        self.kinds = all_kinds(host, app)
        events = next(kind for kind in self.kinds if isinstance(kind, EventHandlers))
        self._slot = events.slot
        self._numbers: Dict[str, int] = {}

    def current(self, plugin: str) -> Optional[Generation]:
        """The generation that serves now."""
        return self._slot(plugin).current

    def serving(self, plugin: str) -> Optional[Generation]:
        """The same, but None if the host could not load it whole."""
        current = self.current(plugin)
        return current if current is not None and current.complete else None

    def adopt(self, plugin: str, complete: bool) -> None:
        """Takes over what the host itself loaded, without running any of it again. `complete`: the load worked."""
        module = self.host.manager._modules.get(plugin)
        taken = snapshots.read(plugin, self.host.folder(plugin))
        generation = adopted(plugin, taken, self.host.package(plugin), module)
        generation.complete = complete
        self._slot(plugin).current = generation
        for kind in self.kinds:
            kind.adopt(generation)

    def reload(self, plugin: str, asked_by: str) -> Outcome:
        """Makes what is on disk serve, or says why not. Never raises for what the plugin's code does."""
        run = _Run(self, plugin, asked_by)
        return run.outcome()

    def load(self, run: _Run, old: Optional[Generation]) -> None:
        """The transaction. Raises :class:`Rejected`, having changed nothing."""
        checked = run.step("check", lambda: self._check(run, old))
        number = self._numbers.get(run.plugin, 0) + 1
        new = StagedGeneration(run.snapshot, checked.codes, number)
        try:
            run.step("import", lambda: self._stage(run, new))
            run.step("validate", lambda: self._validate(run, old, new))
            run.step("commit", lambda: self._commit(run, old, new))
        except BaseException:
            for kind in self.kinds:
                kind.discard(new)
            raise
        self._numbers[run.plugin] = number
        if old is not None:
            self._retire(run.plugin, old)
        snapshots.forget_bytecode(run.snapshot)

    def unload(self, plugin: str) -> None:
        """Takes the plugin out of the host."""
        old = self.current(plugin)
        if old is None:
            return
        undo: List[Callable[[], None]] = []
        try:
            for kind in self.kinds:
                undo.append(kind.commit(plugin, old, None))
        except BaseException:
            _undo(undo)
            raise
        self._retire(plugin, old)

    def _check(self, run: _Run, old: Optional[Generation]) -> Checked:
        known = (old.snapshot, old.codes) if old is not None and old.codes else None
        checked = snapshots.check(run.snapshot, run.reporter, known)
        run.problems += checked.problems
        if checked.failed:
            raise Rejected(wire.REJECTED, run.problems)
        return checked

    def _stage(self, run: _Run, new: StagedGeneration) -> None:
        """Imports the new generation in a thread of its own, which is left to itself if it does not return."""
        errors: List[BaseException] = []
        done = threading.Event()

        def load() -> None:
            try:
                with recording(new):
                    _import(new)
            except BaseException as error:
                errors.append(error)
            finally:
                done.set()

        threading.Thread(target=load, name=f"evonic-lsp import {run.plugin}", daemon=True).start()
        if not done.wait(self.limit):
            message = (
                f"the import did not return within {self.limit:g} s and is left to itself: something at the top "
                "level of a module waits or runs for ever"
            )
            raise Rejected(wire.STUCK, [*run.problems, Problem("stuck", message)])
        if errors:
            raise Rejected(wire.REJECTED, [*run.problems, run.reporter.problem(errors[0])])

    def _validate(self, run: _Run, old: Optional[Generation], new: StagedGeneration) -> None:
        try:
            with recording(new):
                for kind in self.kinds:
                    run.problems += kind.declare(new)
            for kind in self.kinds:
                run.problems += kind.validate(old, new)
        except Exception as error:  # the plugin's own code again: its blueprint registers itself
            raise Rejected(wire.REJECTED, [*run.problems, run.reporter.problem(error)]) from error
        if any(problem.severity == "error" for problem in run.problems):
            raise Rejected(wire.REJECTED, run.problems)

    def _commit(self, run: _Run, old: Optional[Generation], new: StagedGeneration) -> None:
        undo: List[Callable[[], None]] = []
        try:
            for kind in self.kinds:
                undo.append(kind.commit(run.plugin, old, new))
        except Exception as error:
            _logger.exception("the commit of %s failed and is taken back", run.plugin)
            _undo(undo)
            raise Rejected(wire.ROLLED_BACK, [*run.problems, run.reporter.problem(error)]) from error

    def _retire(self, plugin: str, old: Generation) -> None:
        def retire() -> None:
            for kind in self.kinds:
                kind.retire(old)

        self._slot(plugin).when_drained(old, retire)


class _Run:
    """One request to reload: its clock, its problems, its outcome."""

    def __init__(self, engine: Engine, plugin: str, asked_by: str) -> None:
        self.engine = engine
        self.plugin = plugin
        self.asked_by = asked_by
        self.problems: List[Problem] = []
        self.timings: Dict[str, float] = {}
        self._started = time.perf_counter()
        self.snapshot: Snapshot = Snapshot(plugin, engine.host.folder(plugin), {}, {})
        self.reporter = Reporter(
            plugin, engine.host.plugins_dir, engine.host.root, lambda file: self.snapshot.text(file)
        )

    def step(self, name: str, action: Callable[[], Any]) -> Any:
        """The result of `action`, whose milliseconds are noted."""
        started = time.perf_counter()
        try:
            return action()
        finally:
            self.timings[name] = round((time.perf_counter() - started) * 1000, 3)

    def outcome(self) -> Outcome:
        host, engine = self.engine.host, self.engine
        old = engine.current(self.plugin)
        if not host.exists(self.plugin) or not host.enabled(self.plugin):
            gone = "was removed" if not host.exists(self.plugin) else "is switched off in Evonic"
            if old is None:
                hint = f"; switch it on with `./evonic plugin enable {self.plugin}` or on the web page"
                return self._result(wire.DISABLED, f"{self.plugin} {gone}{hint if host.exists(self.plugin) else ''}")
            engine.unload(self.plugin)
            return self._result(wire.UNLOADED, f"{self.plugin} {gone} and was unloaded")
        self.snapshot = self.step("snapshot", lambda: snapshots.read(self.plugin, host.folder(self.plugin)))
        if self.asked_by == wire.SAVE and old is not None and old.complete and self.snapshot.same_as(old.snapshot):
            return self._result(wire.UNCHANGED, "unchanged: these bytes are what is running")
        try:
            engine.load(self, old)
        except Rejected as rejected:
            self.problems = rejected.problems
            return self._result(rejected.status, self._why(rejected.problems, old))
        return self._result(wire.RELOADED, "reloaded")

    def _why(self, problems: List[Problem], old: Optional[Generation]) -> str:
        first = next(problem for problem in problems if problem.severity == "error")
        where = f"{first.place.file}:{first.place.start_line + 1}: " if first.place else ""
        if old is None or not old.complete:
            serving = "nothing of this plugin is running"
        else:
            serving = "the version of " + time.strftime("%H:%M:%S", time.localtime(old.loaded_at)) + " goes on serving"
        return f"{where}{first.message.splitlines()[0]} ({serving})"

    def _result(self, status: str, message: str) -> Outcome:
        serving = self.engine.serving(self.plugin)
        return Outcome(
            plugin=self.plugin,
            status=status,
            message=message,
            asked_by=self.asked_by,
            duration_ms=round((time.perf_counter() - self._started) * 1000, 3),
            generation=serving.number if serving else None,
            loaded_at=serving.loaded_at if serving else None,
            at=time.time(),
            problems=self.problems,
            timings=self.timings,
        )


def _import(new: StagedGeneration) -> None:
    """What the host does: ``handler.py``; then ``create_blueprint``, from there or else from ``routes.py``."""
    handler = new.load(HANDLER) if new.has(HANDLER) else None
    create = getattr(handler, "create_blueprint", None)
    if not callable(create) and new.has(ROUTES):
        create = getattr(new.load(ROUTES), "create_blueprint", None)
    if callable(create):
        new.blueprint = create()


def _undo(actions: List[Callable[[], None]]) -> None:
    for action in reversed(actions):
        action()
