"""The VS Code extension, packaged, in the real VS Code: inside its extension host, and as a person in the browser."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import hosts
import pytest

from evonic_lsp.install import install

HERE = Path(__file__).parent
PROJECT = HERE.parent.parent
DIR = Path(os.environ.get("EVONIC_LSP_VSCODE") or PROJECT / ".cache" / "vscode")
ROUTES = """from flask import Blueprint


def create_blueprint():
    blueprint = Blueprint("{plugin}", __name__)

    @blueprint.route("/plugin/{plugin}/")
    def index():
        from . import handler

        return handler.WORD

    @blueprint.route("/plugin/{plugin}/emit")
    def emit():
        from backend.event_stream import event_stream

        event_stream.emit("message_received", {{"text": "hello"}})
        return "emitted"

    return blueprint
"""
HANDLER = 'WORD = "zero"\n'
PLUGINS = ("greeter", "shy", "linked")
pytestmark = pytest.mark.timeout(300)


def lacking() -> str:
    """What is missing for these tests; empty if nothing is."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if shutil.which("node") is None:
        return "node is not installed"
    if chromium is None:
        return "chromium is not installed"
    if not (DIR / "evonic-lsp.vsix").exists():
        return f"{DIR} is not set up; run tests/vscode/setup.sh {DIR}"
    return ""


@pytest.fixture(scope="session", autouse=True)
def everything_is_there() -> None:
    missing = lacking()
    if missing and os.environ.get("EVONIC_LSP_REQUIRE_EDITORS") == "1":
        pytest.fail(f"the VS Code tests cannot run: {missing}", pytrace=False)
    if missing:
        pytest.skip(f"the VS Code tests do not run: {missing}")


class Control:
    """Lets the scripts stop and start the host: ``POST /stop``, ``/start``, ``/port``."""

    def __init__(self, host: hosts.RunningHost) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                if self.path == "/stop":
                    host.stop()
                elif self.path == "/start":
                    host.start()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(str(host.port).encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def script(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """script(name) runs a node script of this folder on a running host of its own with some plugins, `linked` as a
    link to a folder elsewhere; its output. `bridge` says whether the bridge is installed."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "rt"))
    ends = []

    def run(name: str, *, bridge: bool = True, start: bool = True, plugins: tuple[str, ...] = PLUGINS) -> str:
        root = hosts.make_root(kind, tmp_path / "evonic")
        version = root / "VERSION"
        version.write_text(version.read_text().replace("+sandbox", ""))  # it is in the pictures
        elsewhere = tmp_path / "linked"
        for plugin in plugins:
            hosts.write_plugin(root, plugin, handler=HANDLER, routes=ROUTES.format(plugin=plugin))
        if "linked" in plugins:
            shutil.move(root / "plugins" / "linked", elsewhere)
            (root / "plugins" / "linked").symlink_to(elsewhere)
        for plugin in plugins:
            assert hosts.evonic(root, "plugin", "enable", plugin).returncode == 0
        if bridge:
            install(root)
        host = hosts.RunningHost(root)
        ends.append(host.stop)
        if start:
            host.start()
        control = Control(host)
        ends.append(control.server.shutdown)
        return node(name, configuration(root, elsewhere, control.url, tmp_path))

    yield run
    for end in reversed(ends):
        end()


def configuration(root: Path, elsewhere: Path, control: str, tmp_path: Path) -> dict[str, str]:
    shots = Path(os.environ.get("EVONIC_LSP_SHOTS") or DIR / "shots")
    shots.mkdir(parents=True, exist_ok=True)
    plain = [shutil.which("python3", path=each) for each in ("/usr/bin", "/usr/local/bin")]
    return {
        "project": str(PROJECT),
        "dir": str(DIR),
        "vsix": str(DIR / "evonic-lsp.vsix"),
        "chromium": str(shutil.which("chromium") or shutil.which("chromium-browser")),
        "python": sys.executable,
        "plainPython": next((each for each in plain if each), "python3"),
        "root": str(root),
        "elsewhere": str(elsewhere),
        "control": control,
        "work": str(tmp_path / "work"),
        "shots": str(shots),
    }


def node(name: str, config: dict[str, str]) -> str:
    """Runs a script, and shows what it printed if it fails."""
    env = {**hosts.environment(), "EVONIC_TEST": json.dumps(config)}
    # A PATH without the environment that these tests run in: the extension is to find the server by itself.
    own = str(Path(sys.executable).parent)
    env["PATH"] = os.pathsep.join(each for each in env["PATH"].split(os.pathsep) if each != own)
    done = subprocess.run(
        ["node", str(HERE / name)], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=280
    )
    print(done.stdout)
    if done.returncode != 0:
        pytest.fail(f"{name} ended with {done.returncode}:\n{done.stdout}", pytrace=False)
    return done.stdout


def test_inside_the_extension_host(script) -> None:
    output = script("inside.mjs")
    assert " 0 failed" in output
    for abandoned in ("Pending response rejected", "can't be stopped"):  # promises of a start that failed
        assert abandoned not in output


def test_what_is_offered_when_and_that_trust_comes_first(script) -> None:
    assert "nothing runs in a workspace that is not trusted" in script("offers.mjs")


def test_as_a_person_in_the_browser(script) -> None:
    assert "without a host: the welcome view" in script("person.mjs", plugins=("greeter", "reminders"))


def test_a_hostile_host_makes_no_links_and_opens_nothing_outside(script) -> None:
    assert "no link: what a command printed" in script("hostile.mjs", bridge=False, start=False)
