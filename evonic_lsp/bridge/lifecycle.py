"""The functions by which a plugin takes part in its own reload; all are optional, in ``handler.py``.

- ``on_load(sdk)``: this version has begun to serve.
- ``on_unload(sdk)``: it has ended; end threads, close files.
- ``hot_save(sdk)`` returns the state that the next version should have. The reload may still fail, and then this
  version goes on: it must change nothing.
- ``hot_restore(sdk, state)``: this version is about to serve with the state of the one before.
"""

from __future__ import annotations

from typing import Any, Callable, Iterator, Optional

from .generation import Generation
from .host import Host
from .report import split_lines, whole_line
from .wire import Problem

ON_LOAD, ON_UNLOAD = "on_load", "on_unload"
SAVE, RESTORE = "hot_save", "hot_restore"


def function(generation: Optional[Generation], name: str) -> Optional[Callable[..., Any]]:
    """The plugin's own function of this name, if it has one."""
    found = getattr(generation.handler, name, None) if generation is not None else None
    return found if callable(found) else None


def call(host: Host, generation: Optional[Generation], name: str, *arguments: Any) -> Any:
    """Calls it with an SDK of its own; None where there is none. Raises what it raises."""
    found = function(generation, name)
    if found is None or generation is None:
        return None
    return found(host.new_sdk(generation.plugin, generation.snapshot.manifest()), *arguments)


def hand_over(host: Host, old: Optional[Generation], new: Generation) -> None:
    """Gives the state of the old version to the new one, where both take part."""
    if function(old, SAVE) and function(new, RESTORE):
        call(host, new, RESTORE, call(host, old, SAVE))


def unpaired(old: Optional[Generation], new: Generation) -> Iterator[Problem]:
    """A warning for state that is saved and never restored."""
    found = function(new, SAVE)
    if found is not None and function(new, RESTORE) is None:
        line = max(getattr(getattr(found, "__code__", None), "co_firstlineno", 1) - 1, 0)
        lines = split_lines(new.snapshot.text("handler.py") or "")
        place = whole_line("handler.py", line, lines[line] if line < len(lines) else "", new.plugin)
        message = "hot_save(sdk) without hot_restore(sdk, state): what it returns is dropped"
        yield Problem("hot_save", message, "warning", place)
