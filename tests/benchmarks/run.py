"""``make bench``: every figure that the README shows, measured in one run.

``--evonic DIR`` adds a copy of a real Evonic (it is left as it was found); ``--quick`` takes fewer samples; ``--only``
measures some parts. Nothing but a whole run, in a real Evonic and with the rivals, writes ``results.json``,
``results.md`` and ``results.svg`` beside this file, and the section "Measured" of the README.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import sys
import time
from pathlib import Path
from typing import Any, Callable

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import footprint  # noqa: E402
import growth  # noqa: E402
import readme  # noqa: E402
import report  # noqa: E402
import rivals  # noqa: E402
import saves  # noqa: E402
import stats  # noqa: E402
import worlds  # noqa: E402
from plugins import Edited  # noqa: E402
from rich.console import Console  # noqa: E402

RIVALS = HERE.parents[1] / ".cache" / "bench"


def main() -> int:
    """Runs it; 0 whatever the figures are, as a busy machine is nobody's fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evonic", type=Path, help="an Evonic to copy and measure in as well")
    parser.add_argument("--quick", action="store_true", help="fewer samples: under 3 minutes")
    parser.add_argument("--rivals", type=Path, default=RIVALS, help="where watchfiles and jurigged are installed")
    parser.add_argument("--only", nargs="+", metavar="PART", help="only these parts")
    options = parser.parse_args()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    found: dict[str, Any] = {"machine": _machine(), "quick": options.quick}
    with worlds.runtime_dir():
        for name, measure in _parts(options).items():
            if options.only and name not in options.only:
                continue
            began = time.perf_counter()
            console.print(f"[dim]measuring: {name} …[/]", end=" ")
            found[name] = measure()
            console.print(f"[dim]{time.perf_counter() - began:.0f} s[/]")
    found["goals"] = _goals(found)
    report.show(found, console)
    missing = _missing(options)
    if missing:
        console.print(f"Nothing is written, as this run {'; '.join(missing)}.")
    else:
        (HERE / "results.json").write_text(json.dumps(found, indent=1) + "\n")
        (HERE / "results.md").write_text(report.markdown(found))
        (HERE / "results.svg").write_text(report.svg(found))
        readme.write(found, HERE.parents[1] / "README.md")
    return 0


def _missing(options: argparse.Namespace) -> list[str]:
    """Why the figures of this run are not those to publish."""
    reasons = {
        "was quick": options.quick,
        "measured some parts only": options.only,
        "was without an Evonic (EVONIC=DIR)": options.evonic is None,
        "was without watchfiles and jurigged": not options.rivals.is_dir(),
    }
    return [reason for reason, applies in reasons.items() if applies]


def _parts(options: argparse.Namespace) -> dict[str, Callable[[], Any]]:
    quick, source = options.quick, options.evonic.resolve() if options.evonic else None
    packages = options.rivals.resolve() if options.rivals.is_dir() else None
    parts: dict[str, Callable[[], Any]] = {
        "saves": lambda: _saves(40 if quick else 200),
        "first answer": lambda: rivals.first_answer(packages, 8 if quick else 30),
        "engines": lambda: rivals.engines(None, rivals.both, 15 if quick else 60),
        "growth": lambda: _growth(quick),
        "burst": lambda: growth.burst(10_000, 2 if quick else 5),
        "starts": lambda: _starts(source, 2 if quick else 7),
        "rest": lambda: footprint.rest(None, 5 if quick else 60),
    }
    if source is not None:
        parts["bundled"] = lambda: rivals.engines(source, _bundled, 5 if quick else 25)
    return parts


def _saves(count: int) -> dict[str, Any]:
    """A save, a broken save, and a save watched by HTTP, of each size."""
    found: dict[str, Any] = {}
    with worlds.world(None, True, rivals.both) as world, saves.Bench(world) as bench:
        for size in rivals.SIZES:
            file = world.root / "plugins" / size / "handler.py"
            found[size] = saves.summaries(saves.series(bench, file, count))
            edited = Edited(file)
            edited.mark += 10_000
            broken = [_diagnostic(bench, edited) for _ in range(count // 4)]
            found[size]["diagnostic"] = stats.summary(broken)
            answers = [_answer(world, bench, edited) for _ in range(count // 4)]
            found[size]["answer"] = stats.summary(answers)
    return found


def _diagnostic(bench: saves.Bench, edited: Edited) -> float:
    bench.save(edited)  # what is shown already would not be published again
    return bench.save(edited, broken=True)["diagnostic"]


def _answer(world: worlds.World, bench: saves.Bench, edited: Edited) -> float:
    path, mark = f"/plugin/{edited.plugin}/", edited.mark + 1
    took = saves.until_answered(world, path, mark, lambda: bench.save(edited), 10)
    assert took is not None, f"{edited.plugin} never answered from its new code"
    return took


def _growth(quick: bool) -> dict[str, Any]:
    few = 8 if quick else 30
    return {
        "plugins in the host": growth.in_host([1, 10, 100, 1000], few),
        "files of the plugin": growth.in_plugin([1, 10, 100, 1000], few),
        "editors at the host": growth.editors([1, 10] if quick else [1, 10, 50], few),
    }


def _starts(source: Path | None, times: int) -> dict[str, Any]:
    found = {"sandbox": footprint.starts(None, times)}
    if source is not None:
        found["Evonic"] = footprint.starts(source, times)
    return found


def _bundled(root: Path) -> list[str]:
    folders = sorted((root / "plugins").iterdir())
    return [each.name for each in folders if (each / "handler.py").exists() and (each / "plugin.json").exists()]


def _goals(found: dict[str, Any]) -> list[dict[str, Any]]:
    goals: list[dict[str, Any]] = []

    def goal(what: str, limit: str, measured: str, met: bool) -> None:
        goals.append({"what": what, "limit": limit, "measured": measured, "met": met})

    if "saves" in found:
        beyond = found["saves"]["small"]["beyond"]
        what = "small plugin, beyond debounce and import"
        goal(f"{what}, median", "5 ms", f"{beyond['median']:.1f} ms", beyond["median"] <= 5)
        goal(f"{what}, p99", "15 ms", f"{beyond['p99']:.1f} ms", beyond["p99"] <= 15)
    kanban = found.get("bundled", {}).get("kanban") or found.get("engines", {}).get("large")
    if kanban:
        name = "kanban" if "kanban" in found.get("bundled", {}) else "kanban's size"
        share = kanban["engine / reload_plugin"]
        goal(f"{name}: our engine / the host's own reload", "1", f"{share:.2f}", share <= 1)
    if "growth" in found:
        rows = found["growth"]["plugins in the host"]
        most, least = rows["1000"]["beyond"]["median"], rows["1"]["beyond"]["median"]
        goal("1,000 plugins: more than with 1", "2 ms", f"{most - least:.1f} ms", most - least <= 2)
    if "rest" in found:
        idle = found["rest"]["cpu ms"]
        spent = max(value for name, value in idle.items() if name.startswith(("language", "the bridge")))
        limit = found["rest"]["seconds"] / 60
        goal("CPU at rest, server and bridge", f"{limit:.1f} ms", f"{spent:.2f} ms", spent <= limit)
    return goals


def _machine() -> dict[str, Any]:
    try:
        model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    except OSError:
        model = None
    return {
        "date": datetime.date.today().isoformat(),
        "processors": os.cpu_count(),
        "model": model.group(1) if model else platform.machine(),
        "python": platform.python_version(),
        "load": f"{os.getloadavg()[0]:.1f}",
    }


if __name__ == "__main__":
    sys.exit(main())
