"""What plugins log, in the editor's log: a message a line, or one for many when they come fast."""

from __future__ import annotations

import asyncio
import re
from typing import Callable, Dict, List, Optional, Tuple

from lsprotocol import types

from .bridge.wire import LogEntry
from .where import Ref

_INTERVAL = 0.25
_KINDS = {"error": types.MessageType.Error, "warn": types.MessageType.Warning, "warning": types.MessageType.Warning}
_FRAME = re.compile(r'File "([^"\n]+)", line (\d+)')

Write = Callable[[str, types.MessageType], None]


class Logs:
    """Writes what is logged. Made inside a running event loop."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._waiting: Dict[Ref, List[Tuple[str, types.MessageType]]] = {}
        self._timers: Dict[Ref, asyncio.TimerHandle] = {}

    def add(self, ref: Ref, entry: LogEntry) -> None:
        """A new line: at once, unless there was one a moment ago."""
        line = (f"[{entry.plugin}] {entry.message}", _KINDS.get(entry.level, types.MessageType.Info))
        if ref in self._timers:
            self._waiting.setdefault(ref, []).append(line)
            return
        self._write(*line)
        self._timers[ref] = asyncio.get_running_loop().call_later(_INTERVAL, self._flush, ref)

    def close(self) -> None:
        """Ends every timer."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _flush(self, ref: Ref) -> None:
        del self._timers[ref]
        lines = self._waiting.pop(ref, [])
        if not lines:
            return
        self._write("\n".join(text for text, _ in lines), min((kind for _, kind in lines), key=lambda kind: kind.value))
        self._timers[ref] = asyncio.get_running_loop().call_later(_INTERVAL, self._flush, ref)


def linked(traceback: str, local: Callable[[str], Optional[str]]) -> str:
    """A traceback whose frames begin with ``path:line``, which editors make a link. `local(path)` is where a file
    of the host is on this machine; None if it is nowhere here."""

    def replace(match: re.Match[str]) -> str:
        path = local(match.group(1))
        return f"{path or match.group(1)}:{match.group(2)}"

    return _FRAME.sub(replace, traceback.rstrip())
