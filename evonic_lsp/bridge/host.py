"""Every name of Evonic that the bridge touches, in one place.

What is private there may be gone in the next version: what is needed is checked for at the start, and
:attr:`Host.degraded` says what does not work without it.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from types import ModuleType
from typing import Any, Dict, List, Optional, Tuple

from .watch import Watch
from .wire import BRIDGE_ID

_logger = logging.getLogger("evonic_lsp")
_NEEDED = {
    "manager": ("_handlers", "_modules", "_event_bridges", "_blueprints", "_make_event_bridge", "reload_plugin",
                "_unload_plugin", "_is_plugin_enabled", "add_log"),
    "event_stream": ("_listeners", "_lock", "on", "off"),
    "command_registry": ("_commands", "register"),
    "db": ("get_setting", "set_setting"),
}  # fmt: skip


class HostChanged(Exception):
    """This Evonic lacks names without which nothing can be reloaded; the text lists them."""


class Host:
    """The Evonic that this process is. Raises :class:`HostChanged` if it is not one we can work in."""

    def __init__(self) -> None:
        try:
            self.manager: Any = importlib.import_module("backend.plugin_manager").plugin_manager
            self.lifecycle = importlib.import_module("backend.plugin_lifecycle")
            self.hooks = importlib.import_module("backend.plugin_hooks")
            self.event_stream: Any = importlib.import_module("backend.event_stream").event_stream
            self.command_registry: Any = importlib.import_module("backend.slash_commands").command_registry
            self.sdk: Any = importlib.import_module("backend.plugin_sdk").PluginSDK
            self.db: Any = importlib.import_module("models.db").db
        except (ImportError, AttributeError) as error:
            raise HostChanged(f"this Evonic is not one that evonic-lsp knows: {error}") from error
        missing = [
            f"{owner}.{name}"
            for owner, names in _NEEDED.items()
            for name in names
            if not hasattr(getattr(self, owner), name)
        ]
        if missing:
            raise HostChanged("this Evonic is newer than evonic-lsp knows; it lacks " + ", ".join(missing))
        self.plugins_dir = str(self.lifecycle.PLUGINS_DIR)
        self.root = str(getattr(self.lifecycle, "BASE_DIR", os.path.dirname(self.plugins_dir)))
        self.degraded: List[str] = []
        self.watch = Watch(self.plugins_dir)

    @property
    def version(self) -> str:
        """Evonic's own version, ``unknown`` if it does not tell."""
        try:
            return str(importlib.import_module("backend.version").get_version())
        except (ImportError, AttributeError, OSError):
            return "unknown"

    def package(self, plugin: str) -> str:
        """The name of the package under which the host loads a plugin's modules."""
        return f"plugin_pkg_{plugin}_{id(self.manager)}"

    def folder(self, plugin: str) -> str:
        """A plugin's folder, as the host names it."""
        return os.path.join(self.plugins_dir, plugin)

    def exists(self, plugin: str) -> bool:
        """Whether there is a folder for this id."""
        return os.path.isdir(self.folder(plugin))

    def enabled(self, plugin: str) -> bool:
        """Whether the plugin is switched on in Evonic."""
        return bool(self.manager._is_plugin_enabled(plugin))

    def plugins(self) -> List[str]:
        """The ids of all plugin folders, in order."""
        entries = sorted(os.listdir(self.plugins_dir)) if os.path.isdir(self.plugins_dir) else []
        return [name for name in entries if os.path.isfile(os.path.join(self.plugins_dir, name, "plugin.json"))]

    def manifests(self) -> Dict[str, Dict[str, Any]]:
        """What the host lists of its plugins, by id; nothing if a manifest is so broken that it cannot."""
        try:
            listed = self.manager.list_plugins()
        except Exception as error:  # it takes manifests as they come: nested without end, lists where it wants objects
            _logger.debug("Evonic cannot list its plugins: %s", error)
            return {}
        return {each["id"]: each for each in listed if isinstance(each, dict) and isinstance(each.get("id"), str)}

    def new_sdk(self, plugin: str, config: Dict[str, Any]) -> Any:
        """The SDK object that the host hands to a plugin's function outside of an event."""
        return self.sdk(plugin, config, {}, log_callback=self.manager.add_log)

    def settings_stamp(self) -> Optional[Tuple[int, ...]]:
        """Another one whenever somebody has written into the host's database, in whatever process; None if that cannot
        be known. To look at it costs next to nothing, while each look into the database opens it anew."""
        try:
            found = os.stat(self.db.db_path)
        except (AttributeError, TypeError, ValueError, OSError):
            return None
        try:
            log = os.stat(f"{self.db.db_path}-wal")  # what was written and is not yet in the database itself
        except OSError:
            return found.st_ino, found.st_mtime_ns, found.st_size, 0, 0
        written = log.st_mtime_ns if log.st_size else 0  # readers leave an empty one, or remove it
        return found.st_ino, found.st_mtime_ns, found.st_size, written, log.st_size

    def option(self, name: str, default: str) -> str:
        """A variable of the bridge, as set on its page in Evonic."""
        value = self.db.get_setting(f"plugin_config:{BRIDGE_ID}:{name}", None)
        return default if value is None else str(value)

    def module(self, name: str) -> Optional[ModuleType]:
        """A module of the host if it is loaded."""
        return sys.modules.get(name)


def process_began() -> float:
    """Seconds since the epoch, a little late: when `logging` was imported, from which each record counts."""
    record = logging.makeLogRecord({})
    return record.created - record.relativeCreated / 1000


def launched_app() -> Optional[Any]:
    """The Flask application of a server that already runs in this process; None in every other process.

    A plugin switched on from the web page is loaded inside a request. A tool of an agent may do the same from a
    thread of its own; then the application is that of the ``app`` module, once it has served a request.
    """
    from flask import current_app, has_app_context

    if has_app_context():
        return current_app._get_current_object()  # type: ignore[attr-defined]
    for name in ("app", "__main__"):
        app = getattr(sys.modules.get(name), "app", None)
        if getattr(app, "_got_first_request", False):
            return app
    return None
