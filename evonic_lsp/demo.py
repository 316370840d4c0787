"""``evonic-lsp demo``: the main job, end to end, watchable, in the terminal.

A host is started (the sandbox, or a copy of a real Evonic, which is left as it was found), a plugin is saved through
a real language server, reloaded, broken, and fixed. What an editor would show is shown.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, AsyncIterator, Dict, Iterator, List, Optional

from lsprotocol import types
from pygls.lsp.client import LanguageClient
from rich.console import Console, Group
from rich.rule import Rule
from rich.syntax import Syntax
from rich.text import Text

from .bridge import rendezvous, text, wire
from .install import InstallError, evonic, install
from .roots import check_root
from .sandbox import NEEDS_FLASK, create, has_flask

LIMIT = 30.0
PLUGIN = "greeting"
# Of a real Evonic only the code is copied: no environment, no data of its user.
_NOT_COPIED = {".venv", "venv", ".git", "data", "logs", "run", "shared", ".env", "node_modules"}
_MANIFEST = '{"id": "greeting", "name": "Greeting", "version": "1", "description": "Says hello", "events": []}\n'
_HANDLER = """\
from flask import Blueprint

bp = Blueprint("greeting", __name__)


@bp.route("/plugin/greeting/")
def hello():
    return "{text}"


def create_blueprint():
    return bp
