"""One save after another through a language server, taken apart into where its time went."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any, Callable

import stats
from editor import Ear, Editor, Late
from plugins import Edited
from worlds import World

from evonic_lsp.bridge import wire

DEBOUNCE = 50.0
# What the engine tells of itself, in order.
STEPS = ("snapshot", "check", "import", "validate", "commit", "retire", "holders")
PARTS = ("transport", "debounce", "queue", *STEPS, "engine's rest", "publish")
_DONE = ("ok", "failed")
# Seconds between saves: what follows a save (a comparison of the manifest, say) is not part of the next one.
_PACE = 0.1


class Bench:
    """An editor at a host, and an ear at the bridge."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.editor = Editor(world.root).connected()
        self.ear = Ear(world.root)

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self.ear.close()
        self.editor.close()

    def save(self, edited: Edited, broken: bool = False) -> dict[str, float]:
        """Milliseconds of one save, by part; ``total`` from didSave to the outcome in the editor."""
        (edited.spoil if broken else edited.edit)()
        mark, heard = len(self.editor.events), len(self.ear.outcomes)
        began = self.editor.save(edited.file)
        pending, _ = self.editor.status(edited.plugin, ("pending",), mark)
        asked, _ = self.editor.status(edited.plugin, ("reloading",), mark)
        ended, _ = self.editor.status(edited.plugin, _DONE, mark)
        outcome = self.ear.after(edited.plugin, heard)
        expected = wire.REJECTED if broken else wire.RELOADED
        if outcome["status"] != expected:
            raise Late(f"{edited.plugin}: {outcome['status']} instead of {expected}: {outcome['message']}")
        parts = _parts(began, pending, asked, ended, outcome)
        if broken:
            parts["diagnostic"] = (self._published(mark) - began) * 1000
        time.sleep(_PACE)
        return parts

    def _published(self, mark: int) -> float:
        def wanted(method: str, params: Any) -> bool:
            return method == "textDocument/publishDiagnostics" and bool(params["diagnostics"])

        return self.editor.wait(wanted, mark)[0]


def _parts(began: float, pending: float, asked: float, ended: float, outcome: dict[str, Any]) -> dict[str, float]:
    """The sum of the parts is the total: each ends where the next begins."""
    engine_began = outcome["at"] - outcome["durationMs"] / 1000
    timings = {step: outcome["timings"].get(step, 0.0) for step in STEPS}
    parts = {
        "transport": (pending - began) * 1000,
        "debounce": (asked - pending) * 1000,
        "queue": (engine_began - asked) * 1000,
        **timings,
        "engine's rest": outcome["durationMs"] - sum(timings.values()),
        "publish": (ended - outcome["at"]) * 1000,
        "total": (ended - began) * 1000,
    }
    # The timer's own lateness is ours to answer for: what is allowed is what was asked for.
    parts["beyond"] = parts["total"] - DEBOUNCE - parts["import"]
    return parts


def until_answered(world: World, path: str, mark: int, act: Callable[[], Any], limit: float) -> float | None:
    """Milliseconds from `act()` to the first HTTP answer from new code; None if there was none within the limit.

    Somebody asks again and again, a millisecond after each answer, as a browser that reloads would.
    """
    found = threading.Event()
    when = [0.0]
    ready, stop = threading.Event(), threading.Event()

    def ask() -> None:
        while not stop.is_set():
            answer = world.text(path)
            if answer == str(mark):
                when[0] = time.perf_counter()
                found.set()
                return
            ready.set()
            time.sleep(0.001)

    asking = threading.Thread(target=ask)
    asking.start()
    ready.wait(limit)
    began = time.perf_counter()
    act()
    found.wait(limit)
    stop.set()
    asking.join()
    return (when[0] - began) * 1000 if found.is_set() else None


def series(bench: Bench, file: Path, count: int, warm: int = 2) -> list[dict[str, float]]:
    """`count` saves, after `warm` that are not counted."""
    edited = Edited(file)
    found = [bench.save(edited) for _ in range(warm + count)]
    return found[warm:]


def summaries(samples: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """For each part, its figures."""
    return {part: stats.summary([each[part] for each in samples]) for part in samples[0]}
