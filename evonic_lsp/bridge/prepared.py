"""What a reload that is still to come will need, found out while the saves settle: a debounce is time to compile in.

Nothing of the plugin runs for it, and nothing of it is taken for granted: the reload reads every file again, and what
it then needs for other bytes, or for another version that serves, it finds out itself.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Dict, Optional, Tuple

from .generation import Generation
from .holders import Search
from .snapshot import Checked, Compiled, Snapshot


@dataclass(frozen=True)
class Prepared:
    """For a reload of `snapshot` in the place of `old`. `stamp` is that of the host's settings when all switches of the
    plugin were found to be on."""

    old: Optional[Generation]
    snapshot: Snapshot
    checked: Checked
    holders: Optional[Search]
    stamp: Optional[Tuple[int, ...]]

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

    def allowed(self, plugin: str, stamp: Optional[Tuple[int, ...]]) -> bool:
        """Whether the switches of `plugin` are known to be on, as no setting was written since they were looked at:
        `stamp` is that of now. To look again would cost a third of a small reload."""
        with self._lock:
            prepared = self._prepared.get(plugin)
        return prepared is not None and prepared.stamp is not None and prepared.stamp == stamp

    def forget(self, plugin: str) -> None:
        """Forgets what was prepared for `plugin`."""
        with self._lock:
            self._prepared.pop(plugin, None)
