"""Threads, timers and executors that a plugin's code has started."""

from __future__ import annotations

import re
import sys
import threading
import time
import weakref
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Iterator, List, MutableMapping, Optional, Tuple

from ..generation import Generation, finder
from ..host import Host
from ..report import split_lines, whole_line
from ..wire import Problem
from .base import Kind, Undo

_MOST_FRAMES = 40
_MOST_WARNINGS = 10
# Seconds for what has been told to end.
_GRACE = 0.1
_HOSTS_OWN = re.compile(r"(?:plugins\.([A-Za-z0-9_-]+)|plugin_pkg_([A-Za-z0-9_-]+)_\d+)(?:\.|$)")
_start = threading.Thread.start


@dataclass(frozen=True)
class Origin:
    """Who started a thread: a generation of a plugin, at a line (one-based) of a file."""

    plugin: str
    number: int
    filename: str
    line: int


_started: MutableMapping[threading.Thread, Origin] = weakref.WeakKeyDictionary()


class Threads(Kind):
    """Nothing to commit: when a generation is retired, its timers are cancelled and its executors shut down."""

    name = "threads"

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        threading.Thread.start = _note_and_start  # type: ignore[method-assign]

    def adopt(self, generation: Generation) -> None:
        """What the host's load started before anybody took notes is known by whose function it runs."""
        for thread in threading.enumerate():
            function = getattr(thread, "function", None) or getattr(thread, "_target", None)
            code = getattr(function, "__code__", None)
            if thread not in _started and function is not None and generation.owns(function) and code:
                place = (code.co_filename, code.co_firstlineno)
                _started[thread] = Origin(generation.plugin, generation.number, *place)

    def commit(self, plugin: str, old: Optional[Generation], new: Optional[Generation]) -> Undo:
        return lambda: None

    def discard(self, generation: Generation) -> None:
        self.retire(generation)

    def retire(self, generation: Generation) -> None:
        for thread, origin in self._of(generation.plugin):
            if origin.number == generation.number:
                _end(thread)

    def linger(self, generation: Generation) -> Iterator[Problem]:
        end = time.monotonic() + _GRACE
        left = [each for each in self._of(generation.plugin) if each[1].number <= generation.number]
        for thread, origin in left[:_MOST_WARNINGS]:
            thread.join(max(end - time.monotonic(), 0))
            if thread.is_alive():
                yield _warning(generation, thread, origin)

    def _of(self, plugin: str) -> List[Tuple[threading.Thread, Origin]]:
        return [(thread, by) for thread, by in list(_started.items()) if by.plugin == plugin and thread.is_alive()]


def _note_and_start(self: threading.Thread) -> None:
    origin = _origin()
    if origin is not None:
        _started[self] = origin
    _start(self)


def _origin() -> Optional[Origin]:
    """The innermost frame of a plugin's code that leads to the start of a thread."""
    frame: Any = sys._getframe(2)
    for _ in range(_MOST_FRAMES):
        if frame is None:
            return None
        name = str(frame.f_globals.get("__name__", ""))
        generation = finder.owner(name)
        if generation is not None:
            return Origin(generation.plugin, generation.number, frame.f_code.co_filename, frame.f_lineno)
        adopted = _HOSTS_OWN.match(name)
        if adopted:
            return Origin(adopted.group(1) or adopted.group(2), 0, frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return None


def _end(thread: threading.Thread) -> None:
    if isinstance(thread, threading.Timer):
        thread.cancel()
        return
    # A worker of a ThreadPoolExecutor knows its executor by a weak reference, its first argument.
    for argument in getattr(thread, "_args", None) or ():
        executor = argument() if isinstance(argument, weakref.ref) else None
        if isinstance(executor, Executor):
            executor.shutdown(wait=False)  # what was submitted is still done


def _warning(generation: Generation, thread: threading.Thread, origin: Origin) -> Problem:
    folder = generation.snapshot.folder + "/"
    file = origin.filename[len(folder) :] if origin.filename.startswith(folder) else "handler.py"
    lines = split_lines(generation.snapshot.text(file) or "")
    text = lines[origin.line - 1] if 0 < origin.line <= len(lines) else ""
    message = (
        f"the thread {thread.name!r}, started here by a version that no longer serves, is still running; "
        "end it in on_unload(sdk)"
    )
    place = whole_line(file, max(origin.line - 1, 0), text, generation.plugin)
    return Problem("thread", message, "warning", place)
