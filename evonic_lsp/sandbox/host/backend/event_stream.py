"""The event stream: whoever listens for an event's name is called in a pool of threads."""

import itertools
import logging
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Deque, Dict, List

_logger = logging.getLogger(__name__)
Listener = Callable[[Dict[str, Any]], None]


class EventStream:
    """Listeners by event, and the last 1,000 events."""

    def __init__(self) -> None:
        self._listeners: Dict[str, List[Listener]] = {}
        self._lock = threading.Lock()
        self._executor = ThreadPoolExecutor(max_workers=4, thread_name_prefix="event")
        self._numbers = itertools.count(1)
        self._global_buffer: Deque[Dict[str, Any]] = deque(maxlen=1000)

    def on(self, event_name: str, callback: Listener) -> None:
        """Calls `callback` with the data of each `event_name` from now on."""
        with self._lock:
            self._listeners.setdefault(event_name, []).append(callback)

    def off(self, event_name: str, callback: Listener) -> None:
        """Takes back :meth:`on`; nothing happens if there is nothing to take back."""
        with self._lock:
            listeners = self._listeners.get(event_name)
            if listeners is not None:
                listeners[:] = [each for each in listeners if each != callback]

    def emit(self, event_name: str, data: Dict[str, Any]) -> None:
        """Tells all listeners; returns at once. `data` gains ``_seq`` and ``_event``."""
        data["_seq"], data["_event"] = next(self._numbers), event_name
        with self._lock:
            self._global_buffer.append({"seq": data["_seq"], "event": event_name, "data": data})
            listeners = list(self._listeners.get(event_name, ()))
        for listener in listeners:
            self._executor.submit(self._safe_call, event_name, listener, data)

    def get_session_events(self, session_id: str, after_seq: int = 0) -> List[Dict[str, Any]]:
        """The kept events of a session whose number is above `after_seq`."""
        with self._lock:
            kept = list(self._global_buffer)
        return [each for each in kept if each["data"].get("session_id") == session_id and each["seq"] > after_seq]

    def _safe_call(self, event_name: str, callback: Listener, data: Dict[str, Any]) -> None:
        try:
            callback(data)
        except Exception as error:
            _logger.error("A listener for '%s' failed: %s", event_name, error)


event_stream = EventStream()
