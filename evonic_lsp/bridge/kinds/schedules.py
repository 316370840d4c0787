"""Schedules that a plugin makes while it is imported. What it only makes anew goes on as it was.

A plugin that cancels its schedules at the top and creates them again would start them over with every save, and one
that fires each minute would never fire while somebody works. So a cancellation waits until the old version has gone,
and a schedule that is created just as the cancelled one was is that one.
"""

from __future__ import annotations

import importlib
import inspect
import json
from typing import Any, Dict, List, Optional

from ..generation import Generation
from ..host import Host
from .base import Kind, Undo, recorded

_CANCELLED = "schedules cancelled"
_CREATED = "schedules created"
_DUE = "schedules due"


class Schedules(Kind):
    """``backend.scheduler``; entries are ids of schedules that a load has created or kept."""

    name = "schedules"

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        try:
            self._scheduler: Any = importlib.import_module("backend.scheduler").scheduler
            self._create = self._scheduler.create_schedule
            self._cancel = self._scheduler.cancel_schedule
            self._list = self._scheduler.list_schedules
        except (ImportError, AttributeError) as error:
            host.degraded.append(f"schedules start over with each reload: {error}")
            return
        self._scheduler.create_schedule = self._record_create
        self._scheduler.cancel_schedule = self._record_cancel
        self._scheduler.list_schedules = self._without_cancelled

    def commit(self, plugin: str, old: Optional[Generation], new: Optional[Generation]) -> Undo:
        if new is None:
            return lambda: None  # the host leaves them when it unloads a plugin, and so do we
        kept = set(new.of(self.name))
        due = [*new.of(_CANCELLED), *(each for each in (old.of(self.name) if old else []) if each not in kept)]
        if old is None:
            self._end(due)
            return lambda: None
        old.entries[_DUE] = due

        def undo() -> None:
            old.entries.pop(_DUE, None)

        return undo

    def discard(self, generation: Generation) -> None:
        self._end(generation.of(_CREATED))

    def retire(self, generation: Generation) -> None:
        self._end(generation.entries.pop(_DUE, []))

    def _end(self, ids: List[str]) -> None:
        for each in ids:
            self._cancel(each)

    def _record_create(self, *args: Any, **kwargs: Any) -> Any:
        generation = recorded()
        if generation is None:
            return self._create(*args, **kwargs)
        wanted = inspect.signature(self._create).bind(*args, **kwargs).arguments
        cancelled = generation.of(_CANCELLED)
        schedule = next((each for each in self._list() if each["id"] in cancelled and _same(each, wanted)), None)
        if schedule is not None:
            cancelled.remove(schedule["id"])
        else:
            schedule = self._create(*args, **kwargs)
            generation.add(_CREATED, schedule["id"])
        generation.add(self.name, schedule["id"])
        return schedule

    def _record_cancel(self, schedule_id: str, *args: Any, **kwargs: Any) -> Any:
        generation = recorded()
        if generation is None:
            return self._cancel(schedule_id, *args, **kwargs)
        if schedule_id in generation.of(_CREATED):
            for kind in (_CREATED, self.name):
                generation.of(kind).remove(schedule_id)
            return self._cancel(schedule_id, *args, **kwargs)
        wanted = inspect.signature(self._cancel).bind(schedule_id, *args, **kwargs).arguments
        for each in self._without_cancelled():
            if each["id"] == schedule_id and wanted.get("owner_id") in (None, "", each["owner_id"]):
                generation.add(_CANCELLED, schedule_id)
                return True
        return False

    def _without_cancelled(self, *args: Any, **kwargs: Any) -> List[Dict[str, Any]]:
        generation = recorded()
        found: List[Dict[str, Any]] = self._list(*args, **kwargs)
        if generation is None:
            return found
        return [each for each in found if each["id"] not in generation.of(_CANCELLED)]


def _same(schedule: Dict[str, Any], wanted: Dict[str, Any]) -> bool:
    """Whether a schedule is what these arguments would create. What is not said is the host's default."""
    return all(_plain(schedule.get(key)) == _plain(value) for key, value in wanted.items() if value is not None)


def _plain(value: Any) -> Any:
    """The host keeps some values as JSON text."""
    try:
        return json.loads(value) if isinstance(value, str) else json.loads(json.dumps(value, default=str))
    except ValueError:
        return value
