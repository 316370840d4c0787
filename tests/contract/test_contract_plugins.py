"""What plugins register, how it is called, and what happens to their errors."""

from __future__ import annotations

import pytest

CAPTURE = """
import logging, sys
from backend.plugin_manager import plugin_manager as m
class Capture(logging.Handler):
    def __init__(self): super().__init__(); self.records = []
    def emit(self, record): self.records.append([record.levelname, record.getMessage(), bool(record.exc_info)])
capture = Capture()
logging.getLogger(logger).addHandler(capture)
try:
    exec(watched)
finally:
    logging.getLogger(logger).removeHandler(capture)
result = capture.records
"""
WAITING = """
import threading
SEEN, DONE, THREADS = [], threading.Event(), []
def on_message_received(event, sdk):
    SEEN.append(event.get("n"))
    THREADS.append(threading.current_thread().name)
    FACTS.update(plugin=sdk.plugin_id, config=sdk.config, same=sdk.event is event, event=dict(event))
    sdk.log("heard", "warn")
    DONE.set()
FACTS = {}
def on_turn_complete(event, sdk):
    raise LookupError("from the handler")
"""
LISTENING = {"events": ["message_received", "turn_complete"]}
WAIT = """
from backend.plugin_manager import plugin_manager as m
handler = m._modules[name]
assert handler.DONE.wait(10)
"""


@pytest.fixture
def logged(look):
    """logged(logger, code): what a logger of the host hears while `code` runs: [level, message, with traceback]."""
    return lambda logger, code, **names: look(CAPTURE, logger=logger, watched=code, **names)


# ── Events ──


def test_an_event_reaches_its_handler(host, look, plugin):
    name = plugin(handler=WAITING, manifest={**LISTENING, "variables": [{"name": "tone", "default": "kind"}]})
    host.inspect("emit", event="message_received", data={"n": 1})
    code = "result = [handler.SEEN, handler.THREADS[0].split('_')[0], handler.FACTS, m.get_logs(name)[-1]]"
    found = look(WAIT + code, name=name)
    seen, thread, facts, entry = found
    assert (seen, thread) == ([1], "plugin")
    assert (facts["plugin"], facts["config"], facts["same"]) == (name, {"tone": "kind"}, True)
    assert facts["event"]["_event"] == "message_received"
    assert facts["event"]["_seq"] > 0
    assert (entry["level"], entry["message"]) == ("warn", "heard")


def test_events_can_be_switched_off_for_all_plugins(look, plugin):
    name = plugin(handler=WAITING, manifest=LISTENING)
    seen = look(
        """
from models.db import db
from backend.plugin_manager import plugin_manager as m
bridge = dict(m._event_bridges[name])["message_received"]
db.set_setting("events_dispatch_enabled", "0")
bridge({"n": 1})
db.set_setting("events_dispatch_enabled", "1")
bridge({"n": 2})
assert m._modules[name].DONE.wait(10)
result = m._modules[name].SEEN
""",
        name=name,
    )
    assert seen == [2]


def test_an_error_in_a_handler_is_logged_and_goes_no_further(logged, look, plugin):
    name = plugin(handler=WAITING, manifest=LISTENING)
    call = "m._safe_call(name, m._modules[name].on_turn_complete, {}, None)"
    (record,) = logged("backend.plugin_lifecycle", call, name=name)
    assert record == ["ERROR", f"Handler error in '{name}': from the handler", True]
    last = "from backend.plugin_manager import plugin_manager as m\nresult = m.get_logs(name)[-1]"
    assert look(last, name=name)["message"] == "Handler error: from the handler"


def test_the_event_stream_itself(look):
    found = look("""
import threading
from backend.event_stream import event_stream as stream
heard, done, names = [], threading.Event(), []
def listener(data):
    heard.append(dict(data)); names.append(threading.current_thread().name); done.set()
    raise LookupError("a listener's error goes no further")
stream.on("contract", listener)
data = {"n": 1, "session_id": "contract-session"}
stream.emit("contract", data)
assert done.wait(10)
stream.off("contract", listener)
stream.off("contract", listener)
stream.off("never heard of", listener)
left = listener in stream._listeners.get("contract", [])
stream.emit("contract", {"n": 2})
kept = [each for each in stream._global_buffer if each["event"] == "contract"]
result = dict(
    heard=heard, data=data, left=left, thread=names[0].split("_")[0], kept=[each["data"]["n"] for each in kept],
    keys=sorted(kept[0]), session=[each["data"]["n"] for each in stream.get_session_events("contract-session")],
    rising=kept[0]["seq"] < kept[1]["seq"], lock=hasattr(stream._lock, "acquire"),
)
""")
    assert found["heard"] == [found["data"]]
    assert found["data"]["_event"] == "contract"
    assert found["kept"][-2:] == [1, 2]
    assert found["keys"] == ["data", "event", "seq"]
    assert found["session"] == [1]
    assert (found["left"], found["rising"], found["lock"], found["thread"]) == (False, True, True, "event")


