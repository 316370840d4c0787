"""Lets a test look into the server and do there what the web page or an agent would."""

import importlib
import os
import sys
import threading
import types

from flask import Blueprint, jsonify, request

bp = Blueprint("inspector", __name__)
HOOKS = (
    "_tool_guards",
    "_message_interceptors",
    "_turn_context_providers",
    "_busy_message_providers",
    "_builtin_suppressors",
)


def _label(value):
    module = getattr(value, "__module__", "?").split(".")[-1]
    return f"{module}.{getattr(value, '__qualname__', '?')}"


@bp.route("/plugin/inspector/emit", methods=["POST"])
def emit():
    from backend.event_stream import event_stream

    given = request.get_json()
    event_stream.emit(given["event"], given.get("data", {}))
    return jsonify(True)


@bp.route("/plugin/inspector/registries", methods=["POST"])
def registries():
    from backend import plugin_hooks
    from backend.event_stream import event_stream
    from backend.plugin_manager import plugin_manager
    from backend.slash_commands import command_registry

    found = {name: [_label(fn) for fn in getattr(plugin_hooks, name)] for name in HOOKS}
    found["_state_handlers"] = list(plugin_hooks._state_handlers)
    found["listeners"] = {event: len(all_) for event, all_ in event_stream._listeners.items() if all_}
    found["handlers"] = {event: [entry[0] for entry in all_] for event, all_ in plugin_manager._handlers.items()}
    found["commands"] = list(command_registry._commands)
    found["cards"] = {plugin: [card for card, _ in all_] for plugin, all_ in plugin_manager._dashboard_cards.items()}
    found["modules"] = sorted(plugin_manager._modules)
    found["blueprints"] = sorted(plugin_manager._blueprints)
    return jsonify(found)


@bp.route("/plugin/inspector/threads", methods=["POST"])
def threads():
    return jsonify(sorted(thread.name for thread in threading.enumerate()))


@bp.route("/plugin/inspector/ended", methods=["POST"])
def ended():
    """Waits for the threads of a name to end; whether they have."""
    found = [thread for thread in threading.enumerate() if thread.name == request.json["name"]]
    for thread in found:
        thread.join(10)
    return jsonify(not any(thread.is_alive() for thread in found))


@bp.route("/plugin/inspector/attribute", methods=["POST"])
def attribute():
    """The value of an attribute of a module, imported as anybody outside of the plugin would."""
    given = request.get_json()
    return jsonify(getattr(importlib.import_module(given["module"]), given["name"]))


@bp.route("/plugin/inspector/loaded", methods=["POST"])
def loaded():
    prefix = request.get_json()["prefix"]
    return jsonify(sorted(name for name in sys.modules if name == prefix or name.startswith(prefix + ".")))


@bp.route("/plugin/inspector/slash", methods=["POST"])
def slash():
    from backend.slash_commands import execute_command

    given = request.get_json()
    return jsonify(execute_command(given["command"], given.get("args", ""), "s", "a", "u", None))


@bp.route("/plugin/inspector/guard", methods=["POST"])
def guard():
    from backend.plugin_hooks import check_tool_guards

    return jsonify(check_tool_guards("agent", request.get_json()["tool"], {}))


@bp.route("/plugin/inspector/context", methods=["POST"])
def context():
    from backend.plugin_hooks import get_turn_context

    return jsonify(get_turn_context("agent", "session"))


@bp.route("/plugin/inspector/ask", methods=["POST"])
def ask():
    """What a function of the host that asks the hooks returns."""
    from backend import plugin_hooks

    given = request.get_json()
    return jsonify(getattr(plugin_hooks, given["function"])(*given["arguments"]))


@bp.route("/plugin/inspector/flood", methods=["POST"])
def flood():
    """Many events, as fast as the host can."""
    from backend.event_stream import event_stream

    given = request.get_json()
    for number in range(given["times"]):
        event_stream.emit(given["event"], {"n": number})
    return jsonify(True)


@bp.route("/plugin/inspector/frames", methods=["POST"])
def frames():
    """How many frames and tracebacks of a file something still holds."""
    import gc
    import types

    gc.collect()
    file = request.get_json()["file"]
    kinds = (types.FrameType, types.TracebackType)
    held = [each for each in gc.get_objects() if isinstance(each, kinds)]
    held = [each if isinstance(each, types.FrameType) else each.tb_frame for each in held]
    return jsonify(sum(each.f_code.co_filename.endswith(file) for each in held))


@bp.route("/plugin/inspector/card_results", methods=["POST"])
def card_results():
    from backend.plugin_manager import plugin_manager

    return jsonify(plugin_manager.get_dashboard_cards())


@bp.route("/plugin/inspector/toggle", methods=["POST"])
def toggle():
    """What the switch on the web page does."""
    from backend.plugin_manager import plugin_manager

    given = request.get_json()
    return jsonify("error" not in plugin_manager.set_plugin_enabled(given["plugin"], given["enabled"]))


@bp.route("/plugin/inspector/configure", methods=["POST"])
def configure():
    """What a saved configuration does."""
    from backend.plugin_manager import plugin_manager

    given = request.get_json()
    return jsonify(plugin_manager.set_plugin_config(given["plugin"], given["values"]))


@bp.route("/plugin/inspector/uninstall", methods=["POST"])
def uninstall():
    from backend.plugin_manager import plugin_manager

    return jsonify(plugin_manager.uninstall_plugin(request.get_json()["plugin"]))


@bp.route("/plugin/inspector/reload", methods=["POST"])
def reload():
    from backend.plugin_manager import plugin_manager

    plugin_manager.reload_plugin(request.get_json()["plugin"])
    return jsonify(True)


@bp.route("/plugin/inspector/log", methods=["POST"])
def log():
    from backend.plugin_manager import plugin_manager

    given = request.get_json()
    plugin_manager.add_log(given["plugin"], "info", given["message"])
    return jsonify(True)


@bp.route("/plugin/inspector/schedules", methods=["POST"])
def schedules():
    from backend.scheduler import scheduler

    listed = scheduler.list_schedules(owner_type="plugin", owner_id=request.get_json()["plugin"])
    return jsonify([each["id"] for each in listed])


@bp.route("/plugin/inspector/process", methods=["POST"])
def process():
    names = ("json", "flask", "backend.event_stream")
    return jsonify(cwd=os.getcwd(), path=sys.path, modules=[repr(sys.modules.get(name)) for name in names])


# A module that is in nobody's books, as the host's tools of skills are.
_holder = types.ModuleType("holder")
_holder.__file__ = "holder.py"


@bp.route("/plugin/inspector/hold", methods=["POST"])
def hold():
    given = request.get_json()
    vars(_holder).pop("get", None)
    value = getattr(importlib.import_module(given["module"]), given["name"])
    setattr(_holder, given["name"], value)
    return jsonify(True)


@bp.route("/plugin/inspector/held", methods=["POST"])
def held():
    return jsonify(getattr(_holder, request.get_json()["name"])())


def create_blueprint():
    return bp
