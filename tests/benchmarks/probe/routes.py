"""Inside the host, for the benchmarks: reads marks, times what the host does itself, and runs the other watchers.

Runs on whatever Python the host has; needs nothing but what the host has, except where a rival is named.
"""

import importlib.util
import os
import sys
import threading
import time

from flask import Blueprint, jsonify, request

bp = Blueprint("probe", __name__)


def _manager():
    from backend.plugin_manager import plugin_manager

    return plugin_manager


@bp.route("/plugin/probe/mark/<plugin>")
def mark(plugin):
    """What the handler that the host would call now says; empty while there is none."""
    module = _manager()._modules.get(plugin)
    return str(module.mark()) if hasattr(module, "mark") else ""


@bp.route("/plugin/probe/reload/<plugin>")
def reload(plugin):
    """Milliseconds of the host's own ``reload_plugin``, the bridge's replacement of it passed over."""
    manager = _manager()
    began = time.perf_counter()
    type(manager).reload_plugin(manager, plugin)
    return jsonify((time.perf_counter() - began) * 1000)


@bp.route("/plugin/probe/floor/<plugin>")
def floor(plugin):
    """Milliseconds to compile and run the code of a plugin, with nothing around it: no reload can be faster.

    Only the file that was saved (`file`) has no bytecode, as after any save.
    """
    folder = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), plugin)
    package = "floor_" + plugin.replace("-", "_")
    began = time.perf_counter()
    parent = sys.modules[package] = type(sys)(package)
    parent.__path__ = [folder]
    create = None
    for name in ("handler", "routes"):
        path = os.path.join(folder, name + ".py")
        if create is None and os.path.isfile(path):
            spec = importlib.util.spec_from_file_location(package + "." + name, path)
            module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            create = getattr(module, "create_blueprint", None)
    if create is not None:
        create()
    took = (time.perf_counter() - began) * 1000
    for name in [name for name in sys.modules if name == package or name.startswith(package + ".")]:
        del sys.modules[name]
    return jsonify(took)


@bp.route("/plugin/probe/threads")
def threads():
    """The threads of the bridge: name -> id of the system."""
    return jsonify({each.name: each.native_id for each in threading.enumerate() if each.name.startswith("evonic-lsp")})


@bp.route("/plugin/probe/watch/<kind>")
def watch(kind):
    """Starts one of the other ways to reload."""
    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    found = request.args.get("packages")
    if found:
        sys.path.append(found)
    {"polling": _polling, "watchfiles": _watchfiles, "jurigged": _jurigged}[kind](folder)
    return jsonify(True)


def _polling(folder, poll=0.5, debounce=1.0):
    """Looks at the time of every file twice a second, and reloads what has been quiet for a second since."""

    def stamps():
        found = {}
        for plugin in os.listdir(folder):
            for here, _, names in os.walk(os.path.join(folder, plugin)):
                for name in names:
                    if name.endswith((".py", ".json")):
                        path = os.path.join(here, name)
                        try:
                            found[path] = (plugin, os.stat(path).st_mtime)
                        except OSError:
                            continue
        return found

    def run():
        before, due = stamps(), {}
        while True:
            time.sleep(poll)
            now = stamps()
            for path in set(now) | set(before):
                if now.get(path) != before.get(path):
                    due[(now.get(path) or before[path])[0]] = time.monotonic() + debounce
            before = now
            for plugin in [each for each, when in due.items() if when <= time.monotonic()]:
                del due[plugin]
                _manager().reload_plugin(plugin)

    threading.Thread(target=run, daemon=True).start()


def _watchfiles(folder):
    """The system tells of the change (by its defaults, once 50 ms were quiet), the host reloads."""
    import watchfiles

    def run():
        for changes in watchfiles.watch(folder):
            paths = [os.path.relpath(path, folder) for _, path in changes if path.endswith((".py", ".json"))]
            for plugin in {path.split(os.sep)[0] for path in paths}:
                _manager().reload_plugin(plugin)

    threading.Thread(target=run, daemon=True).start()


def _jurigged(folder):
    """Replaces the code of the functions that changed, in place."""
    import jurigged

    jurigged.watch(os.path.join(folder, "*", "*.py"), logger=lambda event: None)


def create_blueprint():
    return bp