# ── Hooks ──

HOOKS = """
from backend.plugin_hooks import *
from backend import plugin_hooks as h
def fails(*a): raise LookupError("swallowed")
def silent(*a): return None
def guard(agent, tool, args): return {"block": True, "error": args["why"]} if tool == "contract" else None
def allows(agent, tool, args): return {"block": False}
def text(agent, content, messages): return {"inject": content + "!"}
def messages(agent, content, messages): return {"inject": [{"role": "system", "content": "m"}]}
def context(agent, session): return {"id": "contract", "system_md": agent + session} if agent == "contract" else None
def first(agent, state): return "first" if agent == "contract" else None
def second(agent, state): return "second" if agent == "contract" else None
def suppress(agent, tool, definition): return tool == "contract"
def state(agent, session, agent_state, label, data):
    if data == "fail": raise LookupError("from the state")
    return {"success": True, "state": label, "message": data}
groups = [
    ("tool_guard", [fails, silent, allows, guard]), ("message_interceptor", [fails, silent, text, messages]),
    ("turn_context_provider", [fails, context]), ("busy_message_provider", [fails, first, second, silent]),
    ("builtin_suppressor", [fails, silent, suppress]),
]
before = {name: list(getattr(h, "_" + name + "s")) for name, _ in groups}
for name, hooks in groups:
    for hook in hooks + hooks:  # the second time counts for nothing
        getattr(h, "register_" + name)(hook)
h.register_state_handler("contract", state)
added = {name: len(getattr(h, "_" + name + "s")) - len(before[name]) for name, _ in groups}
result = dict(
    added=added,
    guard=h.check_tool_guards("a", "contract", {"why": "w"}),
    allowed=h.check_tool_guards("a", "some-other-tool", {}),
    injected=h.run_message_interceptors("a", "hi", []),
    context=h.get_turn_context("contract", "-s"),
    busy=h.get_busy_message("contract", None),
    hidden=[h.should_suppress_builtin("a", tool, {}) for tool in ("contract", "other")],
    state=h.dispatch_state("a", "s", None, "contract:go", "d"),
    failed=h.dispatch_state("a", "s", None, "contract:go", "fail"),
    unknown=h.dispatch_state("a", "s", None, "nobody:go", None),
)
for name, hooks in groups:
    for hook in hooks + hooks:
        getattr(h, "unregister_" + name)(hook)
h.unregister_state_handler("contract")
h.unregister_state_handler("contract")
result["left"] = [name for name, _ in groups if getattr(h, "_" + name + "s") != before[name]]
"""


def test_the_six_hook_registries(look):
    found = look(HOOKS)
    assert found.pop("unknown")["error"]
    failed = found.pop("failed")
    assert "from the state" in failed["error"]
    assert [each for each in found.pop("injected") if each["content"] in ("hi!", "m")] == [
        {"role": "user", "content": "hi!"},
        {"role": "system", "content": "m"},
    ]
    assert found == {
        "added": {
            "tool_guard": 4,
            "message_interceptor": 4,
            "turn_context_provider": 2,
            "busy_message_provider": 4,
            "builtin_suppressor": 3,
        },
        "guard": {"block": True, "error": "w"},
        "allowed": None,
        "context": [{"id": "contract", "system_md": "contract-s"}],
        "busy": "second",
        "hidden": [True, False],
        "state": {"success": True, "state": "contract:go", "message": "d", "namespace": "contract"},
        "left": [],
    }


def test_the_manager_hands_out_the_hooks_too(look):
    same = """
from backend import plugin_hooks, plugin_manager
names = [prefix + kind for prefix in ("register_", "unregister_") for kind in (
    "tool_guard", "message_interceptor", "turn_context_provider", "busy_message_provider", "builtin_suppressor",
    "state_handler")]
names += ["check_tool_guards", "run_message_interceptors", "get_turn_context", "get_busy_message",
          "should_suppress_builtin", "dispatch_state", "get_state_summary"]
result = [name for name in names if getattr(plugin_manager, name, 0) is not getattr(plugin_hooks, name, 1)]
"""
    assert look(same) == []


