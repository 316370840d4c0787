"""Making a sandbox, and what only the sandbox has: its page, its way into the background."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import urllib.request
from pathlib import Path

import hosts
import pytest

from evonic_lsp import sandbox
from evonic_lsp.install import is_same
from evonic_lsp.sandbox.__main__ import main


@pytest.fixture
def root(tmp_path):
    return sandbox.create(tmp_path / "a folder" / "root")


def test_it_has_what_an_evonic_root_has_and_nothing_is_enabled(root):
    assert {"app.py", "evonic", "VERSION", "backend", "cli", "models", "plugins", "run"} <= set(os.listdir(root))
    assert os.access(root / "evonic", os.X_OK)
    assert not list(root.rglob("__pycache__"))
    done = hosts.evonic(root, "plugin", "list")
    assert done.returncode == 0
    assert re.search(r"^hello .* disabled ", done.stdout, re.M)


def test_again_it_renews_the_code_and_keeps_what_is_the_users(root):
    assert hosts.evonic(root, "plugin", "enable", "hello").returncode == 0
    (root / "plugins" / "hello" / "handler.py").write_text("MINE = 1\n")
    hosts.write_plugin(root, "mine", handler="")
    (root / "app.py").write_text("an old version")
    assert sandbox.create(root) == root
    assert (root / "plugins" / "hello" / "handler.py").read_text() == "MINE = 1\n"
    assert (root / "plugins" / "mine" / "handler.py").exists()
    assert "Flask" in (root / "app.py").read_text()
    assert re.search(r"^hello .* enabled ", hosts.evonic(root, "plugin", "list").stdout, re.M)


def test_a_plugins_folder_that_is_there_is_kept_as_it_is(tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "plugins").symlink_to(shared)
    sandbox.create(tmp_path / "root")
    assert list(shared.iterdir()) == []
    assert (tmp_path / "root" / "plugins").is_symlink()


def test_another_application_is_left_alone(tmp_path):
    (tmp_path / "app.py").write_text("the real thing")
    (tmp_path / "VERSION").write_text("v0.3.49")
    with pytest.raises(sandbox.NotASandbox):
        sandbox.create(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["VERSION", "app.py"]
    assert not sandbox.is_sandbox(tmp_path)


def test_the_command_says_how_to_start_it(tmp_path, capsys):
    assert main([str(tmp_path / "made")]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 5
    assert str(tmp_path / "made") in printed[0]
    assert sandbox.is_sandbox(tmp_path / "made")


@pytest.mark.parametrize(("arguments", "status"), [([], 2), (["--help"], 2), (["a", "b"], 2), ([__file__], 1)])
def test_the_command_refuses(arguments, status, capsys):
    assert main(arguments) == status
    assert capsys.readouterr().err


def test_what_the_command_prints_works(tmp_path):
    command = [sys.executable, "-m", "evonic_lsp.sandbox", "it's here"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=hosts.LIMIT)
    _, *typed, _ = done.stdout.splitlines()
    assert "./evonic start --port 8080" in typed[-1]
    script = "\n".join(typed).replace("./evonic start --port 8080", "./evonic hello greet You --loud")
    said = subprocess.run(["sh", "-ec", script], capture_output=True, text=True, check=True, timeout=hosts.LIMIT)
    assert said.stdout.splitlines()[-1] == "HELLO, YOU!"
    assert is_same(tmp_path / "it's here" / "plugins" / "evonic_lsp")


def test_its_code_runs_on_the_python_that_evonic_promises():
    """Nothing newer than 3.8 in its syntax, nothing but Flask beside the standard library."""
    import ast

    allowed = {"backend", "cli", "models", "config", "app", "flask", "jinja2"} | set(sys.stdlib_module_names)
    files = list((Path(sandbox.__file__).parent / "host").rglob("*.py"))
    assert len(files) > 10
    for file in files:
        tree = ast.parse(file.read_text(), feature_version=(3, 8))
        for node in ast.walk(tree):
            names = [each.name for each in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [str(node.module)]
            assert {name.partition(".")[0] for name in names} <= allowed, file


def test_the_sample_plugin_and_the_page(root):
    assert hosts.evonic(root, "plugin", "enable", "hello").returncode == 0
    host = hosts.RunningHost(root).start()
    try:
        address = f"http://127.0.0.1:{host.port}"
        with urllib.request.urlopen(address + "/plugin/hello/") as answer:
            assert answer.read() == b"Hello, web!"
        with urllib.request.urlopen(address + "/") as answer:
            page = answer.read().decode()
        assert 'data-plugin="hello"' in page
        assert "Messages heard" in page
        assert [each["enabled"] for each in host.get("/api/plugins")["plugins"]] == [True]
        assert "hello" in str(host.get("/api/plugins/hello/logs"))
        body, kind = json.dumps({"enabled": False}).encode(), {"Content-Type": "application/json"}
        request = urllib.request.Request(address + "/api/plugins/hello/toggle", body, kind, method="PUT")
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer)["plugin"]["enabled"] is False
        assert host.status_of("/api/plugins/nobody/logs") == 404
    finally:
        host.stop()


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs pidfd_open to wait for a process that is no child")
def test_in_the_background(root, monkeypatch):
    monkeypatch.setenv("PORT", "0")
    assert hosts.evonic(root, "status").returncode == 1
    done = hosts.evonic(root, "start", "--daemon")
    assert done.returncode == 0, done
    pid = int((root / "run" / "evonic.pid").read_text())
    handle = os.pidfd_open(pid)
    try:
        assert hosts.evonic(root, "status").returncode == 0
        assert "already running" in hosts.evonic(root, "start", "--daemon").stdout
        assert hosts.evonic(root, "stop").returncode == 0
        assert select.select([handle], [], [], hosts.LIMIT)[0]
    finally:
        os.close(handle)
    assert hosts.evonic(root, "status").returncode == 1
    assert (root / "run" / "server.log").exists()


def test_a_new_plugin_is_asked_for_and_can_be_enabled(root):
    def new(text):
        command = [str(root / "evonic"), "plugin", "new"]
        environment = hosts.environment()
        return subprocess.run(command, input=text, capture_output=True, text=True, timeout=hosts.LIMIT, env=environment)

    assert new('My "Cool" Plugin\n').returncode == 0
    assert json.loads((root / "plugins" / "my_cool_plugin" / "plugin.json").read_text())["name"] == 'My "Cool" Plugin'
    assert hosts.evonic(root, "plugin", "enable", "my_cool_plugin").returncode == 0
    assert [new(text).returncode for text in ("my cool plugin\n", "", "?\n")] == [1, 1, 1]


def test_a_command_of_a_plugin_that_does_not_fit_is_left_out_and_told(root):
    manifest = {"cli_commands": [{"name": "plugin"}, {"name": "fine"}]}
    hosts.write_plugin(root, "greedy", handler="", manifest=manifest)
    hosts.evonic(root, "plugin", "enable", "greedy")
    done = hosts.evonic(root, "plugin", "list")
    assert done.returncode == 0
    assert "The command 'plugin' of plugin 'greedy' is taken." in done.stderr
    assert hosts.evonic(root, "fine").returncode == 0
