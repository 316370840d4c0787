"""The blueprint of a plugin, in the live application."""

from __future__ import annotations

from typing import Any, Callable, Iterator, Optional

from ..flask_routes import RouteConflict, Routes, StagedRoutes
from ..generation import ROUTES, Generation
from ..host import Host
from ..report import whole_line
from ..wire import Problem
from .base import Kind, Undo


class LiveRoutes(Kind):
    """``manager._blueprints`` and what they put into Flask."""

    name = "routes"

    def __init__(self, host: Host, app: Any) -> None:
        super().__init__(host)
        self._routes = Routes(app)
        if self._routes.degraded:
            host.degraded.append(self._routes.degraded)

    def adopt(self, generation: Generation) -> None:
        generation.blueprint = self.host.manager._blueprints.get(generation.plugin)

    def validate(self, old: Optional[Generation], new: Generation) -> Iterator[Problem]:
        try:
            staged = self._routes.stage(old.blueprint if old else None, new.blueprint)
        except RouteConflict as conflict:
            file = "routes.py" if ROUTES in new.modules else "handler.py"
            place = whole_line(file, 0, (new.snapshot.text(file) or "").split("\n", 1)[0], new.plugin)
            yield Problem("conflict", str(conflict), place=place)
        else:
            new.entries[self.name] = [staged]

    def commit(self, plugin: str, old: Optional[Generation], new: Optional[Generation]) -> Undo:
        blueprint = new.blueprint if new else None
        staged: StagedRoutes = new.of(self.name)[0] if new else self._routes.stage(old.blueprint if old else None, None)
        if new is None and old is not None:
            old.entries[self.name] = [staged]  # whose tombstones go with it
        undo_routes = staged.commit()
        before = dict(self.host.manager._blueprints)
        if blueprint is not None:
            self.host.manager._blueprints[plugin] = blueprint
        else:
            self.host.manager._blueprints.pop(plugin, None)

        def undo() -> None:
            self.host.manager._blueprints.clear()
            self.host.manager._blueprints.update(before)
            undo_routes()

        return undo

    def when_drained(self, generation: Generation, then: Callable[[], None]) -> None:
        names = {generation.blueprint.name} if generation.blueprint is not None else set()
        names.update(name for staged in generation.of(self.name) for name in staged.names)
        self._routes.requests.when_over(names, then)

    def retire(self, generation: Generation) -> None:
        for staged in generation.of(self.name):
            staged.retire()