# ── Slash commands ──


def test_slash_commands_of_the_manifest(host, look, logged, plugin):
    name = plugin(
        handler="def on_slash_command_given(sdk, args): return [sdk.plugin_id, args]\n"
        "def on_slash_command_silent(sdk, args): return None\n"
        "def on_slash_command_failing(sdk, args): raise LookupError('from the command')\n",
        manifest={"slash_commands": [{"id": each} for each in ("given", "silent", "failing", "absent")]},
    )
    assert host.inspect("slash", command="given", args="a b") == str([name, "a b"])
    assert host.inspect("slash", command="silent") == ""
    assert host.inspect("slash", command="absent") is None
    assert host.inspect("slash", command="nobody") is None
    run = "from backend.slash_commands import execute_command\n"
    run += "assert 'from the command' in execute_command('failing', '', 's', 'a', 'u')"
    ((level, _, traceback),) = logged("backend.plugin_sdk", run)
    assert (level, traceback) == ("ERROR", True)
    closure = "from backend.slash_commands import command_registry\nfrom backend.plugin_sdk import PluginSDK\n"
    closure += "command = command_registry._commands['given']\nhandler = command.handler\n"
    closure += "cells = dict(zip(handler.__code__.co_freevars, handler.__closure__))\n"
    closure += "sdk = cells['self'].cell_contents\nresult = [command.name, type(sdk) is PluginSDK, sdk.plugin_id]"
    assert look(closure) == ["given", True, name]


def test_slash_commands_of_code(host, look, plugin):
    plugin(
        handler="from backend.slash_commands import command_registry\n"
        "def go(session_id, agent_id, external_user_id, channel_id, args): return f'{session_id}{agent_id}{args}'\n"
        "command_registry.register('codedemo', go, 'from code')\n"
    )
    assert host.inspect("slash", command="codedemo", args="!") == "sa!"
    listed = "from backend.slash_commands import command_registry as r\n"
    listed += "result = [dict(r.list_commands())['codedemo'], r.get('codedemo').name, r.get('nobody')]"
    assert look(listed) == ["from code", "codedemo", None]


# ── Dashboard cards ──


def test_dashboard_cards(host, plugin):
    cards = [{"id": "a", "handler": "bad"}, {"handler": "odd"}, {"id": "c", "handler": "good"}]
    name = plugin(
        handler="def good(sdk): return {'title': sdk.plugin_id}\n"
        "def bad(sdk): raise LookupError\n"
        "def odd(sdk): return 3\n",
        manifest={"dashboard_cards": cards},
    )
    assert {"title": name} in host.inspect("card_results")
    assert host.inspect("registries")["cards"][name] == ["a", "odd", "c"]


# ── Errors of a load ──

SWITCH_ON = "assert 'error' not in m.set_plugin_enabled(name, True)"


def test_a_handler_that_fails_is_logged_with_its_traceback_and_the_routes_are_loaded(host, logged, plugin):
    name = plugin(
        handler="raise LookupError('from the import')\n",
        routes="from flask import Blueprint\ndef create_blueprint(): return Blueprint('afterwards', __name__)\n",
    )
    (record,) = logged("backend.plugin_lifecycle", SWITCH_ON, name=name)
    assert record == ["ERROR", f"Failed to load plugin '{name}': from the import", True]
    found = host.inspect("registries")
    assert name not in found["modules"]
    assert name in found["blueprints"]


@pytest.mark.parametrize("where", ["import", "create_blueprint"])
def test_routes_that_fail_are_logged_without_a_traceback(host, look, logged, plugin, where):
    text = "raise LookupError('of the routes')\n"
    if where == "create_blueprint":
        text = "def create_blueprint(): " + text
    name = plugin(handler="", routes=text)
    ((level, message, traceback),) = logged("backend.plugin_lifecycle", SWITCH_ON, name=name)
    assert (level, traceback) == ("ERROR", False)
    assert name in message
    assert "of the routes" in message
    found = host.inspect("registries")
    assert name in found["modules"]
    assert name not in found["blueprints"]
    logs = "from backend.plugin_manager import plugin_manager as m\nresult = m.get_logs(name)[-1]"
    assert look(logs, name=name)["level"] == "error"


