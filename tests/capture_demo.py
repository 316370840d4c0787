"""Makes ``editors/demo.svg``, the animated picture of ``make demo`` in the README: ``python tests/capture_demo.py``."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.terminal_theme import MONOKAI

from evonic_lsp import demo

TARGET = Path(__file__).parent.parent / "editors" / "demo.svg"
WIDTH = 96
# Seconds after the last line before it begins anew.
REST = 6.0


class Recorder(Console):
    """A console that notes when each of its lines came."""

    def __init__(self, **options: Any) -> None:
        super().__init__(record=True, width=WIDTH, force_terminal=True, **options)
        self.started = time.monotonic()
        self.times: list[float] = []

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*objects, **options)
        lines = self.export_text(clear=False).count("\n")
        self.times += [time.monotonic() - self.started] * (lines - len(self.times))


def animated(svg: str, times: list[float]) -> str:
    """Lets each line of Rich's picture appear at its time."""
    whole = times[-1] + REST
    rules = []
    for number, at in enumerate(times):
        part = 100 * at / whole
        rules.append(f"@keyframes l{number}{{0%,{part:.2f}%{{opacity:0}}{part + 0.01:.2f}%,100%{{opacity:1}}}}")
        rules.append(f".l{number}{{animation:l{number} {whole:.1f}s infinite step-end}}")
    svg = re.sub(r'<text class="([^"]*)"([^>]*-line-(\d+)\)")', r'<text class="\1 l\3"\2', svg)
    still = "@media (prefers-reduced-motion:reduce){text{animation:none!important}}"
    return svg.replace("</style>", "\n".join([*rules, still]) + "\n</style>", 1)


def main() -> None:
    recorders: list[Recorder] = []

    def console(**options: Any) -> Recorder:
        recorders.append(Recorder(**options))
        return recorders[-1]

    demo.Console = console  # type: ignore[misc, assignment]
    if demo.demo(None):
        raise SystemExit(1)
    recorder = recorders[0]
    svg = recorder.export_svg(title="make demo", theme=MONOKAI)
    TARGET.write_text(animated(svg, recorder.times), "utf-8")
    print(f"{TARGET}: {len(recorder.times)} lines, {TARGET.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    main()
