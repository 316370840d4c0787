"""One request to reload a plugin: what it comes to, and why."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional

from . import manifest, wire
from . import snapshot as snapshots
from .generation import Generation
from .report import Reporter
from .snapshot import Snapshot
from .wire import Outcome, Problem

if TYPE_CHECKING:
    from .reload import Engine

_logger = logging.getLogger("evonic_lsp")


class Rejected(Exception):
    """The new code does not come to serve. `status` is the outcome's."""

    def __init__(self, status: str, problems: List[Problem]) -> None:
        super().__init__(status)
        self.status = status
        self.problems = problems


class Run:
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
        old = self.engine.current(self.plugin)
        try:
            return self._outcome(old)
        except Rejected as rejected:
            self.problems = rejected.problems
            return self._result(rejected.status, self._why(rejected.problems, old))
        except (Exception, SystemExit) as error:  # a fault of ours: told like any other, and the queue goes on
            _logger.exception("the reload of %s failed", self.plugin)
            self.problems = [*self.problems, self.reporter.problem(error)]
            return self._result(wire.ROLLED_BACK, self._why(self.problems, old))

    def _outcome(self, old: Optional[Generation]) -> Outcome:
        host, engine = self.engine.host, self.engine
        looked = self.asked_by == wire.SAVE and engine.allowed(self.plugin)
        if not host.exists(self.plugin) or not (looked or host.enabled(self.plugin)):
            gone = "was removed" if not host.exists(self.plugin) else "is switched off in Evonic"
            if old is None:
                return self._result(wire.DISABLED, f"{self.plugin} {gone}{self._way_back()}")
            engine.unload(self.plugin)
            return self._result(wire.UNLOADED, f"{self.plugin} {gone} and was unloaded")
        self.snapshot = self.step("snapshot", lambda: engine.read(self.plugin))
        if self.asked_by == wire.SAVE and old is not None and old.complete and self.snapshot.same_as(old.snapshot):
            self.problems = old.warnings
            return self._result(wire.UNCHANGED, "unchanged: these bytes are what is running")
        changed = snapshots.changed(old.snapshot if old else None, self.snapshot)
        templates = bool(changed) and all(file.startswith(snapshots.TEMPLATES) for file in changed)
        if old is not None and old.complete and templates and self.asked_by == wire.SAVE:
            engine.refresh(self, old)
            return self._result(wire.RELOADED, "templates reloaded")
        engine.load(self, old)
        return self._result(wire.RELOADED, "reloaded")

    def _way_back(self) -> str:
        """What to do about a plugin that is switched off."""
        if not self.engine.host.exists(self.plugin):
            return ""
        taken = self.engine.read(self.plugin)
        wrong = manifest.check(self.plugin, taken.files.get(manifest.NAME))[:1]
        for each in wrong:  # Evonic does not see the plugin, and would say that there is none
            line = f"line {each.place.start_line + 1}: " if each.place else ""
            return f"; before it can be switched on, mend its manifest: {line}{each.message}"
        return f"; switch it on with `./evonic plugin enable {self.plugin}` or on the web page"

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
            problems=list(self.problems),  # a copy: an import that is stuck may go on some day
            timings=dict(self.timings),
        )
