"""Messages as plain text for a terminal: problems as a compiler prints them, the status as a table.

Texts of the host and of plugins are not ours: what could steer a terminal is shown as an escape instead.
"""

from __future__ import annotations

import time
import unicodedata
from typing import Iterable, List, Optional, Sequence

from .wire import HostStatus, LogEntry, Outcome, Place, PluginInfo, Problem

_MOST_RELATED = 12
_WIDEST_SOURCE = 160
# Cc: control, Cf: format (the bidirectional overrides that let a text look like another), Cs: lone surrogates,
# Zl and Zp: line and paragraph separators.
_UNSAFE = ("Cc", "Cf", "Cs", "Zl", "Zp")


def clean(text: str) -> str:
    """`text` with everything that could steer a terminal written as an escape; lines and tabs stay."""
    return "\n".join(
        # Most lines are printable, which Python knows at once.
        line if line.isprintable() else "".join(char if char == "\t" else _shown(char) for char in line)
        for line in text.replace("\r\n", "\n").split("\n")
    )


def _shown(char: str) -> str:
    if unicodedata.category(char) not in _UNSAFE:
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def one_line(text: str) -> str:
    """`text` cleaned, on one line."""
    return clean(text).replace("\n", " ").replace("\t", " ")


# ── Problems ──


def problem(found: Problem) -> str:
    """A problem as an editor shows it: place and message, the source underlined, what else to look at."""
    head, *notes = clean(found.message).split("\n")
    if not head.startswith(found.code):
        head = f"{one_line(found.code)}: {head}"
    lines = [f"{_where(found.place)}{one_line(found.severity)}: {head}"]
    lines += [f"    {note}" for note in notes]
    lines += underlined(found.place)
    for related in found.related[:_MOST_RELATED]:
        first, *more = clean(related.message).split("\n")
        lines += [f"  {_where(related.place)}note: {first}", *(f"      {line}" for line in more)]
    left = len(found.related) - _MOST_RELATED
    if left > 0:
        lines.append(f"  … and {left} more")
    return "\n".join(lines)


def _where(place: Optional[Place]) -> str:
    if place is None:
        return ""
    file = f"plugins/{place.plugin}/{place.file}" if place.plugin else place.file
    return f"{one_line(file)}:{place.start_line + 1}:{place.start_column + 1}: "


def underlined(place: Optional[Place]) -> List[str]:
    """The first line of a place, and carets under its range; nothing where the text is not known."""
    if place is None or not place.first.strip():
        return []
    line = place.first
    start = min(max(place.start_column, 0), len(line))
    end = place.end_column if place.end_line == place.start_line else len(line.rstrip())
    end = min(max(end, start + 1), max(len(line), start + 1))
    skipped = max(0, start - _WIDEST_SOURCE // 2) if len(line) > _WIDEST_SOURCE else 0
    shown = [_source(char) for char in line[skipped : skipped + _WIDEST_SOURCE]]
    before = sum(map(_width, shown[: start - skipped]))
    under = sum(map(_width, shown[start - skipped : end - skipped]))
    source = "".join(shown).rstrip()
    return [f"    {source}", "    " + " " * before + "^" * max(under, 1)]


def _source(char: str) -> str:
    return "    " if char == "\t" else _shown(char)


def _width(shown: str) -> int:
    """Columns that a text takes on a terminal (Unicode Standard Annex 11)."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in shown
    )


# ── Outcomes ──


def outcome(result: Outcome) -> str:
    """The sentence about a reload that worked, or that was not tried."""
    generation = "" if result.generation is None else f", generation {result.generation}"
    message = one_line(result.message)
    text = message if result.plugin in message.split() else f"{one_line(result.plugin)}: {message}"
    return f"{text} ({_duration(result.duration_ms)}{generation})"


def still_serving(result: Outcome) -> str:
    """The sentence about what serves after a reload that failed, and what to do."""
    head = f"{one_line(result.plugin)} was not reloaded ({one_line(result.status)}): "
    if result.generation is None:
        return head + "nothing of this plugin is running; fix it, then save or reload"
    since = "" if result.loaded_at is None else f" of {_clock(result.loaded_at)}"
    return f"{head}the old version{since} (generation {result.generation}) goes on serving; fix it, then save or reload"


def _clock(at: float) -> str:
    try:
        return time.strftime("%H:%M:%S", time.localtime(at))
    except (OverflowError, ValueError, OSError):
        return "an unknown time"


def _duration(milliseconds: float) -> str:
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"


def age(at: float, now: float) -> str:
    """How long ago `at` was, in the largest unit that says something."""
    seconds = max(0.0, now - at)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit} ago"
    return f"{seconds:.0f} s ago"


# ── Status and logs ──

_HEADER = ("PLUGIN", "IN EVONIC", "HOT RELOAD", "GENERATION", "LAST OUTCOME", "WHEN")


def status(found: HostStatus, now: float) -> str:
    """The host, the global switch, the plugins as a table, and what went wrong last."""
    process = f"pid {found.pid}, bridge {one_line(found.bridge)}"
    hint = "" if found.enabled else " for all plugins; `evonic-lsp hotreload-enable` turns it on"
    lines = [
        f"Evonic {one_line(found.version)} at {one_line(found.root)} ({process})",
        f"Hot reload is {on_off(found.enabled)}{hint}",
    ]
    lines += [f"Without: {one_line(note)}" for note in found.degraded]
    lines += ["", *table([_HEADER, *(_row(plugin, now) for plugin in found.plugins)])] if found.plugins else []
    if not found.plugins:
        lines += ["", f"No plugins in {one_line(found.plugins_dir)}"]
    failed = [plugin.outcome for plugin in found.plugins if plugin.outcome and plugin.outcome.failed]
    lines += ["", *(f"{one_line(each.plugin)}: {one_line(each.message)}" for each in failed)] if failed else []
    return "\n".join(lines)


def on_off(value: bool) -> str:
    """``on`` or ``off``."""
    return "on" if value else "off"


def _row(plugin: PluginInfo, now: float) -> Sequence[str]:
    last = plugin.outcome
    return (
        one_line(plugin.id),
        on_off(plugin.enabled),
        on_off(plugin.hotreload),
        "-" if plugin.generation is None else str(plugin.generation),
        one_line(last.status) if last else "-",
        age(last.at, now) if last and last.at else "-",
    )


def table(rows: Iterable[Sequence[str]]) -> List[str]:
    """`rows` as lines, every column as wide as its widest cell."""
    listed = list(rows)
    widths = [max(map(_width, column)) for column in zip(*listed)]
    return [
        "  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths)).rstrip() for row in listed
    ]


def log(entry: LogEntry) -> str:
    """A line of a plugin's log; further lines of its message are indented."""
    head, *more = clean(entry.message).split("\n")
    lines = [f"{one_line(entry.timestamp)} {one_line(entry.level):<5} {head}", *(f"    {line}" for line in more)]
    return "\n".join(lines)
