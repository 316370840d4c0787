"""What was measured, as tables for a terminal and for a README, and as a plot. Nothing is measured here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from saves import PARTS, STEPS
from svg import Bar, plot

NAMES = {
    "evonic-lsp": "evonic-lsp, 50 ms debounce included",
    "polling": "polling watcher (500 ms poll, 1 s debounce)",
    "watchfiles": "watchfiles + the host's reload (50 ms of quiet)",
    "jurigged": "jurigged",
}


# Samples from which on a 99th percentile says more than their maximum.
ENOUGH = 100


@dataclass(frozen=True)
class Grid:
    """One table."""

    title: str
    head: list[str]
    rows: list[list[str]]


def grids(found: dict[str, Any]) -> list[Grid]:
    """Every table that the results have figures for."""
    tables = [_goals(found), _saves(found), _split(found), _rivals(found), _engines(found, "engines", "sandbox")]
    tables += [_engines(found, "bundled", "a real Evonic"), *_growth(found), _burst(found), *_footprint(found)]
    return [table for table in tables if table is not None and table.rows]


def show(found: dict[str, Any], console: Console) -> None:
    """Prints the tables."""
    for grid in grids(found):
        table = Table(title=grid.title, title_justify="left", title_style="bold", header_style="dim")
        for number, name in enumerate(grid.head):
            table.add_column(name, justify="right" if number else "left")
        for row in grid.rows:
            table.add_row(*row)
        console.print(table)


def markdown(found: dict[str, Any]) -> str:
    """The tables for a README."""
    parts = [f"<!-- written by `make bench`; do not edit -->\n\n{machine(found)}\n"]
    for grid in grids(found):
        line = "|" + "---|" + "---:|" * (len(grid.head) - 1)
        rows = ["| " + " | ".join(row) + " |" for row in grid.rows]
        parts.append("\n".join([f"### {grid.title}\n", "| " + " | ".join(grid.head) + " |", line, *rows]) + "\n")
    return "\n".join(parts)


def svg(found: dict[str, Any]) -> str:
    """The plot: each way side by side; where the time of a save goes."""
    charts: list[tuple[str, list[Bar]]] = []
    for size, ways in found.get("first answer", {}).items():
        bars = [_bar(kind, figures) for kind, figures in ways.items() if figures["n"]]
        charts.append((f"From the save to the first answer of new code: {SIZES[size]}", bars))
    split = [
        Bar(SIZES.get(name, name), [(part, each["parts"][part]) for part in PARTS], f"{each['total']['median']:.1f} ms")
        for name, each in {**found.get("engines", {}), **found.get("bundled", {})}.items()
    ]
    charts.append(("Where the time of a save goes, didSave to outcome (medians)", split))
    return plot(charts)


SIZES = {"small": "a small plugin", "large": "3,500 lines, 26 routes"}


def _bar(kind: str, figures: dict[str, Any]) -> Bar:
    return Bar(NAMES[kind].split(" (")[0].split(",")[0], [("total", figures["median"])], f"{figures['median']:.0f} ms")


def machine(found: dict[str, Any]) -> str:
    """Where and when, and what the figures are."""
    machine = found["machine"]
    return (
        f"Measured on {machine['date']}: {machine['processors']} processors ({machine['model']}), Python "
        f"{machine['python']}, load {machine['load']}. Milliseconds; medians, and p99 of {ENOUGH} samples or more."
    )


def _goals(found: dict[str, Any]) -> Grid:
    rows = [
        [goal["what"], goal["limit"], goal["measured"], "met" if goal["met"] else "MISSED"]
        for goal in found.get("goals", [])
    ]
    return Grid("Goals", ["goal", "at most", "measured", ""], rows)


def ms(figures: dict[str, float] | None) -> str:
    """The median."""
    return f"{figures['median']:.1f}" if figures else "–"


def p99(figures: dict[str, float]) -> str:
    """The 99th percentile; nothing of few samples, where it is their maximum."""
    return f"{figures['p99']:.1f}" if figures["n"] >= ENOUGH else ""


def _saves(found: dict[str, Any]) -> Grid:
    rows = []
    for size, each in found.get("saves", {}).items():
        for what, figures in each.items():
            if what in ("total", "diagnostic", "answer", "beyond"):
                row = [f"{SIZES[size]}: {WHAT[what]}", ms(figures), p99(figures)]
                rows.append([*row, f"{figures['iqr']:.1f}", f"{figures['min']:.1f}"])
    return Grid("From didSave", ["", "median", "p99", "between the quartiles", "min"], rows)


WHAT = {
    "total": "to the outcome in the editor",
    "beyond": "of that beyond debounce and import",
    "diagnostic": "to the first diagnostic of what is broken",
    "answer": "to the first HTTP answer from new code",
}


def _split(found: dict[str, Any]) -> Grid:
    groups = {**{SIZES[name]: each for name, each in found.get("saves", {}).items()}}
    rows = [[name, *(ms(each[part]) for part in PARTS)] for name, each in groups.items()]
    rows += [
        [name, *(f"{each['parts'][part]:.1f}" for part in PARTS)] for name, each in found.get("bundled", {}).items()
    ]
    return Grid("Where the time of a save goes (medians)", ["plugin", *PARTS], rows)


def _rivals(found: dict[str, Any]) -> Grid:
    rows = []
    for size, ways in found.get("first answer", {}).items():
        for kind, each in ways.items():
            came = f"{each['n']}/{each['n'] + each['never came']}"
            times = f"{each['times ours']:.2f}" if each["times ours"] else "–"
            routes = "yes" if each["routes too"] else "no"
            median = ms(each) if each["n"] else "–"
            rows.append([f"{SIZES[size]}: {NAMES[kind]}", median, times, came, routes])
    head = ["", "median", "times ours", "came", "routes too"]
    return Grid("From the write to the first answer of new code, side by side", head, rows)


def _engines(found: dict[str, Any], key: str, where: str) -> Grid:
    rows = [
        [
            name,
            ms(each["engine"]),
            ms(each["reload_plugin"]),
            ms(each["floor"]),
            f"{each['engine / reload_plugin']:.2f}",
            f"{each['engine / floor']:.2f}" if "engine / floor" in each else "–",
            ms(each["total"]),
        ]
        for name, each in found.get(key, {}).items()
    ]
    head = [
        "plugin",
        "engine",
        "host's reload_plugin",
        "import alone",
        "engine / host's",
        "engine / import",
        "didSave to outcome",
    ]
    return Grid(f"Reload alone, without transport and debounce, on {where}", head, rows)


def _growth(found: dict[str, Any]) -> list[Grid]:
    tables = []
    for what, each in found.get("growth", {}).items():
        rows = []
        for count, figures in each.items():
            beyond, total = figures["beyond"], figures["total"]
            more = figures.get("all editors know")
            row = [count, ms(beyond), ms(total), ms(figures["snapshot"])]
            rows.append([*row, ms(more) if more else f"{figures.get('editor connected', 0):.0f}"])
        last = "all editors know" if what.startswith("editors") else "editor started and connected"
        head = [what, "beyond debounce and import", "didSave to outcome", "snapshot", last]
        if what.startswith("files"):
            head, rows = head[:-1], [row[:-1] for row in rows]
        tables.append(Grid(f"Growth: {what}", head, rows))
    return tables


def _burst(found: dict[str, Any]) -> Grid | None:
    each = found.get("burst")
    if each is None:
        return None
    row = [f"{each['files']:,}", ms(each["total"]), ms(each["answered"]), ", ".join(map(str, each["reloads"]))]
    return Grid("Files that change at once", ["files", "to the outcome", "another request answered", "reloads"], [row])


def _footprint(found: dict[str, Any]) -> list[Grid]:
    tables = []
    for name, each in found.get("starts", {}).items():
        rows = [[what, ms(figures), f"{figures['min']:.1f}", f"{figures['iqr']:.1f}"] for what, figures in each.items()]
        tables.append(
            Grid(f"Starts ({name}): spawn to the first answer", ["", "median", "min", "between the quartiles"], rows)
        )
    rest = found.get("rest")
    if rest:
        memory = rest["memory MB"]
        rows = [[what, f"{spent:.2f}", str(memory.get(what, "–"))] for what, spent in rest["cpu ms"].items()]
        title = f"At rest for {rest['seconds']:.0f} s"
        tables.append(Grid(title, ["", "CPU, ms", "memory, MB (PSS)"], rows))
    return tables


assert set(STEPS) <= set(PARTS)
