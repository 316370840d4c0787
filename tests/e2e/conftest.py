"""One running host of each kind for the whole session; each test brings plugins of its own."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

import hosts
import pytest
from e2e.ears import ear  # noqa: F401 - a fixture

from evonic_lsp.bridge.client import Client
from evonic_lsp.install import install

_numbers = itertools.count(1)


@pytest.fixture(scope="session", autouse=True)
def runtime_dir(tmp_path_factory: pytest.TempPathFactory):
    """Ours alone: no test meets a host of the person who runs them."""
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(tmp_path_factory.mktemp("rt"))
    yield
    if before is None:
        del os.environ["XDG_RUNTIME_DIR"]
    else:
        os.environ["XDG_RUNTIME_DIR"] = before


@pytest.fixture(scope="session")
def fresh_root(tmp_path_factory: pytest.TempPathFactory):
    """fresh_root(kind) -> a root with the bridge and the inspector installed and enabled."""

    def make(kind: str) -> Path:
        root = hosts.make_root(kind, tmp_path_factory.mktemp(kind) / "root")
        shutil.copytree(hosts.INSPECTOR, root / "plugins" / "inspector")
        install(root)
        assert hosts.evonic(root, "plugin", "enable", "inspector").returncode == 0
        return root

    return make


@pytest.fixture(scope="session")
def host(kind: str, fresh_root):
    """A running host that no test may end."""
    running = hosts.RunningHost(fresh_root(kind)).start()
    yield running
    running.stop()


@pytest.fixture
def own_host(kind: str, fresh_root):
    """own_host(way="app") -> a running host for this test alone."""
    made: list[hosts.RunningHost] = []

    def start(way: str = "app") -> hosts.RunningHost:
        made.append(hosts.RunningHost(fresh_root(kind), way).start())
        return made[-1]

    yield start
    for running in made:
        running.stop()


@pytest.fixture
def client(host: hosts.RunningHost):
    with host.client() as connected:
        yield connected


class Plugin:
    """A plugin of one test, enabled in the running host."""

    def __init__(self, host: hosts.RunningHost, client: Client, plugin: str) -> None:
        self.host, self.client, self.id = host, client, plugin
        self.folder = host.root / "plugins" / plugin

    def write(self, **files: object) -> Plugin:
        """Writes its files; `manifest` a dict, the rest Python texts by module."""
        hosts.write_plugin(self.host.root, self.id, **files)
        return self

    def enable(self) -> Plugin:
        """Switches it on, as the web page does."""
        assert self.host.inspect("toggle", plugin=self.id, enabled=True)
        return self

    def reload(self):
        """The outcome of a reload that a person asks for."""
        return self.client.reload(self.id)


@pytest.fixture
def plugin(host: hosts.RunningHost, client: Client):
    """plugin(**files) -> a new plugin, written and enabled; plugin(id=…) chooses the id."""
    made: list[Plugin] = []

    def make(id: str | None = None, **files: object) -> Plugin:
        made.append(Plugin(host, client, id or f"probe{next(_numbers)}"))
        return made[-1].write(**files).enable()

    yield make
    for each in made:
        host.inspect("toggle", plugin=each.id, enabled=False)
        shutil.rmtree(each.folder, ignore_errors=True)
