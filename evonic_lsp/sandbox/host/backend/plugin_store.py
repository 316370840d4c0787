"""Plugins on disk and in the settings: manifests, switches, configuration, installation."""

import json
import os
import re
import shutil
import tempfile
import zipfile
from typing import Any, Callable, Dict, Iterator, List, Optional

import config
from models.db import db

BASE_DIR = config.ROOT
PLUGINS_DIR = os.path.join(BASE_DIR, "plugins")
_MASK = "•" * 8
_ID = re.compile(r"[a-zA-Z0-9_-]+")


def _number(value: Any) -> Any:
    return float(value) if "." in str(value) else int(value)


# type of a variable -> (how a value that is saved is read, how a stored text is read)
_TYPES: Dict[str, Any] = {
    "number": (_number, _number),
    "boolean": (bool, lambda text: text in ("1", "true", "True")),
    "string": (str, str),
}


class PluginStore:
    """Everything about plugins that needs none of them loaded; :class:`PluginManager` builds on it."""

    reload_plugin: Callable[[str], None]
    _unload_plugin: Callable[[str], None]
    _modules: Dict[str, Any]

    # ── Discovery ──

    def list_plugins(self) -> List[Dict[str, Any]]:
        """The manifests of all plugin folders, in order; one that is no JSON is left out."""
        found = []
        for name in sorted(os.listdir(PLUGINS_DIR)) if os.path.isdir(PLUGINS_DIR) else []:
            manifest = self._read_manifest(name)
            if manifest is not None:
                manifest["enabled"] = self._is_plugin_enabled(name)
                manifest["event_count"] = len(manifest.get("events", []))
                manifest["is_system"] = manifest.get("category") == "system"
                found.append(manifest)
        return found

    def get_plugin(self, plugin_id: str) -> Optional[Dict[str, Any]]:
        """The manifest of a plugin with its switch, its configuration and its README."""
        manifest = self._read_manifest(plugin_id)
        if manifest is None:
            return None
        manifest.setdefault("events", [])
        manifest.setdefault("variables", [])
        readme = os.path.join(manifest["_dir"], "README.md")
        manifest["readme"] = None
        if os.path.isfile(readme):
            with open(readme, encoding="utf-8", errors="replace") as file:
                manifest["readme"] = file.read()
        manifest["enabled"] = self._is_plugin_enabled(plugin_id)
        manifest["event_count"] = len(manifest["events"])
        manifest["config"] = self.get_plugin_config(plugin_id)
        return manifest

    def get_nav_items(self) -> List[Dict[str, Any]]:
        """The menu entries of all enabled plugins."""
        return [
            {"label": item.get("label", ""), "path": item.get("path", ""), "plugin_id": plugin["id"]}
            for plugin in self._enabled_plugins()
            for item in plugin.get("nav_items", [])
        ]

    def get_cli_commands(self) -> Dict[str, Dict[str, Any]]:
        """The command-line commands of all enabled plugins, by name, each with its subcommands by name."""
        commands: Dict[str, Dict[str, Any]] = {}
        for plugin in self._enabled_plugins():
            for declared in plugin.get("cli_commands", []):
                command = self._cli_entry(plugin["id"], declared)
                command["subcommands"] = {
                    sub["name"]: {**self._cli_entry(plugin["id"], sub), "arguments": sub.get("arguments", [])}
                    for sub in declared.get("subcommands", [])
                    if sub.get("name")
                }
                if declared.get("name"):
                    commands[declared["name"]] = command
        return commands

    @staticmethod
    def _cli_entry(plugin_id: str, declared: Dict[str, Any]) -> Dict[str, Any]:
        texts = {key: declared.get(key, "") for key in ("help", "description")}
        return {**texts, "handler": declared.get("handler"), "plugin_id": plugin_id}

    def _enabled_plugins(self) -> Iterator[Dict[str, Any]]:
        return (plugin for plugin in self.list_plugins() if plugin["enabled"] and "id" in plugin)

    def _read_manifest(self, plugin_id: str) -> Optional[Dict[str, Any]]:
        """``plugin.json`` with the plugin's folder as ``_dir``; None if there is none that can be read."""
        folder = os.path.join(PLUGINS_DIR, plugin_id)
        try:
            with open(os.path.join(folder, "plugin.json"), encoding="utf-8") as file:
                manifest = json.load(file)
        except (OSError, ValueError):
            return None
        return {**manifest, "_dir": folder} if isinstance(manifest, dict) else None

    # ── Switches ──

    def _is_plugin_enabled(self, plugin_id: str) -> bool:
        return db.get_setting(f"plugin_enabled:{plugin_id}") == "1"

    def set_plugin_enabled(self, plugin_id: str, enabled: bool) -> Dict[str, Any]:
        """Switches a plugin on or off, and loads or unloads it; the manifest, or ``{"error": …}``."""
        if self._read_manifest(plugin_id) is None:
            return {"error": f"Plugin not found: {plugin_id}"}
        db.set_setting(f"plugin_enabled:{plugin_id}", "1" if enabled else "0")
        self.reload_plugin(plugin_id)
        manifest = {**(self._read_manifest(plugin_id) or {}), "enabled": enabled}
        manifest.pop("_dir", None)
        return manifest

    # ── Configuration ──

    def get_plugin_variables(self, plugin_id: str) -> List[Dict[str, Any]]:
        """What can be configured, as the manifest declares it."""
        return (self._read_manifest(plugin_id) or {}).get("variables", [])

    def get_plugin_config(self, plugin_id: str) -> Dict[str, Any]:
        """The value of each variable: what was saved, else its default. Saved secrets are masked."""
        values = {}
        for variable in self.get_plugin_variables(plugin_id):
            name = variable["name"]
            values[name] = variable.get("default", "")
            stored = db.get_setting(f"plugin_config:{plugin_id}:{name}")
            if stored is None:
                continue
            try:
                read = _TYPES.get(variable.get("type", "string"), _TYPES["string"])[1]
                values[name] = _MASK if variable.get("secret") else read(stored)
            except ValueError:
                pass  # the default stays
        return values

    def set_plugin_config(self, plugin_id: str, values: Dict[str, Any]) -> Dict[str, Any]:
        """Saves values of variables that there are, and reloads the plugin."""
        if not _ID.fullmatch(plugin_id):
            return {"error": "Invalid plugin id"}
        if not os.path.isdir(os.path.join(PLUGINS_DIR, plugin_id)):
            return {"error": f"Plugin not found: {plugin_id}"}
        checked = {}
        for variable in self.get_plugin_variables(plugin_id):
            name, kind = variable["name"], variable.get("type", "string")
            if name in values:
                try:
                    checked[name] = _TYPES.get(kind, _TYPES["string"])[0](values[name])
                except (ValueError, TypeError):
                    return {"error": f"Invalid value for {variable.get('label', name)}: expected {kind}"}
        for name, value in checked.items():
            db.set_setting(f"plugin_config:{plugin_id}:{name}", str(value))
        self.reload_plugin(plugin_id)
        return {"success": True, "config": self.get_plugin_config(plugin_id)}

    # ── Installation ──

    def install_plugin(self, zip_path: str, force: bool = False) -> Dict[str, Any]:
        """Installs a plugin from a zip file, with ``plugin.json`` at its top or in its one folder."""
        if not zipfile.is_zipfile(zip_path):
            return {"error": "Not a valid zip file"}
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(zip_path) as archive:
            for name in archive.namelist():
                if name.startswith("/") or ".." in name:
                    return {"error": f"Unsafe path in zip: {name}"}
            archive.extractall(folder)
            for candidate in [folder, *(entry.path for entry in os.scandir(folder) if entry.is_dir())]:
                if os.path.isfile(os.path.join(candidate, "plugin.json")):
                    return self.install_plugin_from_dir(candidate, force)
        return {"error": "No plugin.json found in zip"}

    def install_plugin_from_dir(self, source_dir: str, force: bool = False) -> Dict[str, Any]:
        """Installs a plugin from a folder, and loads it if it is switched on; the manifest, or ``{"error": …}``."""
        try:
            with open(os.path.join(source_dir, "plugin.json"), encoding="utf-8") as file:
                manifest = json.load(file)
        except (OSError, ValueError) as error:
            return {"error": f"No plugin.json found in {source_dir}: {error}"}
        plugin_id = manifest.get("id", "")
        if not _ID.fullmatch(plugin_id):
            return {"error": f"Invalid plugin id: {plugin_id}"}
        target = os.path.join(PLUGINS_DIR, plugin_id)
        if os.path.realpath(source_dir) != os.path.realpath(target):
            if os.path.exists(target):
                if not force:
                    return {"error": f'Plugin "{plugin_id}" is already installed. Uninstall it first.'}
                shutil.rmtree(target)
            shutil.copytree(source_dir, target)
        self.reload_plugin(plugin_id)
        return manifest

    def uninstall_plugin(self, plugin_id: str) -> Dict[str, Any]:
        """Unloads a plugin and deletes its folder; ``{"success": True}`` or ``{"error": …}``."""
        if not _ID.fullmatch(plugin_id):
            return {"error": "Invalid plugin id"}
        manifest = self._read_manifest(plugin_id)
        if manifest is None:
            return {"error": f"Plugin not found: {plugin_id}"}
        if manifest.get("category") == "system":
            return {"error": f"Cannot delete system plugin: {plugin_id}"}
        self._unload_plugin(plugin_id)
        shutil.rmtree(manifest["_dir"])
        return {"success": True}
