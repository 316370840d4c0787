"""What a reload that is still to come will need, found out while the saves settle: a debounce is time to compile in.

Nothing of the plugin runs for it, and nothing of it is taken for granted: the reload reads every file again, and what
it then needs for other bytes, or for another version that serves, it finds out itself.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Dict, List, Optional

from .generation import Generation
from .holders import Search
from .snapshot import Checked, Compiled, Snapshot

# Seconds for which somebody may go by a look into the host's database: it costs as much as a third of a small reload.
_JUST_NOW = 1.0


@dataclass(frozen=True)
class Prepared:
    """For a reload of `snapshot` in the place of `old`. `at`: seconds of the monotonic clock."""

    old: Optional[Generation]
    snapshot: Snapshot
    checked: Checked
    holders: Optional[Search]
    at: float = field(default_factory=time.monotonic)

    @property
    def codes(self) -> Compiled:
        """What need not be compiled again."""
        return self.snapshot, self.checked.codes


class Preparations:
    """One for each plugin at most, until its reload or until it is forgotten; from any thread."""

    def __init__(self) -> None:
        self._prepared: Dict[str, Prepared] = {}
        self._lock = threading.Lock()

    def put(self, plugin: str, prepared: Prepared) -> None:
        """Keeps it."""
        with self._lock:
            self._prepared[plugin] = prepared

    def get(self, plugin: str, old: Optional[Generation]) -> Optional[Prepared]:
        """What was prepared for the time when `old` is what serves."""
        with self._lock:
            prepared = self._prepared.get(plugin)
        return prepared if prepared is not None and prepared.old is old else None

    def just_now(self, plugin: str) -> bool:
        """Whether there is one of a moment ago: the switches were on then, and it is kept only while they are."""
        with self._lock:
            prepared = self._prepared.get(plugin)
        return prepared is not None and time.monotonic() - prepared.at < _JUST_NOW

    def forget(self, plugins: Optional[List[str]] = None) -> None:
        """Forgets what was prepared for these plugins; for all of them without a list."""
        with self._lock:
            for plugin in list(self._prepared) if plugins is None else plugins:
                self._prepared.pop(plugin, None)
