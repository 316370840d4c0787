"""The command line as a process: usage, signals, pipes, encodings, what it imports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import types
from pathlib import Path

import pytest
from cli_helpers import FakeHost
from click.shell_completion import ShellComplete

from evonic_lsp.bridge import wire
from evonic_lsp.bridge.wire import LogEntry
from evonic_lsp.cli import main


@pytest.mark.parametrize(
    "wrong",
    [
        ("reload",),
        ("reload", "a", "b"),
        ("hotreload-enable", "a", "b"),
        ("hotreload-status", "a"),
        ("logs",),
        ("install",),
        ("install", "a", "b"),
        ("serve", "--tcp"),
        ("nonsense",),
        ("reload", "a", "--evonic"),
    ],
)
def test_wrong_usage(run, host, wrong):
    done = run(*wrong)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Error: " in done.stderr
    assert host.asked == []


def test_help_and_version(run):
    assert run("--version").stdout.startswith(f"evonic-lsp, version {wire.VERSION}\n")
    assert "hotreload-status" in run("--help").stdout


def test_the_versions_of_all_parts(run, host, root, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    extension = tmp_path / ".vscode" / "extensions" / "evonic.evonic-lsp-0.1.0-linux-x64"
    extension.mkdir(parents=True)
    (extension.parent / "evonic.evonic-lsp-none").mkdir()
    monkeypatch.chdir(root)
    _, libraries, installed, running, editor = run("--version").stdout.splitlines()
    assert "pygls 2." in libraries
    assert installed == f"bridge not installed in {root}"
    assert running == f"bridge {wire.VERSION} runs in {root} (pid {os.getpid()})"
    assert editor == f"VS Code extension 0.1.0 in {extension}"


def test_a_shell_completes_commands_and_plugins(root):
    for plugin in ("kanban", "kitchen", "other", wire.BRIDGE_ID):
        (root / "plugins" / plugin).mkdir()
        (root / "plugins" / plugin / "plugin.json").touch()
    shell = ShellComplete(main, {}, "evonic-lsp", "_EVONIC_LSP_COMPLETE")

    def complete(*words, begun=""):
        return [each.value for each in shell.get_completions(list(words), begun)]

    assert complete(begun="hotreload-s") == ["hotreload-status"]
    assert complete("reload", "--evonic", str(root), begun="k") == ["kanban", "kitchen"]
    assert complete("logs", "--evonic", str(root)) == ["kanban", "kitchen", "other"]
    assert complete("logs") == []


def python(*arguments: str, **options: object) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([sys.executable, *arguments], stdout=pipe, stderr=pipe, text=True, **options)  # type: ignore[call-overload,no-any-return]


def test_only_the_server_and_the_demo_import_the_lsp_libraries(host):
    code = (
        "import sys, evonic_lsp.cli as cli, evonic_lsp.doctor\n"
        "for arguments in (['--help'], ['hotreload-status'], ['doctor']):\n"
        "    try: cli.main(arguments)\n"
        "    except SystemExit: pass\n"
        "print(sorted({'pygls', 'lsprotocol', 'rich', 'flask'} & set(sys.modules)))"
    )
    out, err = python("-c", code).communicate(timeout=30)
    assert out.splitlines()[-1] == "[]", err


def test_as_a_module(host):
    process = python("-m", "evonic_lsp", "reload", "kanban")
    assert process.communicate(timeout=30) == ("kanban: reloaded (42 ms, generation 3)\n", "")
    assert process.returncode == 0


def test_ctrl_c_ends_it_quietly(host: FakeHost):
    host.answers["plugin/logs"] = [LogEntry("kanban", "2026", "info", "first")]
    process = python("-m", "evonic_lsp", "logs", "kanban", "--follow")
    assert process.stdout is not None
    assert "first" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 130


def test_a_reader_that_goes_away_is_no_error(host: FakeHost):
    host.answers["plugin/logs"] = [LogEntry("kanban", "2026", "info", "x" * 5000)] * 400
    process = python("-m", "evonic_lsp", "logs", "kanban")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 141
    assert process.stderr.read() == ""
    process.stderr.close()


def test_a_terminal_that_cannot_express_everything(host: FakeHost, root: Path):
    host.answers["plugin/logs"] = [LogEntry("kanban", "2026", "info", "naïve 日本")]
    process = python("-m", "evonic_lsp", "logs", "kanban", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    out, err = process.communicate(timeout=30)
    assert (out, err) == ("2026 info  na\\xefve \\u65e5\\u672c\n", "")


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_output(host: FakeHost, closed: str):
    command = f'"{sys.executable}" -m evonic_lsp hotreload-status {closed}'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["server", "demo"])
def test_serve_and_demo_are_loaded_when_they_are_asked_for(run, root, monkeypatch, name):
    module = types.ModuleType(f"evonic_lsp.{name}")
    asked: list[object] = []
    module.serve = lambda: asked.append("serve")  # type: ignore[attr-defined]
    module.demo = lambda where: asked.append(where) or 1  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    if name == "server":
        assert run("serve", "--stdio").exit_code == 0
        assert asked == ["serve"]
    else:
        assert run("demo", "--evonic", root).exit_code == 1
        assert run("demo").exit_code == 1
        assert asked == [root, None]
