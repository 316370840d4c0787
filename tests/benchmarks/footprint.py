"""What it costs to have it: starts, memory, and CPU while nothing happens. Linux only: it reads ``/proc``."""

from __future__ import annotations

import contextlib
import json
import re
import time
from pathlib import Path
from typing import Any

import stats
import worlds
from editor import Editor
from rivals import both
from worlds import World


def starts(source: Path | None, times: int) -> dict[str, Any]:
    """A host's start without the bridge and with it, in turn; and a language server's."""
    plain, bridged, servers = [], [], []
    for _ in range(times):
        for bridge, into in ((False, plain), (True, bridged)):
            with worlds.world(source, bridge, both) as world:
                world.running.stop()
                into.append(world.start() * 1000)  # the second start: bytecode is there
                if bridge:
                    editor = Editor(world.root)
                    servers.append(editor.started * 1000)
                    editor.close()
    added = [one - other for one, other in zip(bridged, plain)]
    return {
        "host without bridge": stats.summary(plain),
        "host with bridge": stats.summary(bridged),
        "added by the bridge": stats.summary(added),
        "language server": stats.summary(servers),
    }


def rest(source: Path | None, seconds: float) -> dict[str, Any]:
    """Memory, and CPU while nothing happens for so many seconds: a host without the bridge, one with it that nobody is
    connected to, one with an editor, and that editor's language server; all at the same time."""
    with contextlib.ExitStack() as opened:
        plain = opened.enter_context(worlds.world(source, False, both))
        alone = opened.enter_context(worlds.world(source, True, both))
        busy = opened.enter_context(worlds.world(source, True, both))
        editor = Editor(busy.root).connected()
        lonely = Editor(Path(worlds.__file__).parent)  # no host of its own
        pids = {
            "host without bridge": plain.pid,
            "host with bridge": alone.pid,
            "host with bridge, an editor connected": busy.pid,
            "language server, connected": editor.process.pid,
            "language server, no host": lonely.process.pid,
        }
        try:
            time.sleep(2)
            threads = {name: _threads(world) for name, world in (("alone", alone), ("connected", busy))}
            before = {name: _cpu(pid) for name, pid in pids.items()}
            bridge_before = {name: _of(world.pid, threads[name]) for name, world in _named(alone, busy)}
            time.sleep(seconds)
            idle = {name: round((_cpu(pid) - before[name]) * 1000, 3) for name, pid in pids.items()}
            for name, world in _named(alone, busy):
                spent = _of(world.pid, threads[name]) - bridge_before[name]
                idle[f"the bridge's own threads, {name}"] = round(spent * 1000, 3)
            return {"seconds": seconds, "cpu ms": idle, "memory MB": {name: _memory(pid) for name, pid in pids.items()}}
        finally:
            editor.close()
            lonely.close()


def _named(alone: World, busy: World) -> list[tuple[str, World]]:
    return [("alone", alone), ("connected", busy)]


def _threads(world: World) -> list[int]:
    return list(json.loads(world.probe("threads")).values())


def _of(pid: int, threads: list[int]) -> float:
    return sum(_spent(Path(f"/proc/{pid}/task/{thread}/schedstat")) for thread in threads)


def _cpu(pid: int) -> float:
    """Seconds on a processor, of all threads."""
    return sum(_spent(each / "schedstat") for each in Path(f"/proc/{pid}/task").iterdir())


def _spent(file: Path) -> float:
    try:
        return int(file.read_text().split()[0]) / 1e9
    except OSError:  # the thread has ended
        return 0.0


def _memory(pid: int) -> float:
    """Megabytes that the process alone accounts for: what it shares is divided among those who share it."""
    found = re.search(r"(?m)^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text())
    return round(int(found.group(1)) / 1024, 1) if found else 0.0
