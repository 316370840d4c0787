"""The log of a plugin on its way to the clients: line by line, until a plugin floods it.

Then equal lines become one with how often it came, and what is still too much is left out and said to be.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import replace
from typing import Any, Callable, Dict, Tuple

from .pump import Later, Pump
from .wire import LogEntry

# Lines of one plugin that are passed on at once, and those that follow after it, in each interval (seconds).
_AT_ONCE = 20
_AFTER = 5
_INTERVAL = 0.5
# Characters of a line.
_LONGEST = 16 * 1024


class _Flow:
    """What one plugin has logged in an interval."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.passed = 0
        self.held: OrderedDict[Tuple[str, str], int] = OrderedDict()
        self.more = 0
        self.last = ""


class LogPump:
    """Hands lines on to `notify`."""

    def __init__(self, notify: Callable[[str, Any], None], later: Later) -> None:
        self._notify = notify
        self._flows: Dict[str, _Flow] = {}
        self._lock = threading.Lock()
        self.pump = Pump(self._flush, _INTERVAL, later)

    def add(self, entry: LogEntry) -> None:
        """A new line."""
        if len(entry.message) > _LONGEST:
            entry = replace(entry, message=f"{entry.message[:_LONGEST]}… ({len(entry.message)} characters)")
        with self._lock:
            flow = self._flows.get(entry.plugin)
            if flow is None or (not flow.held and time.monotonic() - flow.began > _INTERVAL):
                flow = self._flows[entry.plugin] = _Flow()
            through = flow.passed < _AT_ONCE and not flow.held
            if through:
                flow.passed += 1
            else:
                self._hold(flow, entry)
        if through:
            self._notify("plugin/log", entry)
        else:
            self.pump.wake()

    def _hold(self, flow: _Flow, entry: LogEntry) -> None:
        key = (entry.level, entry.message)
        flow.last = entry.timestamp
        if key in flow.held or len(flow.held) < _AFTER:
            flow.held[key] = flow.held.get(key, 0) + 1
        else:
            flow.more += 1

    def _flush(self) -> None:
        with self._lock:
            flows = {plugin: flow for plugin, flow in self._flows.items() if flow.held}
            for plugin in flows:
                # What follows at once is still the flood.
                following = self._flows[plugin] = _Flow()
                following.passed = _AT_ONCE
        for plugin, flow in flows.items():
            for (level, message), times in flow.held.items():
                text = message if times == 1 else f"{message} (and {times - 1} times more)"
                self._notify("plugin/log", LogEntry(plugin, flow.last, level, text))
            if flow.more:
                message = f"… and {flow.more} lines more, which were too many to show"
                self._notify("plugin/log", LogEntry(plugin, flow.last, "info", message))
