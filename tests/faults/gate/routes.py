"""Stops the host, or ends it, at a step of the bridge that a test names; and turns its clock."""

import functools
import gc
import os
import re
import signal
import sys
import threading
import time
import types

from flask import Blueprint, jsonify, request

bp = Blueprint("gate", __name__)
LIMIT = 20
BRIDGE = r"plugin_pkg_evonic_lsp_\d+\."
_reached, _go_on = threading.Event(), threading.Event()
_time = time.time
# A module that is in nobody's books, as the host's tools of skills are.
_heir = types.ModuleType("heir")
_heir.__file__ = "heir.py"


@bp.route("/plugin/gate/at", methods=["POST"])
def at():
    """The next call of ``module:Class.function`` of the bridge (with the argument `only`, if it is given) waits until
    /open, or ends the host: `before` it begins, or `after` it has ended."""
    given = request.get_json()
    _reached.clear()
    _go_on.clear()
    module, _, path = given["step"].partition(":")
    *outer, name = path.split(".")
    wanted = re.compile(BRIDGE + re.escape(module))
    owner = next(found for key, found in list(sys.modules.items()) if wanted.fullmatch(key))
    owner = functools.reduce(getattr, outer, owner)
    real = getattr(owner, name)

    def stop():
        setattr(owner, name, real)
        if given["then"] == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        _reached.set()
        assert _go_on.wait(LIMIT)

    def stopping(*args, **options):
        if given.get("only") is not None and given["only"] not in args:
            return real(*args, **options)
        if given.get("when") != "after":
            stop()
            return real(*args, **options)
        result = real(*args, **options)
        stop()
        return result

    setattr(owner, name, stopping)
    return jsonify(True)


@bp.route("/plugin/gate/reached", methods=["POST"])
def reached():
    return jsonify(_reached.wait(LIMIT))


@bp.route("/plugin/gate/open", methods=["POST"])
def open_():
    _go_on.set()
    return jsonify(True)


@bp.route("/plugin/gate/clock", methods=["POST"])
def clock():
    """The clock is `seconds` off from now on."""
    seconds = request.get_json()["seconds"]
    time.time = (lambda: _time() + seconds) if seconds else _time
    return jsonify(True)


@bp.route("/plugin/gate/log", methods=["POST"])
def log():
    """A plugin logs `times` lines of `size` characters each, at once; the host itself does not keep them."""
    from backend.plugin_manager import plugin_manager

    given = request.get_json()
    for number in range(given["times"]):
        plugin_manager.add_log(given["plugin"], "info", f"{number} ".ljust(given["size"], given.get("character", "x")))
    plugin_manager.clear_logs(given["plugin"])
    return jsonify(True)


@bp.route("/plugin/gate/tell", methods=["POST"])
def tell():
    """Every client is told something long, so many times: more than any plugin can have them told."""
    given = request.get_json()
    handler = next(found for name, found in sys.modules.items() if re.fullmatch(BRIDGE + "handler", name))
    for _ in range(given["times"]):
        handler._service._notify("plugin/told", "x" * given["size"])
    return jsonify(True)


@bp.route("/plugin/gate/pass_on", methods=["POST"])
def pass_on():
    """What a module of the inspector holds, from now on another module holds."""
    name = request.get_json()["name"]
    holder = next(found for found in gc.get_objects() if getattr(found, "__file__", None) == "holder.py")
    setattr(_heir, name, vars(holder).pop(name))
    return jsonify(True)


def create_blueprint():
    return bp
