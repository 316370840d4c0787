"""Schedules: something that happens once at a time, or again and again. They end with the process."""

import threading
import uuid
from datetime import datetime, timedelta
from typing import Any, Dict, List, Optional

from backend.event_stream import event_stream


class Scheduler:
    """Schedules by id. They fire in the server only, which calls :meth:`start`."""

    def __init__(self) -> None:
        self._schedules: Dict[str, Dict[str, Any]] = {}
        self._timers: Dict[str, threading.Timer] = {}
        self._lock = threading.RLock()
        self._started = False

    def start(self) -> None:
        """From now on schedules fire."""
        with self._lock:
            self._started = True
            for schedule_id in self._schedules:
                self._arm(schedule_id)

    def create_schedule(
        self,
        name: str,
        owner_type: str,
        owner_id: str,
        trigger_type: str,
        trigger_config: Dict[str, Any],
        action_type: str,
        action_config: Dict[str, Any],
        max_runs: Optional[int] = None,
        metadata: Optional[Dict[str, Any]] = None,
    ) -> Dict[str, Any]:
        """Adds a schedule. Triggers: ``interval`` (weeks … seconds) and ``date`` (``run_date``, ISO 8601)."""
        if trigger_type not in ("interval", "date"):
            raise ValueError(f"the sandbox has no trigger '{trigger_type}', only 'interval' and 'date'")
        schedule = {
            "id": uuid.uuid4().hex[:8],
            "name": name,
            "owner_type": owner_type,
            "owner_id": owner_id,
            "trigger_type": trigger_type,
            "trigger_config": trigger_config,
            "action_type": action_type,
            "action_config": action_config,
            "max_runs": 1 if trigger_type == "date" else max_runs,
            "run_count": 0,
            "metadata": metadata,
        }
        with self._lock:
            self._schedules[schedule["id"]] = schedule
            if self._started:
                self._arm(schedule["id"])
        self._tell("schedule_created", schedule)
        return dict(schedule)

    def cancel_schedule(self, schedule_id: str, owner_id: Optional[str] = None) -> bool:
        """Removes a schedule; False if there is none of this id, or if it is another owner's."""
        with self._lock:
            schedule = self._schedules.get(schedule_id)
            if schedule is None or owner_id not in (None, "", schedule["owner_id"]):
                return False
            self._forget(schedule_id)
        self._tell("schedule_cancelled", schedule)
        return True

    def list_schedules(self, owner_type: Optional[str] = None, owner_id: Optional[str] = None) -> List[Dict[str, Any]]:
        """The schedules of an owner, or all."""
        with self._lock:
            return [
                dict(each)
                for each in self._schedules.values()
                if owner_type in (None, each["owner_type"]) and owner_id in (None, each["owner_id"])
            ]

    def _arm(self, schedule_id: str) -> None:
        trigger = self._schedules[schedule_id]
        if trigger["trigger_type"] == "interval":
            delay = timedelta(**trigger["trigger_config"]).total_seconds()
        else:
            when = datetime.fromisoformat(trigger["trigger_config"]["run_date"])
            delay = (when - datetime.now(when.tzinfo)).total_seconds()
        timer = threading.Timer(max(delay, 0), self._fire, [schedule_id])
        timer.daemon = True
        self._timers[schedule_id] = timer
        timer.start()

    def _fire(self, schedule_id: str) -> None:
        with self._lock:
            schedule = self._schedules.get(schedule_id)
            if schedule is None:
                return
            schedule["run_count"] += 1
            if schedule["max_runs"] is not None and schedule["run_count"] >= schedule["max_runs"]:
                self._forget(schedule_id)
            else:
                self._arm(schedule_id)
        if schedule["action_type"] == "emit_event":
            action = schedule["action_config"]
            event_stream.emit(action.get("event_name", "schedule_custom"), dict(action.get("payload", {})))
        fired = {"action_type": schedule["action_type"], "fired_at": datetime.now().isoformat()}
        self._tell("schedule_fired", schedule, **fired)

    def _forget(self, schedule_id: str) -> None:
        del self._schedules[schedule_id]
        timer = self._timers.pop(schedule_id, None)
        if timer is not None:
            timer.cancel()

    def _tell(self, event: str, schedule: Dict[str, Any], **more: Any) -> None:
        shown = {key: schedule[key] for key in ("name", "owner_type", "owner_id")}
        event_stream.emit(event, {"schedule_id": schedule["id"], **shown, **more})


scheduler = Scheduler()
