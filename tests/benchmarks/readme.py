"""The section "Measured" of the project's README, written between two comments: it never differs from the results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from report import NAMES, SIZES, machine, ms

_BEGIN, _END = "<!-- measured: written by `make bench` -->\n", "<!-- measured: end -->\n"
_PLOT = "![Where the time of a save goes, and the other ways beside it](tests/benchmarks/results.svg)"
_MORE = """\
[Every table](tests/benchmarks/results.md), and [how it is measured](tests/benchmarks/README.md).
`make bench EVONIC=DIR` makes all of it: the tables, the plot, and this section."""


def write(found: dict[str, Any], readme: Path) -> None:
    """Replaces what is between the two comments."""
    before, _, rest = readme.read_text("utf-8").partition(_BEGIN)
    after = rest.partition(_END)[2]
    rows = "\n".join(f"| {' | '.join(row)} |" for row in _rows(found))
    table = f"| milliseconds | median | p99 |\n|---|---:|---:|\n{rows}\n"
    section = f"{_BEGIN}\n{machine(found)}\n\n{table}\n{_losses(found)}\n\n{_PLOT}\n\n{_MORE}\n\n{_END}"
    readme.write_text(before + section + after, "utf-8")


def _rows(found: dict[str, Any]) -> list[list[str]]:
    rows = []
    for size, each in found["saves"].items():
        rows += [
            _row(f"{SIZES[size]}: save to outcome in the editor", each["total"]),
            _row(f"{SIZES[size]}: beyond debounce and import", each["beyond"]),
        ]
    for size, ways in found["first answer"].items():
        for kind, each in ways.items():
            routes = "" if each["routes too"] else ", never its routes"
            name = NAMES[kind].replace(", 50 ms debounce included", "")
            rows.append(_row(f"{SIZES[size]}: write to first answer, {name}{routes}", each))
    kanban = found.get("bundled", {}).get("kanban")
    if kanban:
        rows.append(_row("kanban in Evonic: the reload alone", kanban["engine"]))
        rows.append(_row("kanban in Evonic: the host's own reload", kanban["reload_plugin"]))
    for count, each in found["growth"]["plugins in the host"].items():
        if count in ("1", "1000"):
            rows.append(_row(f"plugins in the host {int(count):,}: beyond debounce and import", each["beyond"]))
    return rows


def _row(what: str, figures: dict[str, Any]) -> list[str]:
    return [what, ms(figures), f"{figures['p99']:.1f}"] if figures["n"] else [what, "never", "–"]


def _losses(found: dict[str, Any]) -> str:
    missed = [
        f"{each['what']} ({each['measured']}, goal {each['limit']})" for each in found["goals"] if not each["met"]
    ]
    small = found["engines"]["small"]
    times = f"{small['engine / reload_plugin']:.1f}"
    return (
        f"Where it loses: a small plugin takes the engine {ms(small['engine'])} ms and the host's own reload "
        f"{ms(small['reload_plugin'])} ms, {times} times less, as that neither checks nor can take back nor replaces "
        f"routes. Goals missed: {'; '.join(missed) or 'none'}."
    )
