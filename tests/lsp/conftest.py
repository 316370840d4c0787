"""Hosts that answer what a test wants."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any, Callable

import pytest

from evonic_lsp.bridge import wire
from evonic_lsp.bridge.listener import Listener
from evonic_lsp.bridge.wire import Change, HostStatus, Outcome, PluginInfo, WireError


@pytest.fixture(autouse=True)
def runtime_dir(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "rt"))


class FakeHost:
    """Speaks the wire for an Evonic that is nothing but folders.

    `outcome(plugin, asked_by)` decides what becomes of a reload; `requests` is everything that was asked.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.enabled = True
        self.plugins: dict[str, PluginInfo] = {}
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.outcome: Callable[[str, str], Outcome] = lambda plugin, asked_by: Outcome(
            plugin, wire.RELOADED, "reloaded", asked_by, 1.5, 2
        )
        self.answers: dict[str, Callable[[dict[str, Any]], Any]] = {}
        self.protocol_error: WireError | None = None
        self.listener: Listener | None = None
        for name in ("backend", "plugins"):
            (root / name).mkdir(parents=True, exist_ok=True)
        for name in ("evonic", "app.py", "backend/plugin_manager.py"):
            (root / name).touch()

    def plugin(self, id: str, folder: Path | None = None, **changes: Any) -> Path:
        """A plugin, opted in; its folder."""
        place = self.root / "plugins" / id
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            place.symlink_to(folder)
        place.mkdir(exist_ok=True)
        (place / "plugin.json").write_text(f'{{"id": "{id}"}}')
        (place / "handler.py").write_text("")
        info = PluginInfo(id, id, "1", enabled=True, hotreload=True, decided=True)
        self.plugins[id] = dataclasses.replace(info, **changes)
        return place

    def start(self) -> FakeHost:
        self.listener = Listener(str(self.root), str(self.root / "plugins"), self._answer)
        self.listener.start()
        return self

    def stop(self) -> None:
        if self.listener is not None:
            self.listener.stop()

    def tell(self, method: str, params: Any) -> None:
        assert self.listener is not None
        self.listener.notify(method, params)

    def reloads(self) -> list[tuple[str, str]]:
        return [(each["plugin"], each["askedBy"]) for method, each in self.requests if method == "plugin/reload"]

    def _answer(self, method: str, params: dict[str, Any]) -> Any:
        if method == "initialize" and self.protocol_error:
            raise self.protocol_error
        self.requests.append((method, params))
        if method in ("initialize", "hotreload/status"):
            return self._status()
        if method == "plugin/reload":
            return self._reload(params["plugin"], params["askedBy"])
        if method in ("hotreload/enable", "hotreload/disable"):
            return self._switch(params.get("plugin"), method.endswith("enable"))
        if method in self.answers:
            return self.answers[method](params)
        raise WireError(wire.METHOD_NOT_FOUND, method)

    def _status(self) -> HostStatus:
        plugins_dir, listed = str(self.root / "plugins"), list(self.plugins.values())
        return HostStatus(str(self.root), plugins_dir, "9.9", wire.VERSION, os.getpid(), self.enabled, listed)

    def _reload(self, plugin: str, asked_by: str) -> Outcome:
        if plugin not in self.plugins:
            raise WireError(wire.UNKNOWN_PLUGIN, f"there is no plugin {plugin}")
        if asked_by == wire.SAVE and not (self.enabled and self.plugins[plugin].hotreload):
            return Outcome(plugin, wire.DISABLED, "hot reload is not switched on", asked_by)
        outcome = self.outcome(plugin, asked_by)
        self.plugins[plugin] = dataclasses.replace(self.plugins[plugin], outcome=outcome)
        self.tell("plugin/outcome", outcome)
        return outcome

    def _switch(self, plugin: str | None, enabled: bool) -> HostStatus:
        if plugin is None:
            self.enabled = enabled
        else:
            self.plugins[plugin] = dataclasses.replace(self.plugins[plugin], hotreload=enabled, decided=True)
        self.tell("hotreload/changed", Change(enabled, plugin))
        return self._status()


@pytest.fixture
def host(tmp_path):
    """host(name="evonic") -> a FakeHost, not started."""
    made = []

    def make(name: str = "evonic") -> FakeHost:
        made.append(FakeHost(tmp_path / name))
        return made[-1]

    yield make
    for each in made:
        each.stop()
