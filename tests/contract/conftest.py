"""The hosts of the contract suite: of each kind one root, served in both ways at once for the whole session."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable, Iterator

import hosts
import pytest

_numbers = itertools.count(1)
# Runs code of a test inside the server; the code says what it found by setting `result`.
LOOKER = """
from flask import Blueprint, jsonify, request
def create_blueprint():
    blueprint = Blueprint("looker", __name__)
    @blueprint.route("/plugin/looker/run", methods=["POST"])
    def run():
        names = dict(request.get_json()["names"])
        exec(request.get_json()["code"], names)
        return jsonify(names["result"])
    return blueprint
"""
# Writes down each load of itself, and each registration of its blueprint.
TRACE = """
import json, os, sys
from flask import Blueprint
from backend.plugin_manager import register_tool_guard
def note(what, **more):
    with open(os.path.join(os.path.dirname(__file__), "trace.txt"), "a") as file:
        file.write(json.dumps(dict(more, what=what, pid=os.getpid())) + "\\n")
note(
    "loaded",
    name=__name__,
    package=__package__,
    manager_is_there=hasattr(sys.modules["backend.plugin_manager"], "plugin_manager"),
    app_is_there="app" in sys.modules,
)
def create_blueprint():
    blueprint = Blueprint("trace", __name__)
    blueprint.record(lambda state: note("registered", app=state.app.name))
    return blueprint
"""
CLI = """
import json, os, sys
def cli_show(**given):
    print(json.dumps({"given": given, "pid": os.getpid(), "name": __name__}))
    return 3
def cli_exit(status):
    sys.exit(int(status))
def cli_raise():
    raise LookupError("from the command")
"""
CLI_COMMANDS = [
    {
        "name": "clidemo",
        "help": "Help of the command",
        "subcommands": [
            {
                "name": "show",
                "handler": "cli_show",
                "arguments": [
                    {"name": "first"},
                    {"name": "second", "nargs": "?"},
                    {"name": "--dry-run", "action": "store_true"},
                    {"name": "--level", "short": "-l"},
                ],
            },
            {"name": "exit", "handler": "cli_exit", "arguments": [{"name": "status"}]},
            {"name": "raise", "handler": "cli_raise"},
            {"name": "missing", "handler": "cli_nowhere"},
        ],
    }
]
BROKEN = "VALUE = 1\nraise LookupError('broken on purpose')\n"
ROUTES = """
from flask import Blueprint, render_template
def create_blueprint():
    blueprint = Blueprint({id!r}, __name__)
    blueprint.route("/plugin/{id}/page")(lambda: render_template("{id}.html"))
    return blueprint
"""
SETTINGS = """
import sys
from models.db import db
for plugin in sys.argv[1:]:
    db.set_setting("plugin_enabled:" + plugin, "1")
"""


def fill(root: Path) -> None:
    """Writes and enables the plugins that must be there when the host starts."""
    shutil.copytree(hosts.INSPECTOR, root / "plugins" / "inspector")
    hosts.write_plugin(root, "looker", handler=LOOKER)
    hosts.write_plugin(root, "trace", handler=TRACE)
    hosts.write_plugin(root, "clidemo", handler=CLI, manifest={"cli_commands": CLI_COMMANDS})
    hosts.write_plugin(root, "clibroken", handler=BROKEN, manifest={"cli_commands": [_one_command("clibroken")]})
    hosts.write_plugin(root, "early", handler="", routes=ROUTES.format(id="early"))
    hosts.write_plugin(root, "early_off", handler="", routes=ROUTES.format(id="early_off"))
    for name in ("early", "early_off"):
        (root / "plugins" / name / "templates").mkdir()
        (root / "plugins" / name / "templates" / f"{name}.html").write_text(f"the page of {name}")
    (root / "plugins" / "badjson").mkdir()
    (root / "plugins" / "badjson" / "plugin.json").write_text('{"id": "badjson",')
    enabled = ["inspector", "looker", "trace", "clidemo", "clibroken", "early", "badjson"]
    command = [hosts.interpreter(root), "-c", SETTINGS, *enabled]
    subprocess.run(command, check=True, cwd=root, env=hosts.environment(), timeout=hosts.LIMIT)


def _one_command(name: str) -> dict[str, Any]:
    return {"name": name, "subcommands": [{"name": "run", "handler": "cli_run"}]}


@pytest.fixture(scope="session", autouse=True)
def runtime_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Ours alone: no test meets a host of the person who runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", str(tmp_path_factory.mktemp("rt")))
        yield


@pytest.fixture(scope="session")
def pair(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """Two servers of one root: `app` (``python app.py``) and `start` (``./evonic start``)."""
    root = hosts.make_root(kind, tmp_path_factory.mktemp(kind) / "root")
    fill(root)
    made = {way: hosts.RunningHost(root, way) for way in ("app", "start")}
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(hosts.RunningHost.start, made.values()))
        yield SimpleNamespace(root=root, **made)
    finally:
        for each in made.values():
            each.stop()


@pytest.fixture(scope="session")
def host(pair: SimpleNamespace) -> hosts.RunningHost:
    """The server that ``python app.py`` is."""
    return pair.app


@pytest.fixture(params=["app", "start"])
def any_host(request: pytest.FixtureRequest, pair: SimpleNamespace) -> hosts.RunningHost:
    """Each of the two servers."""
    return getattr(pair, request.param)


@pytest.fixture(scope="session")
def look_at() -> Callable[[hosts.RunningHost], Callable[..., Any]]:
    """look_at(host) -> look(code, **names): runs `code` in that server; what it sets `result` to."""

    def looking(host: hosts.RunningHost) -> Callable[..., Any]:
        return lambda code, **names: host.get("/plugin/looker/run", {"code": code, "names": names})

    return looking


@pytest.fixture
def look(host: hosts.RunningHost, look_at: Any) -> Callable[..., Any]:
    """The same for :func:`host`."""
    return look_at(host)


@pytest.fixture
def plugin(host: hosts.RunningHost) -> Iterator[Callable[..., str]]:
    """plugin(**files) -> the id of a new plugin, written and switched on in the running server."""
    made: list[str] = []

    def make(**files: Any) -> str:
        made.append(f"contract{next(_numbers)}")
        hosts.write_plugin(host.root, made[-1], **files)
        assert host.inspect("toggle", plugin=made[-1], enabled=True)
        return made[-1]

    yield make
    for each in made:
        host.inspect("toggle", plugin=each, enabled=False)
        shutil.rmtree(host.root / "plugins" / each, ignore_errors=True)


@pytest.fixture(scope="session")
def commands(pair: SimpleNamespace) -> Callable[..., Any]:
    """commands(*arguments): the finished ``./evonic …``; all that the tests need run at once, beforehand."""
    wanted = [
        ("clidemo", "show", "one", "-l", "3"),
        ("clidemo", "show", "one", "two", "--dry-run"),
        ("clidemo", "exit", "5"),
        ("clidemo", "raise"),
        ("clidemo", "missing"),
        ("clidemo", "nowhere"),
        ("clidemo",),
        ("clibroken", "run"),
        ("plugin", "list"),
        ("plugin", "enable", "nobody"),
        ("plugin", "enable", "badjson"),
        ("plugin", "install", "/nowhere/at/all"),
        ("nowhere",),
        (),
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        done = dict(zip(wanted, pool.map(lambda each: hosts.evonic(pair.root, *each), wanted)))
    return lambda *arguments: done[arguments]
