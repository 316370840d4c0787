"""What the tests of the command line share: a stub of Evonic's own command line, a host of canned answers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from evonic_lsp.bridge import wire
from evonic_lsp.bridge.listener import Listener
from evonic_lsp.bridge.wire import HostStatus, LogEntry, Outcome, Place, PluginInfo, Problem, Related, WireError

# Records every call in `calls`; keeps in `enabled` what was enabled; `broken` holds the shell code of a fault.
STUB = """#!/bin/sh
root=$(cd "$(dirname "$0")" && pwd)
echo "$@" >> "$root/calls"
[ -f "$root/broken" ] && . "$root/broken"
case "$1 $2" in
"plugin enable") touch "$root/enabled"; echo "Plugin enabled: $3" ;;
"plugin disable") rm -f "$root/enabled"; echo "Plugin disabled: $3" ;;
"plugin list")
    for folder in "$root"/plugins/*/; do
        [ -f "$root/enabled" ] && state=enabled || state=disabled
        [ -f "$folder/plugin.json" ] && echo "$(basename "$folder")  Some name  0.1.0  $state  0"
    done ;;
esac
exit 0
"""


def calls(root: Path) -> list[str]:
    """What the stub was called with."""
    return (root / "calls").read_text().splitlines() if (root / "calls").exists() else []


def status_of(root: Path, *plugins: PluginInfo, enabled: bool = True, degraded: tuple[str, ...] = ()) -> HostStatus:
    plugins_dir = str(root / "plugins")
    return HostStatus(
        str(root), plugins_dir, "1.2", wire.VERSION, os.getpid(), enabled, list(plugins), degraded=list(degraded)
    )


def reloaded(plugin: str = "kanban", **changes: Any) -> Outcome:
    values: dict[str, Any] = {"duration_ms": 41.6, "generation": 3, "loaded_at": 1.0, "at": 1.0, **changes}
    return Outcome(
        plugin, values.pop("status", wire.RELOADED), values.pop("message", "reloaded"), wire.MANUAL, **values
    )


def rejected(plugin: str = "kanban") -> Outcome:
    place = Place("handler.py", 2, 4, 2, 5, plugin, "x = y", "x = y")
    other = Place("db.py", 9, 0, 9, 3, plugin, "go()", "go()")
    error = Problem("NameError", "NameError: name 'y' is not defined", place=place, related=[Related("in go", other)])
    message = "handler.py:3: NameError: name 'y' is not defined (the version of 12:00:00 goes on serving)"
    return reloaded(plugin, status=wire.REJECTED, message=message, problems=[error])


class FakeHost:
    """A host that answers with what `answers` holds: a value, a function of the parameters, or an error to raise."""

    def __init__(self, root: Path) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Any] = {
            "initialize": status_of(root),
            "hotreload/status": status_of(root),
            "hotreload/enable": status_of(root),
            "hotreload/disable": status_of(root, enabled=False),
            "plugin/reload": reloaded(),
            "plugin/logs": [],
        }
        self.listener = Listener(str(root), str(root / "plugins"), self.answer)

    def answer(self, method: str, params: dict[str, Any]) -> Any:
        self.asked.append((method, params))
        value = self.answers.get(method, WireError(wire.METHOD_NOT_FOUND, f"no method {method}"))
        value = value(params) if callable(value) else value
        if isinstance(value, Exception):
            raise value
        return value

    def log(self, plugin: str, message: str, timestamp: str = "2026-01-01T00:00:00") -> LogEntry:
        """Tells every client of a line in a log."""
        entry = LogEntry(plugin, timestamp, "info", message)
        self.listener.notify("plugin/log", entry)
        return entry
