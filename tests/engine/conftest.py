"""Hosts that are watched from within, and plugins that tell which version of them has done what."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any, Callable

import hosts
import pytest
from e2e.conftest import runtime_dir  # noqa: F401 - its own for this suite, too

from evonic_lsp.bridge.client import Client
from evonic_lsp.install import install

PLUGINS = hosts.INSPECTOR.parent
LEDGER = "engine_ledger.py"
_VERSION = re.compile(r"^VERSION = \d+$", re.MULTILINE)


class Observed:
    """A host with the inspector and the observer in it, and a connection to its bridge."""

    def __init__(self, root: Path) -> None:
        self.host = hosts.RunningHost(root)
        self.root = root
        self.client: Client

    def start(self) -> Observed:
        self.host.start()
        self.client = self.host.client()
        return self

    def stop(self) -> None:
        self.client.close()
        self.host.stop()

    def observe(self, call: str, **arguments: Any) -> Any:
        """Calls a function of the observer in the server."""
        return self.host.get(f"/plugin/observer/{call}", arguments)

    def folder(self, plugin: str) -> Path:
        return self.root / "plugins" / plugin

    def add(self, plugin: str) -> Path:
        """Puts a plugin of ours into the running host; its folder."""
        shutil.copytree(PLUGINS / plugin, self.folder(plugin), ignore=shutil.ignore_patterns("__pycache__"))
        assert self.host.inspect("toggle", plugin=plugin, enabled=True)
        return self.folder(plugin)

    def write(self, plugin: str, version: int) -> None:
        """Makes it a version of every module that has one."""
        for file in self.folder(plugin).rglob("*.py"):
            text = file.read_text()
            file.write_text(_VERSION.sub(f"VERSION = {version}", text))

    def reload(self, plugin: str) -> Any:
        """The outcome of a reload that must succeed."""
        outcome = self.client.reload(plugin)
        assert outcome.status == "reloaded", (outcome.message, self.host.log())
        return outcome


@pytest.fixture(scope="session")
def watched_root(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """watched_root(kind) -> a root with the bridge, the inspector and the observer installed and enabled."""

    def make(kind: str) -> Path:
        root = hosts.make_root(kind, tmp_path_factory.mktemp(kind) / "root")
        for name in ("inspector", "observer"):
            shutil.copytree(PLUGINS / name, root / "plugins" / name, ignore=shutil.ignore_patterns("__pycache__"))
            done = hosts.evonic(root, "plugin", "enable", name)
            assert done.returncode == 0, done
        shutil.copy(PLUGINS / LEDGER, root / LEDGER)
        install(root)
        return root

    return make


@pytest.fixture(scope="session")
def observed(kind: str, watched_root):
    """A running host for all tests that do not mind what the others have done to it."""
    running = Observed(watched_root(kind)).start()
    yield running
    running.stop()


@pytest.fixture
def versioned(observed: Observed):
    """The plugin whose parts know their version, at version 1, in a host that has long been answering."""
    folder = observed.folder("versioned")
    if not folder.exists():
        observed.add("versioned")
    observed.write("versioned", 1)
    observed.reload("versioned")
    return observed


def show(kind: str, **figures: Any) -> None:
    """Prints what a test has measured, for ``pytest -s``."""
    print(f"\n[{kind}] " + json.dumps(figures))
