"""Plugins to be saved: a one-line one, one of kanban's size, one of many files; and an edit that can be told apart.

Each has a function ``mark()`` in its handler that returns the number of the last edit. The HTTP answer of its route
is the same number, so both ways in which new code reaches somebody can be watched.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import hosts

_MARK = re.compile(r"(?m)^(\s*return )\d+(  # mark)$")
_ROUTES = 26
_LINES = 3500

SMALL = """\
from flask import Blueprint

bp = Blueprint("{id}", __name__)


def mark():
    return 0  # mark


@bp.route("/plugin/{id}/")
def answer():
    return str(mark())


def create_blueprint():
    return bp
"""


def small(root: Path, plugin: str) -> Path:
    """One handler with one route; its handler file. A save changes one line of it."""
    return hosts.write_plugin(root, plugin, handler=SMALL.format(id=plugin)) / "handler.py"


def large(root: Path, plugin: str) -> Path:
    """As many lines, files and routes as kanban has, and as much to compile; the file to be saved."""
    handler = ['"""Generated, as large as kanban."""', "import json", "import re", "from . import db", ""]
    handler += ["", "def mark():", "    return 0  # mark", ""]
    folder = hosts.write_plugin(
        root,
        plugin,
        manifest={"events": ["turn_complete", "message_received"]},
        handler="\n".join([*handler, *_functions("step", 2090 - len(handler)), *_EVENTS]) + "\n",
        db="\n".join(['"""Its data."""', "import sqlite3", "", *_functions("row", 615)]) + "\n",
        routes=_routes(plugin),
    )
    written = sum(len(file.read_text().splitlines()) for file in folder.glob("*.py"))
    assert abs(written - _LINES) < 100, written
    return folder / "handler.py"


def many_files(root: Path, plugin: str, count: int) -> Path:
    """A small plugin with `count` modules, all imported; its handler."""
    folder = small(root, plugin).parent
    (folder / "parts").mkdir(exist_ok=True)
    (folder / "parts" / "__init__.py").write_text("")
    for number in range(count - 1):
        text = "\n".join(_functions(f"part{number}_", 20)) + "\n"
        (folder / "parts" / f"m{number}.py").write_text(text)
    imports = "\n".join(f"from .parts import m{number}" for number in range(count - 1))
    handler = folder / "handler.py"
    handler.write_text(imports + "\n" + handler.read_text())
    return handler


def settings(root: Path, **values: str) -> None:
    """Writes into the host's settings, in a process of the host: one for all of them."""
    code = "import json, sys\nfrom models.db import db\nfor item in json.load(sys.stdin).items(): db.set_setting(*item)"
    command = [hosts.interpreter(root), "-c", code]
    subprocess.run(
        command, cwd=root, input=json.dumps(values).encode(), check=True, env=hosts.environment(), capture_output=True
    )


def switch_on(root: Path, *plugins: str) -> None:
    """Enables plugins in the host, and opts them in to reload on save."""
    on = {f"plugin_enabled:{plugin}": "1" for plugin in plugins}
    settings(root, **on, **{f"hotreload:{plugin}": "1" for plugin in plugins})


class Edited:
    """A file that is edited again and again, each time to another text of another mark."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.plugin = file.parent.name
        self.mark = 10_000  # always as many digits: a typical edit keeps the size
        self._text = file.read_text("utf-8")

    def edit(self, resized: bool = False) -> int:
        """Writes the next version; its mark. A plugin without one, a bundled one say, gets a comment.

        `resized`: to another size than before. The ordinary import takes an edit of the same size within the same
        second for no edit at all, and is not to be timed while it does nothing.
        """
        self.mark += 1
        text, found = _MARK.subn(rf"\g<1>{self.mark}\g<2>", self._text)
        if not found:
            text = f"{self._text}\n# edit {self.mark}\n"
        if resized:
            text += "#" * (self.mark % 50 + 1) + "\n"
        self.file.write_text(text, "utf-8")
        return self.mark

    def spoil(self) -> None:
        """Writes a version that does not compile."""
        self.mark += 1
        self.file.write_text(f"{self._text}\ndef spoilt{self.mark}(:\n", "utf-8")


def _functions(name: str, lines: int) -> list[str]:
    """About `lines` lines of ordinary code."""
    found: list[str] = []
    number = 0
    while len(found) < lines:
        found += [
            "",
            f"def {name}{number}(given, *, limit={number}, title='n{number}'):",
            f'    """Number {number} of what was generated."""',
            "    found = {key: value for key, value in sorted(dict(given).items()) if value is not None}",
            "    for key, value in found.items():",
            "        if isinstance(value, (list, tuple)) and len(value) > limit:",
            "            raise ValueError(f'{title}: {key} has {len(value)} of at most {limit}')",
            "        elif isinstance(value, str):",
            "            found[key] = value.strip().lower()[:limit] or title",
            "    try:",
            "        return {'title': title, 'count': len(found), 'items': list(found)}",
            "    finally:",
            "        found.clear()",
            "",
        ]
        number += 1
    return found


_EVENTS = ["", "def on_turn_complete(event, sdk):", "    step1(event)", ""]
_EVENTS += ["", "def on_message_received(event, sdk):", "    step2(event)", ""]


def _routes(plugin: str) -> str:
    head = ['"""Its routes."""', "from flask import Blueprint, jsonify, request", "from . import db, handler", ""]
    head += ["", "def create_blueprint():", f"    bp = Blueprint({plugin!r}, __name__)", ""]
    head += [f'    @bp.route("/plugin/{plugin}/")', "    def answer():", "        return str(handler.mark())", ""]
    for number in range(_ROUTES - 1):
        methods = ("GET", "POST", "DELETE")[number % 3]
        head += [
            f'    @bp.route("/plugin/{plugin}/item{number}/<int:item>", methods=["{methods}"])',
            f"    def view{number}(item):",
            f"        found = db.row{number % 40}(request.args, limit={number})",
            "        return jsonify(found, item)",
            "",
        ]
    head += ["    return bp", ""]
    return "\n".join([*head, *_functions("helper", 785 - len(head))]) + "\n"
