"""When manifest and code are compared after a save: later, when nothing more urgent is under way."""

from __future__ import annotations

import asyncio
from typing import Callable, Dict, Hashable, Mapping, Optional

from ..plugins import Found

Files = Mapping[str, Optional[Found]]
# Seconds without a save. Reading a handler of thousands of lines takes as long as reloading it.
_QUIET = 0.3


class Comparison:
    """`compare(files)` is called once for all that is saved together: files by their URIs. Used inside a running event
    loop. What is to be reloaded is compared after that: `key` names it, None is for what is not."""

    def __init__(self, compare: Callable[[Files], None]) -> None:
        self._compare = compare
        self._files: Dict[Optional[Hashable], Dict[str, Optional[Found]]] = {}
        self._timers: Dict[Optional[Hashable], asyncio.TimerHandle] = {}

    def add(self, key: Optional[Hashable], uri: str, found: Optional[Found]) -> None:
        """A file was saved. With a key, :meth:`start` must follow."""
        self._files.setdefault(key, {})[uri] = found
        self._stop(key)
        if key is None:
            self.start(None)

    def start(self, key: Optional[Hashable]) -> None:
        """From now on, only quiet is waited for."""
        self._stop(key)
        self._timers[key] = asyncio.get_running_loop().call_later(_QUIET, self._fired, key)

    def close(self) -> None:
        """Forgets what waits."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _stop(self, key: Optional[Hashable]) -> None:
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()

    def _fired(self, key: Optional[Hashable]) -> None:
        del self._timers[key]
        self._compare(self._files.pop(key, {}))