"""
_GOOD = _HANDLER.format(text="Hello.")
_BETTER = _HANDLER.format(text="Hello, and welcome! 😋")
_BROKEN = _BETTER.replace("def hello():", "def hello(:")
_WORSE = _BETTER.replace("return bp", "return blueprint")


def demo(root: Optional[Path]) -> int:
    """Runs it; the exit status. Raises NotEvonic for a `root` that is none."""
    source = None if root is None else check_root(root)
    if source is None and not has_flask():
        print(f"The demo cannot run: {NEEDS_FLASK}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="evonic-lsp-demo-") as scratch, _private_runtime_dir(Path(scratch)):
        host = _Host(source, Path(scratch) / "evonic")
        try:
            asyncio.run(_Show(host).run())
        except (DemoFailed, InstallError, OSError, asyncio.TimeoutError) as error:
            print(text.clean(host.told_of_source(f"The demo failed: {_why(error)}\n{host.log()}")), file=sys.stderr)
            return 1
        finally:
            host.stop()
    return 0


def _why(error: Exception) -> str:
    return "nothing came back in time" if isinstance(error, (TimeoutError, asyncio.TimeoutError)) else str(error)


class DemoFailed(Exception):
    """Something did not come out as it should."""


def copy_evonic(source: Path, folder: Path) -> Path:
    """A copy of the code of the Evonic at `source`, with its Python environment linked in."""

    def ignore(here: str, names: List[str]) -> set[str]:
        return {"__pycache__"} | (_NOT_COPIED & set(names) if Path(here) == source else set())

    shutil.copytree(source, folder, ignore=ignore, symlinks=True, dirs_exist_ok=True)
    for name in (".venv", "venv"):
        if (source / name).exists():
            os.symlink(source / name, folder / name)
    return folder


class _Host:
    """A server process of its own, in a folder that goes away."""

    def __init__(self, source: Optional[Path], folder: Path) -> None:
        self.name = "the sandbox" if source is None else f"a copy of {source}"
        self._source, self.root = source, folder
        self._process: Optional[subprocess.Popen[bytes]] = None
        self.url = ""

    def prepare(self) -> Path:
        """Makes the root with the plugin in it; the plugin's folder."""
        if self._source is None:
            create(self.root)
        else:
            copy_evonic(self._source, self.root)
        folder = self.root / "plugins" / PLUGIN
        folder.mkdir()
        (folder / "plugin.json").write_text(_MANIFEST, "utf-8")
        (folder / "handler.py").write_text(_GOOD, "utf-8")
        return folder

    def enable(self) -> None:
        """``./evonic plugin enable greeting``"""
        evonic(self.root, "plugin", "enable", PLUGIN)

    def start(self) -> None:
        """Starts it, and waits until the bridge rings and HTTP answers."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        python = self.root / ".venv" / "bin" / "python"
        command = [str(python) if python.exists() else sys.executable, "app.py"]
        environment = {**self._environment(), "HOST": "127.0.0.1", "PORT": str(port)}
        (folder,) = rendezvous.usable_runtime_dirs()
        bell = rendezvous.Bell(folder)
        try:
            with open(self.root / "demo.log", "wb") as log:
                self._process = subprocess.Popen(
                    command, cwd=self.root, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            bell.socket.settimeout(LIMIT)
            bell.socket.recv(1)
        except OSError as error:
            raise DemoFailed("the host did not start") from error
        finally:
            bell.close()
        self._wait_for_http()

    def get(self) -> str:
        """What the plugin's route answers."""
        with urllib.request.urlopen(f"{self.url}/plugin/{PLUGIN}/", timeout=LIMIT) as answer:
            return str(answer.read().decode("utf-8"))

    def stop(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def log(self) -> str:
        """The last of what it has printed."""
        file = self.root / "demo.log"
        return file.read_text("utf-8", "replace")[-2000:] if file.exists() else ""

    def told_of_source(self, message: str) -> str:
        """A message about the copy as one about what it is a copy of, as it is there that something must be done."""
        return message if self._source is None else message.replace(str(self.root), str(self._source))

    def _wait_for_http(self) -> None:
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            try:
                self.get()
                return
            except urllib.error.HTTPError as error:
                raise DemoFailed(f"the plugin's route answers {error.code}") from error
            except OSError:
                time.sleep(0.02)  # the port opens a moment after the bell
        raise DemoFailed("the host does not answer")

    def _environment(self) -> Dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        return {**kept, "EVONIC_PYTHON": sys.executable}


class _Show:
    """The script of the demo, and the editor in it."""

    def __init__(self, host: _Host) -> None:
        self._host = host
        self._console = Console(highlight=False)
        self._file = Path()
        self._text = ""
        self._diagnostics: List[types.Diagnostic] = []
        self._statuses: List[Any] = []
        self._changed = asyncio.Event()
        self._times: List[float] = []

    async def run(self) -> None:
        began = time.monotonic()
        self._say(f"Starting {self._host.name} with the bridge installed")
        self._file = await asyncio.to_thread(self._set_up) / "handler.py"
        self._done(f"{self._host.url} answers {self._host.get()!r}")
        async with self._editor() as client:
            await self._save(client, _BETTER, "An edit, saved in the editor", "ok")
            self._expect(_BETTER, _text_of(_BETTER))
            await self._save(client, _BROKEN, "A slip of the finger, saved", "failed")
            self._expect(_BROKEN, _text_of(_BETTER))
            await self._save(client, _WORSE, "A name that does not exist", "failed")
            self._expect(_WORSE, _text_of(_BETTER))
            await self._save(client, _GOOD.replace("Hello.", "Fixed."), "Fixed", "ok")
            self._expect("", "Fixed.")
        self._console.print(Rule(style="dim"))
        each = ", ".join(f"{milliseconds:.0f}" for milliseconds in self._times)
        self._console.print(
            f"From each save to its outcome: [bold]{each} ms[/] (50 ms of them the debounce). "
            f"No restart in {time.monotonic() - began:.0f} s."
        )

    def _set_up(self) -> Path:
        folder = self._host.prepare()
        self._host.enable()
        install(self._host.root)
        self._host.start()
        return folder

    @contextlib.asynccontextmanager
    async def _editor(self) -> AsyncIterator[LanguageClient]:
        """A language server in a process of its own, as an editor has it; its plugin is opted in by the question."""
        client = LanguageClient("evonic-lsp demo", wire.VERSION)
        self._listen(client)
        await client.start_io(sys.executable, "-m", "evonic_lsp", "serve", "--stdio")
        capabilities = types.ClientCapabilities(
            text_document=types.TextDocumentClientCapabilities(
                publish_diagnostics=types.PublishDiagnosticsClientCapabilities(related_information=True)
            )
        )
        await client.initialize_async(types.InitializeParams(capabilities))
        client.initialized(types.InitializedParams())
        document = types.TextDocumentItem(self._file.as_uri(), "python", 1, _GOOD)
        client.text_document_did_open(types.DidOpenTextDocumentParams(document))
        try:
            yield client
        finally:
            await client.shutdown_async(None)
            client.exit(None)
            await client.stop()  # type: ignore[no-untyped-call]

    def _listen(self, client: LanguageClient) -> None:
        def publish(params: types.PublishDiagnosticsParams) -> None:
            self._diagnostics = list(params.diagnostics)

        def status(params: Any) -> None:
            self._statuses.append(params)
            self._changed.set()

        def ask(params: types.ShowMessageRequestParams) -> types.MessageActionItem:
            actions = params.actions or []
            shown = "  ".join(f"[bold underline]{action.title}[/]" for action in actions)
            self._console.print(f"    [bold cyan]?[/] {params.message}\n      {shown}  [dim]→ {actions[0].title}[/]")
            return actions[0]

        client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)(publish)
        client.feature("evonic/status")(status)
        client.feature(types.WINDOW_SHOW_MESSAGE_REQUEST)(ask)
        client.feature(types.WINDOW_LOG_MESSAGE)(lambda params: None)

    async def _save(self, client: LanguageClient, text: str, title: str, state: str) -> None:
        self._say(title)
        self._text = text
        self._file.write_text(text, "utf-8")
        self._statuses.clear()
        began = time.perf_counter()
        document = types.TextDocumentIdentifier(self._file.as_uri())
        client.text_document_did_save(types.DidSaveTextDocumentParams(document))
        status = await asyncio.wait_for(self._outcome(), LIMIT)
        took = (time.perf_counter() - began) * 1000
        if status.state != state:
            raise DemoFailed(f"the status is {status.state}: {status.message}")
        if self._times or state != "ok":  # the first one waited for the answer to a question
            self._times.append(took)
        sign = "[green]✓[/]" if state == "ok" else "[red]✗[/]"
        self._console.print(f"    {sign} {PLUGIN} {status.message} [dim]({took:.0f} ms after the save)[/]")
        self._pause()

    async def _outcome(self) -> Any:
        while True:
            for status in self._statuses:
                if status.plugin == PLUGIN and status.state in ("ok", "failed"):
                    return status
            self._changed.clear()
            await self._changed.wait()

    def _expect(self, shown: str, answer: str) -> None:
        """Shows the file as an editor would, with what is wrong, and what the server answers meanwhile."""
        for diagnostic in self._diagnostics:
            self._console.print(_as_shown(self._text, diagnostic))
        got = self._host.get()
        if got != answer:
            raise DemoFailed(f"the server answers {got!r} instead of {answer!r}")
        what = "the old version still answers" if self._diagnostics else "the server answers"
        self._done(f"{what} {got!r}")

    def _say(self, text: str) -> None:
        self._console.print(Rule(f"[bold]{text}[/]", align="left", style="dim"))

    def _done(self, text: str) -> None:
        self._console.print(f"    [green]→[/] {text}")
        self._pause()

    def _pause(self) -> None:
        if self._console.is_terminal:
            time.sleep(1.2)  # for whoever watches


