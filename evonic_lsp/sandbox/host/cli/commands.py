"""What the commands of the core do. Each returns an exit status."""

import json
import os
import re
import signal
import subprocess
import sys
from typing import Any, Dict, Optional

import config

_PID_FILE = os.path.join(config.RUN_DIR, "evonic.pid")
_HANDLER = '''"""The {name} plugin."""


def on_message_received(event, sdk):
    sdk.log("{name}: " + str(event.get("message", "")))
'''


def start(host: Optional[str], port: Optional[int], daemon: bool) -> int:
    """Serves in this process, or in one of its own."""
    pid = _running()
    if pid is not None:
        print(f"Server is already running (PID: {pid})")
        return 0
    host, port = host or config.HOST, port or config.PORT
    os.environ.update(HOST=host, PORT=str(port))
    if daemon:
        os.makedirs(config.RUN_DIR, exist_ok=True)
        with open(os.path.join(config.RUN_DIR, "server.log"), "ab") as log:
            command = [sys.executable, os.path.join(config.ROOT, "app.py")]
            server = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        with open(_PID_FILE, "w", encoding="utf-8") as file:
            file.write(str(server.pid))
        print(f"Server started in background (PID: {server.pid}): http://{host}:{port}")
        return 0
    from app import app

    print(f"Starting server (Ctrl+C to stop): http://{host}:{port}", flush=True)
    app.run(host=host, port=port, debug=config.DEBUG, use_reloader=False)
    return 0


def stop() -> int:
    """Ends the server that ``start -d`` started."""
    pid = _running()
    if pid is None:
        print("No server runs here: there is no PID file.")
    else:
        os.kill(pid, signal.SIGTERM)
        print(f"Sent SIGTERM to server (PID: {pid})")
    if os.path.exists(_PID_FILE):
        os.unlink(_PID_FILE)
    return 0


def status() -> int:
    """Whether the server that ``start -d`` started is running: 0 or 1."""
    pid = _running()
    print("Server is not running" if pid is None else f"Server is running (PID: {pid})")
    return 0 if pid is not None else 1


def _running() -> Optional[int]:
    try:
        with open(_PID_FILE, encoding="utf-8") as file:
            pid = int(file.read())
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    return pid


# ── Plugins ──


def _manager() -> Any:
    """A manager for this command alone, which loads every enabled plugin once more, as Evonic's commands do."""
    from backend.plugin_manager import PluginManager

    return PluginManager()


def plugin_list() -> int:
    """Prints a table."""
    rows = [("ID", "Name", "Version", "Status", "Events")]
    for plugin in _manager().list_plugins():
        plugin_id = str(plugin.get("id", ""))
        state = "enabled" if plugin["enabled"] else "disabled"
        version = str(plugin.get("version", "-"))
        rows.append((plugin_id, str(plugin.get("name", plugin_id)), version, state, str(plugin["event_count"])))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())
    return 0


def plugin_install(source: str) -> int:
    """From a zip file or a folder."""
    if not os.path.exists(source):
        return _fail(f"path not found: {os.path.abspath(source)}")
    manager = _manager()
    install = manager.install_plugin_from_dir if os.path.isdir(source) else manager.install_plugin
    return _tell(install(os.path.abspath(source)), "Plugin installed: {id}")


def plugin_uninstall(plugin_id: str) -> int:
    """Deletes its folder."""
    return _tell(_manager().uninstall_plugin(plugin_id), f"Plugin uninstalled: {plugin_id}")


def plugin_switch(plugin_id: str, enabled: bool) -> int:
    """On or off; a server that runs learns of it at its next start."""
    done = "enabled" if enabled else "disabled"
    return _tell(_manager().set_plugin_enabled(plugin_id, enabled), f"Plugin {done}: {plugin_id}")


def plugin_new() -> int:
    """Asks for a name and writes a plugin to begin with."""
    try:
        name = input("Plugin name: ").strip()
    except EOFError:
        return _fail("a name is needed, on standard input")
    plugin_id = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    folder = os.path.join(config.ROOT, "plugins", plugin_id)
    if not plugin_id or os.path.exists(folder):
        return _fail(f"there is a plugin {plugin_id} already" if plugin_id else "a name is needed")
    os.makedirs(folder)
    manifest = {"id": plugin_id, "name": name, "version": "1.0.0", "description": "", "events": ["message_received"]}
    with open(os.path.join(folder, "plugin.json"), "w", encoding="utf-8") as file:
        json.dump(manifest, file, indent=2)
        file.write("\n")
    with open(os.path.join(folder, "handler.py"), "w", encoding="utf-8") as file:
        file.write(_HANDLER.format(name=name.replace("\\", "").replace('"', "")))
    print(f"Plugin written: {folder}")
    return 0


def _tell(result: Dict[str, Any], done: str) -> int:
    if "error" in result:
        return _fail(result["error"])
    print(done.format(**result) if "{" in done else done)
    return 0


def _fail(message: str) -> int:
    print(f"Error: {message}")
    return 1
