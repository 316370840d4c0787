"""What a plugin's functions are handed: :class:`PluginSDK`."""

import json as json_module
import logging
import os
import re
import sqlite3
import sys
import urllib.error
import urllib.request
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Optional

import config

from backend.scheduler import scheduler
from backend.slash_commands import command_registry

_logger = logging.getLogger(__name__)
_LEVELS = {"info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


class PluginSDK:
    """The host, as one plugin sees it during one call."""

    def __init__(
        self,
        plugin_id: str,
        plugin_config: Dict[str, Any],
        event_data: Dict[str, Any],
        log_callback: Optional[Callable[[str, str, str], None]] = None,
    ) -> None:
        self.plugin_id = plugin_id
        self.config = plugin_config
        self.event = event_data
        self._log_callback = log_callback

    def log(self, message: str, level: str = "info") -> None:
        """Writes to the plugin's log, and to the host's."""
        level = level if level in _LEVELS else "info"
        _logger.log(_LEVELS[level], "[%s] %s", self.plugin_id, message)
        if self._log_callback is not None:
            self._log_callback(self.plugin_id, level, message)

    # ── Conversations: the sandbox has none ──

    def send_message(self, agent_id: str, external_user_id: str, channel_id: str, text: str) -> Dict[str, Any]:
        """There are no channels here: it is only logged."""
        self.log(f"message to {external_user_id}: {text}")
        return {"success": False, "error": "the sandbox has no channels"}

    def get_session_messages(self, session_id: str, agent_id: Optional[str] = None, limit: int = 50) -> List[Any]:
        """There are no sessions here."""
        return []

    def get_session(self, session_id: str) -> Optional[Dict[str, Any]]:
        """There are no sessions here."""
        return None

    def http_request(
        self,
        method: str,
        url: str,
        headers: Optional[Dict[str, str]] = None,
        json: Any = None,
        data: Optional[str] = None,
        timeout: float = 30,
    ) -> Dict[str, Any]:
        """Calls another server: ``{status_code, body, headers, ok}``, or ``{error, ok: False}``."""
        headers = dict(headers or {})
        body = data.encode() if isinstance(data, str) else data
        if json is not None:
            body = json_module.dumps(json).encode()
            headers.setdefault("Content-Type", "application/json")
        try:
            request = urllib.request.Request(url, body, headers, method=method.upper())
            try:
                answer = urllib.request.urlopen(request, timeout=timeout)
            except urllib.error.HTTPError as error:
                answer = error
            with answer:
                text = answer.read().decode(errors="replace")
                status = answer.status if hasattr(answer, "status") else answer.code
                return {"status_code": status, "body": text, "headers": dict(answer.headers), "ok": status < 400}
        except (OSError, ValueError) as error:
            return {"error": str(error), "ok": False}

    # ── Schedules ──

    def create_schedule(
        self,
        name: str,
        trigger_type: str,
        trigger_config: Dict[str, Any],
        action_type: str,
        action_config: Dict[str, Any],
        max_runs: Optional[int] = None,
        metadata: Optional[Dict[str, Any]] = None,
    ) -> Dict[str, Any]:
        """A schedule of this plugin."""
        owned = ("plugin", self.plugin_id, trigger_type, trigger_config, action_type, action_config)
        return scheduler.create_schedule(name, *owned, max_runs=max_runs, metadata=metadata)

    def cancel_schedule(self, schedule_id: str) -> bool:
        """Removes a schedule of this plugin."""
        return scheduler.cancel_schedule(schedule_id, owner_id=self.plugin_id)

    def list_schedules(self) -> List[Dict[str, Any]]:
        """The schedules of this plugin."""
        return scheduler.list_schedules("plugin", self.plugin_id)

    # ── Slash commands ──

    def register_slash_command(self, name: str, description: str = "") -> "PluginSDK":
        """Adds ``/name``, which calls ``on_slash_command_<name>(sdk, args)`` of the plugin's ``handler.py``."""
        function = getattr(self._handler_module(), f"on_slash_command_{name}", None)
        if not callable(function):
            _logger.warning("'%s' has no function for its slash command '%s'", self.plugin_id, name)
            return self

        def command(session_id: str, agent_id: str, external_user_id: str, channel_id: Optional[str], args: str) -> str:
            try:
                answer = function(self, args)
            except Exception as error:
                _logger.error("Slash command '%s' of '%s' failed: %s", name, self.plugin_id, error, exc_info=True)
                return f"Error: {error}"
            return "" if answer is None else str(answer)

        command.__module__ = function.__module__  # whose it is, when the plugin is unloaded
        command_registry.register(name, command, description)
        return self

    def _handler_module(self) -> Any:
        wanted = re.compile(rf"plugin_pkg_{re.escape(self.plugin_id)}_\d+\.handler")
        return next((module for name, module in list(sys.modules.items()) if wanted.fullmatch(name)), None)

    # ── A database of the plugin's own ──

    def get_db(self) -> sqlite3.Connection:
        """A connection to the plugin's database, which the caller must close."""
        folder = os.path.join(os.path.dirname(config.DB_PATH), "plugins")
        os.makedirs(folder, exist_ok=True)
        connection = sqlite3.connect(os.path.join(folder, f"{self.plugin_id}.db"), timeout=10)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.row_factory = sqlite3.Row
        return connection

    @contextmanager
    def get_db_connection(self) -> Iterator[sqlite3.Connection]:
        """The same, closed at the end of the block."""
        connection = self.get_db()
        try:
            yield connection
        finally:
            connection.close()