def _as_shown(text: str, diagnostic: types.Diagnostic) -> Group:
    """The lines around a diagnostic, with a squiggle under its range. The language server speaks UTF-16 here."""
    lines = text.split("\n")
    number, line = diagnostic.range.start.line, lines[diagnostic.range.start.line]
    units = line.encode("utf-16-le")
    end = diagnostic.range.end
    end_units = end.character * 2 if end.line == number else len(units)
    start = len(units[: diagnostic.range.start.character * 2].decode("utf-16-le"))
    width = len(units[:end_units].decode("utf-16-le")) - start

    def code(first: int, last: int) -> Syntax:
        return Syntax(text, "python", line_numbers=True, line_range=(first, last), background_color="default")

    message = f"{diagnostic.source} [{diagnostic.code}] {diagnostic.message}"
    return Group(
        code(number, number + 1),
        Text(" " * (5 + start) + "~" * max(width, 1), "bold red"),
        Text(" " * 5 + message, "red"),
        code(number + 2, number + 2),
    )


def _text_of(handler: str) -> str:
    return handler.split('return "')[1].split('"')[0]


@contextlib.contextmanager
def _private_runtime_dir(scratch: Path) -> Iterator[None]:
    """The demo meets neither the hosts nor the editors of the person who runs it."""
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(scratch)
    try:
        yield
    finally:
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
