"""The other ways to get new code into the same host, one host for each, saved side by side.

``reload_plugin`` never replaces the routes of a server that runs: what is watched is therefore the handler that the
host would call next. Whether the plugin's own route is new as well is asked at the end.
"""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
from pathlib import Path
from typing import Any, Callable

import plugins
import stats
import worlds
from plugins import Edited
from saves import STEPS, Bench, until_answered
from worlds import World

OURS = "evonic-lsp"
PACKAGES = {"watchfiles": "watchfiles", "jurigged": "jurigged"}
LIMITS = {"polling": 6.0}
_LIMIT = 3.0
SIZES = ("small", "large")


def available(folder: Path | None) -> list[str]:
    """The rivals that can be measured here; says which cannot."""
    found = ["polling"]
    for rival, package in PACKAGES.items():
        if folder is not None and (folder / package).is_dir():
            found.append(rival)
        else:
            print(f"SKIPPED: {rival} is not installed in {folder}; `make bench` does that", file=sys.stderr)
    return found


def both(root: Path) -> list[str]:
    """A small and a large plugin."""
    plugins.small(root, "small")
    plugins.large(root, "large")
    return list(SIZES)


def first_answer(packages: Path | None, count: int) -> dict[str, Any]:
    """From the write to the first HTTP answer from new code, for each way and both sizes, in turn."""
    kinds = [OURS, *available(packages)]
    with contextlib.ExitStack() as stack:
        hosts = {kind: stack.enter_context(worlds.world(None, kind == OURS, both)) for kind in kinds}
        bench = stack.enter_context(Bench(hosts[OURS]))
        for kind in kinds[1:]:
            hosts[kind].probe(f"watch/{kind}?packages={packages or ''}")
        return {size: _race(hosts, bench, size, count) for size in SIZES}


def _race(hosts: dict[str, World], bench: Bench, size: str, count: int) -> dict[str, Any]:
    edited = {kind: Edited(world.root / "plugins" / size / "handler.py") for kind, world in hosts.items()}
    taken: dict[str, list[float | None]] = {kind: [] for kind in hosts}
    for number in range(count + 1):
        for kind, world in hosts.items():
            if kind == "polling" and number > max(count // 4, 3):
                continue  # slow, and always the same
            took = _once(world, bench if kind == OURS else None, edited[kind], LIMITS.get(kind, _LIMIT))
            if number:
                taken[kind].append(took)
    found = {kind: _result(hosts[kind], edited[kind], taken[kind]) for kind in hosts}
    ours = found[OURS]["median"]
    for kind in hosts:
        median = found[kind].get("median")
        found[kind]["times ours"] = round(median / ours, 2) if median else None
    return found


def _once(world: World, bench: Bench | None, edited: Edited, limit: float) -> float | None:
    def act() -> None:
        edited.edit(resized=True)
        if bench is not None:
            bench.editor.save(edited.file)

    path = f"/plugin/probe/mark/{edited.plugin}"
    return until_answered(world, path, edited.mark + 1, act, limit)


def _result(world: World, edited: Edited, taken: list[float | None]) -> dict[str, Any]:
    came = [each for each in taken if each is not None]
    found: dict[str, Any] = stats.summary(came) if came else {"n": 0}
    found["never came"] = len(taken) - len(came)
    found["routes too"] = world.text(f"/plugin/{edited.plugin}/") == str(edited.mark)
    return found


def engines(source: Path | None, write: Callable[[Path], list[str]], count: int) -> dict[str, Any]:
    """Our engine, the host's own ``reload_plugin`` and the import alone, in turn on two hosts, for each plugin.

    All three without transport and debounce: what each does once it has been told.
    """
    with worlds.world(source, True, write) as ours, worlds.world(source, False, write) as theirs, Bench(ours) as bench:
        names = [each for each in write_names(ours) if (ours.root / "plugins" / each / "handler.py").exists()]
        return {name: _engines(ours, theirs, bench, name, count) for name in names}


def write_names(world: World) -> list[str]:
    """The plugins of a host that are to be saved."""
    folders = sorted((world.root / "plugins").iterdir())
    names = [each.name for each in folders if (each / "plugin.json").exists()]
    return [each for each in names if each not in ("probe", "evonic_lsp", "hello")]


def _engines(ours: World, theirs: World, bench: Bench, name: str, count: int) -> dict[str, Any]:
    mine, other = (Edited(world.root / "plugins" / name / "handler.py") for world in (ours, theirs))
    saved: list[dict[str, float]] = []
    reloads, floors = [], []
    for number in range(count + 1):
        parts = bench.save(mine)
        other.edit(resized=True)
        reload = float(json.loads(theirs.probe(f"reload/{name}")))
        other.edit(resized=True)
        floor = float(json.loads(theirs.probe(f"floor/{name}") or "nan"))
        if number:
            saved.append(parts)
            reloads.append(reload)
            floors.append(floor)
    engine = [sum(each[part] for part in (*STEPS, "engine's rest")) for each in saved]
    found: dict[str, Any] = {
        "engine": stats.summary(engine),
        "reload_plugin": stats.summary(reloads),
        "floor": stats.summary(floors) if not any(each != each for each in floors) else None,
        "engine / reload_plugin": stats.ratio(engine, reloads),
        "parts": {part: round(statistics.median(each[part] for each in saved), 3) for part in saved[0]},
        "total": stats.summary([each["total"] for each in saved]),
        "beyond": stats.summary([each["beyond"] for each in saved]),
    }
    if found["floor"]:
        found["engine / floor"] = stats.ratio(engine, floors)
    return found
