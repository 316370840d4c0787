"""Loading and unloading plugins, and the books of what is loaded."""

import importlib.util
import logging
import os
import sys
import types
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from typing import Any, Callable, Deque, Dict, List, Optional, Tuple

from models.db import db

from backend import plugin_hooks
from backend.event_stream import event_stream
from backend.plugin_sdk import PluginSDK
from backend.plugin_store import BASE_DIR, PLUGINS_DIR, PluginStore  # noqa: F401
from backend.slash_commands import command_registry

_logger = logging.getLogger(__name__)

VALID_EVENTS = {
    "turn_complete",
    "message_received",
    "session_created",
    "summary_updated",
    "processing_started",
    "llm_thinking",
    "llm_response_chunk",
    "tool_executed",
    "final_answer",
    "message_sent",
    "kanban_task_created",
    "kanban_task_updated",
    "schedule_fired",
    "schedule_created",
    "schedule_cancelled",
    "state_transition",
}


class PluginManager(PluginStore):
    """Loads every enabled plugin when it is made. Errors of plugins are logged; they never reach the caller."""

    MAX_LOG_ENTRIES = 500

    def __init__(self) -> None:
        os.makedirs(PLUGINS_DIR, exist_ok=True)
        self._handlers: Dict[str, List[Tuple[str, Callable]]] = {}  # event -> [(plugin, function)]
        self._modules: Dict[str, types.ModuleType] = {}  # plugin -> module of handler.py
        self._event_bridges: Dict[str, List[Tuple[str, Callable]]] = {}  # plugin -> [(event, listener)]
        self._blueprints: Dict[str, Any] = {}  # plugin -> Blueprint
        self._dashboard_cards: Dict[str, List[Tuple[str, Callable]]] = {}  # plugin -> [(card, function)]
        self._logs: Dict[str, Deque[Dict[str, str]]] = {}
        self._executor = ThreadPoolExecutor(max_workers=4, thread_name_prefix="plugin")
        for plugin in self._enabled_plugins():
            self._load_plugin(plugin["id"])

    # ── Loading ──

    def reload_plugin(self, plugin_id: str) -> None:
        """Unloads a plugin, and loads it again if it is there and switched on."""
        self._unload_plugin(plugin_id)
        if self._read_manifest(plugin_id) is not None and self._is_plugin_enabled(plugin_id):
            self._load_plugin(plugin_id)

    def _load_plugin(self, plugin_id: str) -> None:
        manifest = self._read_manifest(plugin_id) or {}
        package = types.ModuleType(self._package(plugin_id))
        package.__path__ = [os.path.join(PLUGINS_DIR, plugin_id)]
        package.__package__ = package.__name__
        package.__file__ = os.path.join(package.__path__[0], "__init__.py")
        sys.modules[package.__name__] = package
        handler = None
        try:
            handler = self._import(plugin_id, "handler")
            if handler is not None:
                self._modules[plugin_id] = handler
                self._connect_events(plugin_id, handler, manifest.get("events", []))
        except Exception as error:
            _logger.error("Failed to load plugin '%s': %s", plugin_id, error, exc_info=True)
        self._add_slash_commands(plugin_id, manifest)
        self._make_blueprint(plugin_id, handler)
        self._add_cards(plugin_id, handler, manifest.get("dashboard_cards", []))

    def _package(self, plugin_id: str) -> str:
        return f"plugin_pkg_{plugin_id}_{id(self)}"

    def _import(self, plugin_id: str, name: str) -> Optional[types.ModuleType]:
        """A module of the plugin, run anew; None if it has no such file."""
        path = os.path.join(PLUGINS_DIR, plugin_id, f"{name}.py")
        if not os.path.isfile(path):
            return None
        spec = importlib.util.spec_from_file_location(f"{self._package(plugin_id)}.{name}", path)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    def _connect_events(self, plugin_id: str, handler: types.ModuleType, events: List[str]) -> None:
        bridges = self._event_bridges[plugin_id] = []
        for event in events:
            function = getattr(handler, f"on_{event}", None)
            if callable(function):
                self._handlers.setdefault(event, []).append((plugin_id, function))
                bridges.append((event, self._make_event_bridge(plugin_id, function)))
                event_stream.on(*bridges[-1])

    def _make_event_bridge(self, plugin_id: str, fn: Callable) -> Callable[[Dict[str, Any]], None]:
        """What the event stream calls: it has `fn` run in the pool of plugins."""

        def bridge(event: Dict[str, Any]) -> None:
            if db.get_setting("events_dispatch_enabled", "1") == "1":
                sdk = PluginSDK(plugin_id, self.get_plugin_config(plugin_id), event, log_callback=self.add_log)
                self._executor.submit(self._safe_call, plugin_id, fn, event, sdk)

        return bridge

    def _safe_call(self, plugin_id: str, fn: Callable, event: Dict[str, Any], sdk: PluginSDK) -> None:
        try:
            fn(event, sdk)
        except Exception as error:
            self.add_log(plugin_id, "error", f"Handler error: {error}")
            _logger.error("Handler error in '%s': %s", plugin_id, error, exc_info=True)

    def _add_slash_commands(self, plugin_id: str, manifest: Dict[str, Any]) -> None:
        for command in manifest.get("slash_commands", []):
            name = command.get("id")
            if name:
                sdk = PluginSDK(plugin_id, manifest, {}, log_callback=self.add_log)
                sdk.register_slash_command(name, command.get("description", ""))
                self.add_log(plugin_id, "info", f"Slash command registered: /{name}")

    def _make_blueprint(self, plugin_id: str, handler: Optional[types.ModuleType]) -> None:
        """``create_blueprint()`` of ``handler.py``, else of ``routes.py``, which is not run in the first case."""
        step = "load routes.py"
        try:
            maker = getattr(handler, "create_blueprint", None)
            if not callable(maker):
                maker = getattr(self._import(plugin_id, "routes"), "create_blueprint", None)
            if callable(maker):
                step = "create blueprint"
                blueprint = self._blueprints[plugin_id] = maker()
                self.add_log(plugin_id, "info", f"Route blueprint registered: {blueprint.name}")
        except Exception as error:
            self.add_log(plugin_id, "error", f"Failed to {step}: {error}")
            _logger.error("Failed to %s for '%s': %s", step, plugin_id, error)

    def _add_cards(self, plugin_id: str, handler: Optional[types.ModuleType], cards: List[Dict[str, Any]]) -> None:
        if handler is None or not cards:
            return
        found = self._dashboard_cards[plugin_id] = []
        for card in cards:
            name = card.get("handler")
            function = getattr(handler, name, None) if name else None
            if callable(function):
                found.append((card.get("id", name), function))
            else:
                self.add_log(plugin_id, "error", f"Dashboard card handler '{name}' not found")
                _logger.error("Dashboard card handler '%s' not found for '%s'", name, plugin_id)

    # ── Unloading ──

    def _unload_plugin(self, plugin_id: str) -> None:
        package = self._package(plugin_id)

        def ours(value: Any) -> bool:
            module = getattr(value, "__module__", None) or ""
            return module == package or module.startswith(package + ".")

        for event, bridge in self._event_bridges.pop(plugin_id, []):
            event_stream.off(event, bridge)
        for event, entries in list(self._handlers.items()):
            self._handlers[event] = [entry for entry in entries if entry[0] != plugin_id]
            if not self._handlers[event]:
                del self._handlers[event]
        for registry in (
            plugin_hooks._tool_guards,
            plugin_hooks._message_interceptors,
            plugin_hooks._turn_context_providers,
            plugin_hooks._busy_message_providers,
            plugin_hooks._builtin_suppressors,
        ):
            registry[:] = [hook for hook in registry if not ours(hook)]
        for namespace, hook in list(plugin_hooks._state_handlers.items()):
            if ours(hook):
                del plugin_hooks._state_handlers[namespace]
        for name, command in list(command_registry._commands.items()):
            if ours(command.handler):
                del command_registry._commands[name]
        for books in (self._modules, self._blueprints, self._dashboard_cards):
            books.pop(plugin_id, None)
        for name in [name for name in sys.modules if name == package or name.startswith(package + ".")]:
            del sys.modules[name]

    # ── What others ask for ──

    def get_blueprints(self) -> Dict[str, Any]:
        """The blueprints, by plugin."""
        return self._blueprints

    def get_blueprint_names(self) -> List[str]:
        """The plugins that have a blueprint."""
        return list(self._blueprints)

    def dispatch(self, event_name: str, event_data: Dict[str, Any]) -> None:
        """Emits an event."""
        event_stream.emit(event_name, event_data)

    def get_dashboard_cards(self) -> List[Dict[str, Any]]:
        """What the card functions return; one that fails is left out."""
        results = []
        for plugin_id, cards in list(self._dashboard_cards.items()):
            for _, function in cards:
                try:
                    config = self.get_plugin_config(plugin_id)
                    result = function(PluginSDK(plugin_id, config, {}, log_callback=self.add_log))
                except Exception as error:
                    self.add_log(plugin_id, "error", f"Dashboard card handler error: {error}")
                    _logger.error("Dashboard card handler error in '%s': %s", plugin_id, error)
                    continue
                if result and isinstance(result, dict):
                    results.append(result)
        return results

    # ── Logs ──

    def add_log(self, plugin_id: str, level: str, message: str) -> None:
        """Appends to the log of a plugin, which keeps the last 500 entries."""
        log = self._logs.setdefault(plugin_id, deque(maxlen=self.MAX_LOG_ENTRIES))
        timestamp = datetime.now(timezone.utc).isoformat()
        log.append({"timestamp": timestamp, "level": level, "message": message})

    def get_logs(self, plugin_id: str, limit: int = 100, since: Optional[str] = None) -> List[Dict[str, str]]:
        """The last entries of a plugin's log, if need be only those after a timestamp."""
        entries = [entry for entry in self._logs.get(plugin_id, ()) if not since or entry["timestamp"] > since]
        return entries[-limit:]

    def clear_logs(self, plugin_id: str) -> None:
        """Empties the log of a plugin."""
        if plugin_id in self._logs:
            self._logs[plugin_id].clear()
