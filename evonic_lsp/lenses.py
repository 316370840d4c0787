"""Code lenses: what a plugin is doing, on the first line of its two main files and on each of its handlers."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, List, Optional

from lsprotocol import types

from . import shown
from .bridge import wire
from .bridge.client import NoHost
from .bridge.messages import Details, Handler
from .bridge.wire import Outcome, PluginInfo, WireError
from .faults import clock, nearest
from .plugins import MANIFEST

if TYPE_CHECKING:
    from .session import Session

_FIRST = ("handler.py", MANIFEST)
# A title that is no link.
_NOTHING = ""
_PATIENCE = 5.0


async def of(session: Session, uri: str) -> Optional[List[types.CodeLens]]:
    """The lenses of a file; None if it is no plugin's, or no host can tell."""
    found = session.found(uri)
    ref = session.ref(found) if found is not None else None
    if found is None or ref is None or ref.plugin == wire.BRIDGE_ID or not found.file.endswith((".py", MANIFEST)):
        return None
    try:
        asked = session.hosts.link(ref.root).call("plugin/details", {"plugin": ref.plugin})
        details = wire.from_json(Details, await asyncio.wait_for(asked, _PATIENCE))
    except (NoHost, WireError, asyncio.TimeoutError):
        return None  # no host, an older bridge, or one that is busy: nothing to show
    lenses: List[types.CodeLens] = []
    if found.file in _FIRST:
        lenses += [_lens(0, title, command, uri) for title, command in _at_the_top(details)]
    handlers = [each for each in details.handlers if each.place is not None and each.place.file == found.file]
    lines = session.board.lines_of(ref.root, handlers[0].place) if handlers and handlers[0].place else None
    for each in handlers:
        assert each.place is not None
        line = each.place.start_line if lines is None else nearest(lines, each.place.start_line, each.place.first)
        if line is None:
            continue  # it is not in this text any more
        lenses.append(_lens(line, _counted(each), _NOTHING, uri))
        if each.replay:
            lenses.append(_lens(line, "Replay", "evonic.replay", uri, each.name))
    return lenses


def _lens(line: int, title: str, command: str, *arguments: Any) -> types.CodeLens:
    start = types.Position(line, 0)
    given = list(arguments) if command else None
    return types.CodeLens(types.Range(start, start), types.Command(shown.text(title), command, arguments=given))


def _at_the_top(details: Details) -> List[tuple[str, str]]:
    info = details.info
    found = [(_state(info), _NOTHING), ("Reload", "evonic.reload")]
    registered = Counter(each.trigger for each in details.handlers)
    if registered:
        found.insert(1, (", ".join(_many(number, trigger) for trigger, number in registered.items()), _NOTHING))
    if info.errors:
        found.append((f"Clear {_many(len(info.errors), 'run-time error')}", "evonic.clear"))
    return found


def _state(info: PluginInfo) -> str:
    outcome: Optional[Outcome] = info.outcome
    took = f", {outcome.duration_ms:.0f} ms" if outcome and outcome.duration_ms >= 1 else ""
    took = f", {outcome.duration_ms:.1f} ms" if outcome and 0 < outcome.duration_ms < 1 else took
    if info.generation is None or info.loaded_at is None:
        serving = "not running" if info.enabled else "switched off in Evonic"
    else:
        serving = f"generation {info.generation}, loaded {clock(info.loaded_at)}"
    if outcome is not None and outcome.failed:
        return f"reload {outcome.status} {clock(outcome.at)}{took}; {serving}"
    return serving + (took if outcome is not None and outcome.status == wire.RELOADED else "")


def _many(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _counted(handler: Handler) -> str:
    which = f"{handler.trigger} {handler.name}"
    if not handler.calls:
        return f"{which}: not called yet"
    took = f", last {_milliseconds(handler.last_ms)}" if handler.last_ms is not None else ""
    wrong = f", {_many(handler.errors, 'error')}" if handler.errors else ""
    return f"{which}: {_many(handler.calls, 'call')}{took}{wrong}"


def _milliseconds(duration: float) -> str:
    return f"{duration:.0f} ms" if duration >= 10 else f"{duration:.2g} ms"
