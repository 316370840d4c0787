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

_LISTED = "schedules listed"
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
        cancelled = [schedule["id"] for schedule in new.of(_CANCELLED)]
        due = [*cancelled, *(each for each in (old.of(self.name) if old else []) if each not in kept)]
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
        schedule = next((each for each in cancelled if _same(each, wanted)), None)
        if schedule is not None:
            cancelled.remove(schedule)
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
        # It has been listed, as a rule, and each look costs as much as a small reload's import.
        schedule = _of_id(generation.of(_LISTED), schedule_id) or _of_id(self._list(), schedule_id)
        if schedule is None or _of_id(generation.of(_CANCELLED), schedule_id) is not None:
            return False
        if wanted.get("owner_id") not in (None, "", schedule["owner_id"]):
            return False
        generation.add(_CANCELLED, schedule)
        return True

    def _without_cancelled(self, *args: Any, **kwargs: Any) -> List[Dict[str, Any]]:
        generation = recorded()
        found: List[Dict[str, Any]] = self._list(*args, **kwargs)
        if generation is None:
            return found
        generation.entries[_LISTED] = found
        return [each for each in found if _of_id(generation.of(_CANCELLED), each["id"]) is None]


def _of_id(schedules: List[Dict[str, Any]], schedule_id: str) -> Optional[Dict[str, Any]]:
    return next((each for each in schedules if each["id"] == schedule_id), None)


def _same(schedule: Dict[str, Any], wanted: Dict[str, Any]) -> bool:
    """Whether a schedule is what these arguments would create. What is not said is the host's default."""
    return all(_plain(schedule.get(key)) == _plain(value) for key, value in wanted.items() if value is not None)


def _plain(value: Any) -> Any:
    """The host keeps some values as JSON text."""
    try:
        return json.loads(value) if isinstance(value, str) else json.loads(json.dumps(value, default=str))
    except ValueError:
        return value
