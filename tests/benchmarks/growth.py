"""What grows with what: plugins in the host, files in a plugin, editors at the host, files in one save."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import plugins
import stats
import worlds
from editor import Editor
from plugins import Edited
from rivals import both
from saves import Bench, series

_CHANGED = 2


def in_host(counts: list[int], saves: int) -> dict[str, Any]:
    """Saves of one plugin among 1 to 1,000 enabled ones; and how long an editor takes to connect there."""
    found: dict[str, Any] = {}
    for count in counts:

        def write(root: Path, count: int = count) -> list[str]:
            for number in range(count):
                plugins.small(root, f"p{number}")
            return [f"p{number}" for number in range(count)]

        with worlds.world(None, True, write) as world:
            began = time.perf_counter()
            with Bench(world) as bench:
                connected = (time.perf_counter() - began) * 1000
                found[str(count)] = _figures(series(bench, world.root / "plugins" / "p0" / "handler.py", saves))
                found[str(count)]["editor connected"] = round(connected, 1)
    return found


def in_plugin(counts: list[int], saves: int) -> dict[str, Any]:
    """Saves of one file of a plugin of 1 to 1,000 files."""

    def write(root: Path) -> list[str]:
        for count in counts:
            plugins.many_files(root, f"files{count}", count)
        return [f"files{count}" for count in counts]

    with worlds.world(None, True, write) as world, Bench(world) as bench:
        folder = world.root / "plugins"
        return {str(count): _figures(series(bench, folder / f"files{count}" / "handler.py", saves)) for count in counts}


def editors(counts: list[int], saves: int) -> dict[str, Any]:
    """Saves in one of 1 to 50 editors: until that one knows, and until all of them do."""
    found: dict[str, Any] = {}
    with worlds.world(None, True, both) as world, Bench(world) as bench, contextlib.ExitStack() as stack:
        others: list[Editor] = []
        for count in counts:
            while len(others) < count - 1:
                batch = [Editor(world.root) for _ in range(min(4, count - 1 - len(others)))]
                for editor in batch:
                    stack.callback(editor.close)
                    others.append(editor.connected())
            found[str(count)] = _with_editors(world, bench, others, saves)
    return found


def _with_editors(world: worlds.World, bench: Bench, others: list[Editor], saves: int) -> dict[str, Any]:
    edited = Edited(world.root / "plugins" / "small" / "handler.py")
    edited.mark += 1000 * len(others)
    samples, spread = [], []
    for _ in range(saves):
        marks = [len(each.events) for each in others]
        began = time.time()
        samples.append(bench.save(edited))
        last = [each.status("small", ("ok",), mark)[0] for each, mark in zip(others, marks)]
        spread.append((max(last, default=began + samples[-1]["total"] / 1000) - began) * 1000)
    return {**_figures(samples), "all editors know": stats.summary(spread)}


def burst(files: int, times: int) -> dict[str, Any]:
    """A checkout: so many files of one plugin change at once, told in one message. How long until the outcome, how
    many reloads that costs, and how long the server answers nobody else."""
    outcomes, reloads, asked = [], [], []

    def write(root: Path) -> list[str]:
        return both(root)

    with worlds.world(None, True, write) as world, Bench(world) as bench:
        folder = world.root / "plugins" / "small"
        edited = Edited(folder / "handler.py")
        changes = [{"uri": (folder / f"m{number}.py").as_uri(), "type": _CHANGED} for number in range(files)]
        for _ in range(times):
            edited.edit()
            mark, heard = len(bench.editor.events), len(bench.ear.outcomes)
            began = bench.editor.notify("workspace/didChangeWatchedFiles", {"changes": changes})
            other, _ = bench.editor.request("workspace/executeCommand", {"command": "evonic.status", "arguments": []})
            ended, _ = bench.editor.status("small", ("ok", "failed"), mark)
            bench.ear.after("small", heard)
            time.sleep(0.2)
            outcomes.append((ended - began) * 1000)
            asked.append((other - began) * 1000)
            reloads.append(len(bench.ear.outcomes) - heard)
    return {"files": files, "total": stats.summary(outcomes), "answered": stats.summary(asked), "reloads": reloads}


def _figures(samples: list[dict[str, float]]) -> dict[str, Any]:
    return {part: stats.summary([each[part] for each in samples]) for part in ("beyond", "total", "snapshot")}
