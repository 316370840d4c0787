"""The section "Measured" of the project's README, written between two comments: it never differs from the results."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from report import NAMES, SIZES, WHAT, machine, ms, p99

_BEGIN, _END = "<!-- measured: written by `make bench` -->\n", "<!-- measured: end -->\n"
_PLOT = "![Where the time of a save goes, and the other ways beside it](tests/benchmarks/results.svg)"
_OURS = "evonic-lsp"
_PLUGINS = {"small": "a small plugin", "large": "one of 3,500 lines"}
_MORE = """\
[Every table](tests/benchmarks/results.md), and [how it is measured](tests/benchmarks/README.md).
`make bench EVONIC=DIR` measures again and writes all of it: the tables, the plot, and this section."""


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
        for what, text in WHAT.items():
            rows.append(_row(f"{SIZES[size]}: {'' if what == 'beyond' else 'save '}{text}", each[what]))
    for size, ways in found["first answer"].items():
        for kind, each in ways.items():
            routes = "" if each["routes too"] else ", never its routes"
            name = NAMES[kind].replace(", 50 ms debounce included", "")
            rows.append(_row(f"{SIZES[size]}: write to the first answer, {name}{routes}", each))
    kanban = found.get("bundled", {}).get("kanban")
    if kanban:
        rows.append(_row("kanban in Evonic: the reload alone", kanban["engine"]))
        rows.append(_row("kanban in Evonic: the host's own reload", kanban["reload_plugin"]))
    for count, each in found["growth"]["plugins in the host"].items():
        if count in ("1", "1000"):
            rows.append(_row(f"plugins in the host {int(count):,}: beyond debounce and import", each["beyond"]))
    return rows


def _row(what: str, figures: dict[str, Any]) -> list[str]:
    return [what, ms(figures), p99(figures)] if figures["n"] else [what, "never", ""]


def _losses(found: dict[str, Any]) -> str:
    """Everything that somebody else does in less time, and what Evonic pays for the bridge."""
    sides = {**found["engines"], **found["bundled"]}
    slower = [
        f"{_PLUGINS.get(name, name)} ({_against(each['engine'], each['reload_plugin'])})"
        for name, each in sides.items()
        if each["engine / reload_plugin"] > 1
    ]
    parts = []
    if slower:
        parts.append(
            "The reload alone takes longer than the host's own, which neither checks nor can take back nor replaces "
            f"routes: {', '.join(slower)}."
        )
    for size, ways in found["first answer"].items():
        for kind, each in ways.items():
            if kind != _OURS and each["times ours"] and each["times ours"] < 1:
                came = _against(ways[_OURS], each)
                parts.append(f"{NAMES[kind]} answers sooner from the new code of {SIZES[size]} ({came}).")
    start = found["starts"]["Evonic"]["added by the bridge"]
    parts.append(f"Evonic starts {ms(start)} ms later with the bridge in it.")
    missed = [
        f"{each['what']} ({each['measured']}, goal {each['limit']})" for each in found["goals"] if not each["met"]
    ]
    parts.append(f"Goals missed: {'; '.join(missed) or 'none'}.")
    return "Where it loses:\n\n" + "\n".join(f"- {part}" for part in parts)


def _against(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    return f"{ms(ours)} ms against {ms(theirs)} ms"
