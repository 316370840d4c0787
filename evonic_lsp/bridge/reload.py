"""A reload is a transaction: snapshot, check, stage, validate, commit, retire; or it never happened.

See ``evonic_lsp/how-a-reload-works.md``. Nothing here knows a kind of registration: those are in ``kinds``.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
from dataclasses import replace
from typing import Any, Callable, Dict, List, Optional

from . import holders, lifecycle, wire
from . import snapshot as snapshots
from .contain import Stuck, bounded, contained
from .generation import Generation, StagedGeneration, adopted
from .holders import Holder, Search
from .host import Host, process_began
from .kinds import all_kinds
from .kinds.base import recording
from .kinds.events import EventHandlers, Slot
from .kinds.templates import TemplateFiles
from .prepared import Preparations, Prepared
from .report import describe
from .run import Rejected, Run
from .snapshot import Checked, Snapshot
from .wire import Outcome, Problem

_logger = logging.getLogger("evonic_lsp")
# Seconds: for an import, unless the variable of that name says otherwise; for calls in flight before ``on_unload``;
# for them before the generation that they run on is let go all the same.
IMPORT_LIMIT = 10.0
_DRAIN = 1.0
_RETIRE = 60.0


class Engine:
    """Loads, reloads and unloads plugins of one host, one at a time (the caller sees to that).

    `app`: the Flask application that serves.
    """

    def __init__(self, host: Host, app: Any) -> None:
        self.host = host
        self.kinds = all_kinds(host, app)
        self._events = next(kind for kind in self.kinds if isinstance(kind, EventHandlers))
        self._templates = next(kind for kind in self.kinds if isinstance(kind, TemplateFiles))
        self._numbers: Dict[str, int] = {}
        self.preparations = Preparations()

    def slot(self, plugin: str) -> Slot:
        """Where `plugin` serves from."""
        return self._events.slot(plugin)

    def current(self, plugin: str) -> Optional[Generation]:
        """The generation that serves now."""
        return self._events.slot(plugin).current

    def serving(self, plugin: str) -> Optional[Generation]:
        """The same, but None if the host could not load it whole."""
        current = self.current(plugin)
        return current if current is not None and current.complete else None

    def loaded(self) -> Dict[str, Generation]:
        """Every plugin's generation that serves now."""
        return {plugin: slot.current for plugin, slot in list(self._events.slots.items()) if slot.current is not None}

    def dependents(self, plugin: str) -> List[str]:
        """The plugins that import `plugin`, directly or not, in the order in which to reload them after it: each
        after those that it imports, as far as there is such an order."""
        slots = list(self._events.slots.items())
        loaded = ((each, slot.current.snapshot.imports) for each, slot in slots if slot.current is not None)
        imports = {each: imported for each, imported in loaded if imported}  # of thousands, a few
        order: List[str] = []

        def visit(target: str) -> None:
            for user in sorted(user for user, used in imports.items() if target in used):
                if user not in seen:
                    seen.add(user)
                    visit(user)
                    order.append(user)

        seen = {plugin}
        visit(plugin)
        return order[::-1]

    def adopt(self, plugin: str, complete: bool) -> None:
        """Takes over what the host itself loaded, without running any of it again. `complete`: the load worked."""
        module = self.host.manager._modules.get(plugin)
        taken = snapshots.read(plugin, self.host.folder(plugin), process_began())
        generation = adopted(plugin, taken, self.host.package(plugin), module)
        generation.complete = complete
        self._events.slot(plugin).current = generation
        for kind in self.kinds:
            kind.adopt(generation)

    def prepare(self, plugin: str, allowed: Callable[[], bool]) -> None:
        """Does for the reload of `plugin` that is expected what can be done before it: nothing of it runs. `allowed()`:
        whether its switches are on."""
        stamp = self.host.settings_stamp()
        if not allowed() or not self.host.exists(plugin) or not self.host.enabled(plugin):
            return
        run = Run(self, plugin, wire.SAVE)
        old, run.snapshot = self.current(plugin), self.read(plugin)
        prepared = self._prepared(plugin)
        served = prepared.snapshot if prepared is not None else old.snapshot if old is not None else None
        if run.snapshot.unreadable or run.snapshot.excess or run.snapshot.same_as(served):
            return
        checked = self._checked(run, old)
        run.snapshot.imports  # noqa: B018 - asked for after the commit, and kept
        search = Search(old) if old is not None and not checked.failed and holders.possible(plugin) else None
        self.preparations.put(plugin, Prepared(old, run.snapshot, checked, search, stamp))
        snapshots.forget_bytecode(run.snapshot)  # already: the host may be killed before the reload

    def reload(self, plugin: str, asked_by: str) -> Outcome:
        """Makes what is on disk serve, or says why not. Never raises for what the plugin's code does."""
        try:
            return Run(self, plugin, asked_by).outcome()
        finally:
            self.preparations.forget(plugin)

    def is_prepared(self, plugin: str) -> bool:
        """Whether the next reload of `plugin` finds something prepared."""
        return self._prepared(plugin) is not None

    def allowed(self, plugin: str) -> bool:
        """Whether the switches of `plugin` are known to be on. If they are not, somebody has to look."""
        return self.preparations.allowed(plugin, self.host.settings_stamp())

    def read(self, plugin: str) -> Snapshot:
        """The plugin's files as they are now; the very snapshot that was prepared if they are the same."""
        snapshot, prepared = snapshots.read(plugin, self.host.folder(plugin)), self._prepared(plugin)
        return prepared.snapshot if prepared is not None and snapshot.same_as(prepared.snapshot) else snapshot

    def load(self, run: Run, old: Optional[Generation]) -> None:
        """The transaction. Raises :class:`Rejected`, having changed nothing."""
        checked = run.step("check", lambda: self._check(run, old))
        number = self._numbers.get(run.plugin, 0) + 1
        new = StagedGeneration(run.snapshot, checked.codes, number)
        try:
            self._plugins_own(run, lambda: self._stage(run, old, new))
            self._hand_over(run, old, new)
            found = self._found_before(run, old)
            run.step("commit", lambda: self._commit(run, old, new))
        except BaseException:
            for kind in self.kinds:
                kind.discard(new)
            raise
        self._numbers[run.plugin] = number
        new.warnings = list(run.problems)
        if old is not None:
            self._afterwards(run, "retire", lambda: self._retire(run.plugin, old, run.problems))
            self._afterwards(run, "holders", lambda: self._name_holders(run, old, new, found))
        snapshots.forget_bytecode(run.snapshot)

    def refresh(self, run: Run, old: Generation) -> None:
        """What :meth:`load` is where only templates have changed: no code runs, and `old` goes on."""
        run.step("check", lambda: self._check(run, old))
        run.step("commit", lambda: self._templates.replace(run.plugin, run.snapshot))
        old.snapshot = run.snapshot

    def unload(self, plugin: str) -> None:
        """Takes the plugin out of the host."""
        old = self.current(plugin)
        self.preparations.forget(plugin)
        if old is None:
            return
        with contextlib.ExitStack() as undo:
            for kind in self.kinds:
                undo.callback(kind.commit(plugin, old, None))
            undo.pop_all()
        try:
            self._bounded(plugin, lambda: lifecycle.call(self.host, old, lifecycle.ON_UNLOAD))
        except (Exception, SystemExit) as error:
            _logger.warning("on_unload of %s failed: %s", plugin, describe(error), exc_info=True)
        self._retire(plugin, old, [])

    def _prepared(self, plugin: str) -> Optional[Prepared]:
        return self.preparations.get(plugin, self.current(plugin))

    def _checked(self, run: Run, old: Optional[Generation]) -> Checked:
        prepared = self._prepared(run.plugin)
        if prepared is not None and prepared.snapshot is run.snapshot:
            return prepared.checked
        known = [prepared.codes] if prepared is not None else []
        known += [(old.snapshot, old.codes)] if old is not None else []
        checked = snapshots.check(run.snapshot, run.reporter, known)
        for kind in self.kinds:
            checked.problems += kind.check(old.snapshot if old is not None else None, run.snapshot)
        return checked

    def _check(self, run: Run, old: Optional[Generation]) -> Checked:
        checked = self._checked(run, old)
        run.problems += checked.problems
        if checked.failed:
            raise Rejected(wire.REJECTED, run.problems)
        return checked

    def _stage(self, run: Run, old: Optional[Generation], new: StagedGeneration) -> None:
        """The plugin's own code, both: its modules are imported, and its blueprint registers itself."""

        def load() -> None:
            with contained():
                new.import_all(old.names() if old is not None else [])

        with recording(new):
            run.step("import", load)
        run.step("validate", lambda: self._validate(run, old, new))

    def _validate(self, run: Run, old: Optional[Generation], new: StagedGeneration) -> None:
        with recording(new):
            for kind in self.kinds:
                run.problems += kind.declare(new)
        for kind in self.kinds:
            run.problems += kind.validate(old, new)
        run.problems += lifecycle.unpaired(old, new)
        if any(problem.severity == "error" for problem in run.problems):
            raise Rejected(wire.REJECTED, run.problems)

    def _hand_over(self, run: Run, old: Optional[Generation], new: StagedGeneration) -> None:
        def hand_over() -> None:
            with recording(new):
                lifecycle.hand_over(self.host, old, new)

        if lifecycle.function(old, lifecycle.SAVE) and lifecycle.function(new, lifecycle.RESTORE):
            self._plugins_own(run, hand_over)

    def _commit(self, run: Run, old: Optional[Generation], new: StagedGeneration) -> None:
        with contextlib.ExitStack() as undo:
            try:
                for kind in self.kinds:
                    undo.callback(kind.commit(run.plugin, old, new))
            except (Exception, SystemExit) as error:
                _logger.exception("the commit of %s failed and is taken back", run.plugin)
                raise Rejected(wire.ROLLED_BACK, [*run.problems, run.reporter.problem(error)]) from error
            self._begin(run, old, new)
            undo.pop_all()

    def _begin(self, run: Run, old: Optional[Generation], new: StagedGeneration) -> None:
        """``on_unload`` of the old version, ``on_load`` of the new one, which may still refuse."""
        if lifecycle.function(old, lifecycle.ON_UNLOAD) and old is not None:
            self._events.slot(run.plugin).wait(old, _DRAIN)
            try:
                self._bounded(run.plugin, lambda: lifecycle.call(self.host, old, lifecycle.ON_UNLOAD))
            except (Exception, SystemExit) as error:
                run.problems.append(replace(run.reporter.problem(error), severity="warning"))
        if lifecycle.function(new, lifecycle.ON_LOAD):
            try:
                self._plugins_own(run, lambda: lifecycle.call(self.host, new, lifecycle.ON_LOAD))
            except Rejected as rejected:
                self._resume(run.plugin, old)
                raise Rejected(
                    wire.ROLLED_BACK if rejected.status == wire.REJECTED else rejected.status, rejected.problems
                ) from None

    def _resume(self, plugin: str, old: Optional[Generation]) -> None:
        """The old version goes on after all."""
        try:
            self._bounded(plugin, lambda: lifecycle.call(self.host, old, lifecycle.ON_LOAD))
        except (Exception, SystemExit) as error:
            _logger.error("%s goes on, but its on_load failed: %s", plugin, describe(error), exc_info=True)

    def _plugins_own(self, run: Run, action: Callable[[], Any]) -> None:
        """Runs the plugin's own code; what it raises, `SystemExit` among it, is a rejection."""
        try:
            self._bounded(run.plugin, action)
        except Rejected:
            raise
        except Stuck as stuck:
            raise Rejected(wire.STUCK, [*run.problems, Problem("stuck", str(stuck))]) from None
        except BaseException as error:
            raise Rejected(wire.REJECTED, [*run.problems, run.reporter.problem(error)]) from None

    def _bounded(self, plugin: str, action: Callable[[], Any]) -> None:
        bounded(f"evonic-lsp import {plugin}", lambda: _seconds(self.host.option("IMPORT_LIMIT", "")), action)

    def _afterwards(self, run: Run, step: str, action: Callable[[], Any]) -> None:
        """The new version serves already: what fails now is a warning."""
        try:
            run.step(step, action)
        except (Exception, SystemExit) as error:
            _logger.exception("%s serves, but not all of the version before is gone", run.plugin)
            run.problems.append(replace(run.reporter.problem(error), severity="warning"))

    def _retire(self, plugin: str, old: Generation, problems: List[Problem]) -> None:
        """Lets go of `old` when its last call has ended, or after a limit."""
        once = threading.Lock()

        def retire() -> None:
            if once.acquire(blocking=False):
                late.cancel()
                for kind in self.kinds:
                    try:
                        kind.retire(old)
                    except (Exception, SystemExit):
                        _logger.exception("a version of %s that is gone leaves %s behind", plugin, kind.name)

        late = threading.Timer(_RETIRE, retire)
        late.daemon = True
        drained: Callable[[], None] = retire
        for kind in self.kinds:
            drained = functools.partial(kind.when_drained, old, drained)
        try:
            drained()
        finally:
            if not once.locked():
                late.start()
        if not once.locked():
            return
        for kind in self.kinds:
            problems += kind.linger(old)

    def _found_before(self, run: Run, old: Optional[Generation]) -> Optional[List[Holder]]:
        """Who holds `old`, if that was looked for already and nobody has come to hold it since."""
        prepared = self._prepared(run.plugin)
        search = prepared.holders if prepared is not None else None
        return search.found if search is not None and old is not None and not search.outdated(old) else None

    def _name_holders(self, run: Run, old: Generation, new: Generation, found: Optional[List[Holder]]) -> None:
        if not holders.possible(run.plugin):
            return
        if found is None:
            found = holders.find(old)
        if found and self.host.option("REBIND", "").lower() in ("1", "true", "on", "yes"):
            found = holders.rebind(found, old, new)
        if found:
            message = f"code outside of plugins still holds the version before: {holders.describe(found)}"
            run.problems.append(Problem("old-version", message, "information"))


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        return IMPORT_LIMIT
    return seconds if seconds <= threading.TIMEOUT_MAX else IMPORT_LIMIT  # nor if it is no number
