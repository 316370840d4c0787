"""Something that is done at most so often, and by no clock while there is nothing to do."""

from __future__ import annotations

import threading
import time
from typing import Callable, Optional

# (seconds, what) -> whether it will be called; from any thread
Later = Callable[[float, Callable[[], None]], bool]


class Pump:
    """Calls `work` soon after :meth:`wake`, and again no sooner than `interval` seconds after."""

    def __init__(self, work: Callable[[], None], interval: float, later: Later) -> None:
        self._work = work
        self._interval = interval
        self._later = later
        self._lock = threading.Lock()
        self._last: Optional[float] = None
        self._waiting = False

    def wake(self) -> None:
        """There is something to do; from any thread."""
        with self._lock:
            if self._waiting:
                return
            self._waiting = True
            since = self._interval if self._last is None else time.monotonic() - self._last
        if not self._later(max(self._interval - since, 0.0), self._run):
            self.stopped()

    def stopped(self) -> None:
        """Whoever was to call us later has ended."""
        with self._lock:
            self._waiting = False

    def _run(self) -> None:
        with self._lock:
            self._waiting = False
            self._last = time.monotonic()
        self._work()
