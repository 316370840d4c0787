"""All registries of the host, of Flask and of the interpreter that a plugin can leave a trace in."""

import logging
import sys

from backend import plugin_hooks
from backend.event_stream import event_stream
from backend.plugin_manager import plugin_manager
from backend.scheduler import scheduler
from backend.slash_commands import command_registry
from flask import current_app

HOOKS = (
    "_tool_guards",
    "_message_interceptors",
    "_turn_context_providers",
    "_busy_message_providers",
    "_builtin_suppressors",
    "_state_handlers",
)
MANAGER = ("_handlers", "_modules", "_event_bridges", "_blueprints", "_dashboard_cards")
FLASK = (
    "blueprints",
    "view_functions",
    "before_request_funcs",
    "after_request_funcs",
    "teardown_request_funcs",
    "template_context_processors",
    "url_value_preprocessors",
    "url_default_functions",
    "error_handler_spec",
    "teardown_appcontext_funcs",
    "url_build_error_handlers",
    "shell_context_processors",
    "extensions",
)
JINJA = ("filters", "tests", "globals")


def registries(plugin):
    """The live containers, by name."""
    found = {name: getattr(plugin_hooks, name) for name in HOOKS}
    found.update({name: getattr(plugin_manager, name) for name in MANAGER})
    found["listeners"] = {event: those for event, those in event_stream._listeners.items() if those}
    found["commands"] = command_registry._commands
    app = current_app._get_current_object()
    found.update({name: _filled(getattr(app, name)) for name in FLASK})
    found.update({name: getattr(app.jinja_env, name) for name in JINJA})
    found["converters"] = app.url_map.converters
    found["rules"] = list(app.url_map.iter_rules())
    prefixes = ("plugins." + plugin, f"plugin_pkg_{plugin}_")
    found["sys.modules"] = {name: each for name, each in sorted(sys.modules.items()) if name.startswith(prefixes)}
    package = vars(sys.modules["plugins"]) if "plugins" in sys.modules else {}
    found["plugins"] = {name: each for name, each in package.items() if name == plugin}
    found["sys.meta_path"], found["sys.path"] = sys.meta_path, sys.path
    found["log handlers"] = logging.root.handlers
    return found


def objects(plugin):
    """The same with every container copied, down to what is registered."""
    return {name: _copied(those) for name, those in registries(plugin).items()}


def labels(plugin):
    """The same in words, in order."""
    found = {name: _in_words(those) for name, those in registries(plugin).items()}
    found["schedules"] = sorted(f"{each['owner_id']}: {each['name']}" for each in scheduler.list_schedules())
    found["staged"] = sorted(_nameless(name) for name in sys.modules if name.startswith("evonic_plugin_"))
    found["loggers"] = len(logging.root.manager.loggerDict)
    return found


def differences(before, after):
    """The names under which `after` holds others than the objects in `before`, or in another order."""
    return sorted(name for name in {**before, **after} if not _same(before.get(name), after.get(name)))


def _filled(those):
    """Flask makes an empty place wherever it looks."""
    if not isinstance(those, dict):
        return those
    return {key: each for key, each in those.items() if each or not isinstance(each, (dict, list))}


def _copied(value):
    if isinstance(value, dict):
        return [(key, _copied(each)) for key, each in value.items()]
    return [_copied(each) for each in value] if isinstance(value, (list, tuple)) else value


def _same(one, other):
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_same, one, other))
    return one is other or (isinstance(one, (str, int)) and one == other)


def _in_words(value):
    if isinstance(value, dict):
        return [[_in_words(key) if isinstance(key, type) else str(key), _in_words(each)] for key, each in value.items()]
    if isinstance(value, (list, tuple)):
        return [_in_words(each) for each in value]
    if hasattr(value, "rule") and hasattr(value, "endpoint"):
        return [str(value.rule), sorted(value.methods or ()), str(value.endpoint)]
    if hasattr(value, "handler") and hasattr(value, "description"):
        return [value.description, _in_words(value.handler)]
    value = getattr(value, "__wrapped__", value)
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None) or type(value).__name__
    return f"{_nameless(getattr(value, '__module__', None) or '')}:{_nameless(name)}"


def _nameless(module):
    """A module's name without what tells one generation from another."""
    head, _, rest = module.partition(".")
    if head.startswith(("evonic_plugin_", "plugin_pkg_")):
        head = "plugin"
    return f"{head}.{rest}"