def test_routes_py_is_not_read_where_the_handler_makes_the_blueprint(host, plugin):
    name = plugin(
        handler="from flask import Blueprint\ndef create_blueprint(): return Blueprint('mine', __name__)\n",
        routes="raise LookupError('never read')\n",
    )
    assert name in host.inspect("registries")["blueprints"]


def test_a_folder_without_a_handler_is_a_plugin_too(host, plugin):
    name = plugin()
    found = host.inspect("registries")
    assert name not in found["modules"]
    assert host.inspect("loaded", prefix="plugins." + name) == []


# ── Modules ──


def test_a_module_is_reached_by_two_names(look, plugin):
    name = plugin(handler="from . import db\nfrom .db import VALUE\n", db="VALUE = []\n")
    found = look(
        """
import importlib, sys
from backend.plugin_manager import plugin_manager as m
other = importlib.import_module(f"plugins.{name}.db")
own = sys.modules[f"plugin_pkg_{name}_{id(m)}.db"]
result = [other is own, other.__file__ == own.__file__, m._modules[name].db is own,
          getattr(sys.modules["plugins"], "__file__", None), hasattr(sys.modules["plugins"], "__path__")]
""",
        name=name,
    )
    assert found == [False, True, True, None, True]


# ── The SDK ──


def test_the_sdk(look, plugin):
    name = plugin(handler="")
    found = look(
        """
from backend.plugin_sdk import PluginSDK
told = []
sdk = PluginSDK(name, {"a": 1}, {"b": 2}, log_callback=lambda *a: told.append(a))
sdk.log("one"); sdk.log("two", level="error"); sdk.log("three", "loud")
with sdk.get_db_connection() as db:
    db.execute("CREATE TABLE IF NOT EXISTS t (x)")
    db.execute("INSERT INTO t VALUES (1)")
    db.commit()
    row = db.execute("SELECT x FROM t").fetchone()["x"]
result = dict(told=told, row=row, config=sdk.config, event=sdk.event, id=sdk.plugin_id,
    refused=sdk.http_request("GET", "http://127.0.0.1:1/"), chained=sdk.register_slash_command("nobodys") is sdk)
""",
        name=name,
    )
    assert found["refused"].keys() == {"error", "ok"}
    assert found["refused"]["ok"] is False
    assert found["told"] == [[name, "info", "one"], [name, "error", "two"], [name, "info", "three"]]
    assert (found["row"], found["config"], found["event"], found["id"]) == (1, {"a": 1}, {"b": 2}, name)
    assert found["chained"] is True


def test_schedules_are_made_listed_fired_and_cancelled(look, plugin):
    name = plugin(handler="")
    found = look(
        """
import threading
from backend.event_stream import event_stream as stream
from backend.plugin_sdk import PluginSDK
names, seen, all_told = ("schedule_created", "schedule_fired", "schedule_cancelled"), {}, threading.Event()
def listener(data):
    if data.get("owner_id") == name:
        seen.setdefault(data["_event"], data)
    if len(seen) == 3:
        all_told.set()
own, fired = threading.Event(), []
def on_own(data): fired.append(data["x"]); own.set()
for each in names: stream.on(each, listener)
stream.on("contract_schedule", on_own)
sdk, other = PluginSDK(name, {}, {}), PluginSDK("somebody", {}, {})
try:
    once = sdk.create_schedule("once", "interval", {"seconds": 0.3}, "emit_event",
        {"event_name": "contract_schedule", "payload": {"x": 5}}, max_runs=1)
    later = sdk.create_schedule("later", "interval", {"hours": 1}, "emit_event", {"event_name": "e"}, metadata={"m": 1})
    assert own.wait(10)
    listed = [[each["name"], each["trigger_type"], each["owner_type"]] for each in sdk.list_schedules()]
    cancelled = [other.cancel_schedule(later["id"]), sdk.cancel_schedule(later["id"]), sdk.cancel_schedule(later["id"])]
    assert all_told.wait(10)
finally:
    for each in names: stream.off(each, listener)
    stream.off("contract_schedule", on_own)
result = dict(listed=listed, cancelled=cancelled, fired=fired, keys=sorted(seen["schedule_fired"]))
""",
        name=name,
    )
    assert ["later", "interval", "plugin"] in found["listed"]
    assert found["cancelled"] == [False, True, False]
    assert found["fired"] == [5]
    assert {"schedule_id", "name", "owner_type", "owner_id", "action_type", "fired_at"} <= set(found["keys"])
