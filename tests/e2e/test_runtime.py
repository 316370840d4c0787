"""What goes wrong while a plugin serves: every kind of it is told, and the host does what it always did."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request

import hosts
import pytest
from e2e.ears import LIMIT, Ear, details, errors_of

HOOKS = {
    "register_tool_guard": ("tool guard", "check_tool_guards", ["agent", "tool", {}], None),
    "register_message_interceptor": ("message interceptor", "run_message_interceptors", ["a", "text", []], []),
    "register_turn_context_provider": ("turn context provider", "get_turn_context", ["agent", "s"], []),
    "register_busy_message_provider": ("busy message provider", "get_busy_message", ["agent", None], None),
    "register_builtin_suppressor": ("builtin suppressor", "should_suppress_builtin", ["agent", "tool", {}], False),
}
EVERYTHING = """
import threading
from backend import plugin_hooks
from backend.event_stream import event_stream
from backend.slash_commands import command_registry
from flask import Blueprint

def on_message_received(event, sdk): raise ValueError("event")
def listener(event): raise ValueError("listener")
event_stream.on("custom_{id}", listener)
def on_slash_command_declared{id}(sdk, args): raise ValueError("declared")
def in_code(*arguments): raise ValueError("in code")
command_registry.register("incode{id}", in_code, "")
def card(sdk): raise ValueError("card")
def hook(*arguments): raise ValueError("hook")
for name in {hooks!r}:
    getattr(plugin_hooks, name)(hook)
def state(*arguments): raise ValueError("state")
plugin_hooks.register_state_handler("{id}", state)
bp = Blueprint("{id}", __name__)
@bp.route("/plugin/{id}/boom/<int:n>")
def view(n): raise ValueError("view")
@bp.route("/plugin/{id}/stream")
def stream():
    def lines():
        yield "one"
        raise ValueError("stream")
    return lines()
@bp.route("/plugin/{id}/missing")
def missing():
    from flask import abort
    abort(404)
@bp.route("/plugin/{id}/thread")
def start():
    def work(): raise ValueError("thread")
    threading.Thread(target=work, name="worker-7").start()
    return {{}}
def create_blueprint(): return bp
"""


def everything(plugin):
    return {
        "handler": EVERYTHING.format(id=plugin, hooks=list(HOOKS)),
        "manifest": {
            "events": ["message_received"],
            "slash_commands": [{"id": f"declared{plugin}", "description": "d"}],
            "dashboard_cards": [{"id": "c", "handler": "card"}],
        },
    }


@pytest.fixture(scope="module", params=["loaded by the host", "reloaded"])
def broken(request, kind, fresh_root):
    """A host with a plugin in which everything fails: in the host's own load of it, and in one of ours."""
    root = fresh_root(kind)
    hosts.write_plugin(root, "probe", **everything("probe"))
    assert hosts.evonic(root, "plugin", "enable", "probe").returncode == 0
    running = hosts.RunningHost(root).start()
    with running.client() as client:
        if request.param == "reloaded":
            assert client.reload("probe").generation == 1
        else:
            assert details(client, "probe").info.generation == 0
    heard = Ear(running)
    yield running, heard
    running.stop()


def printed(host, text):
    end = time.monotonic() + LIMIT
    while text not in host.log():
        assert time.monotonic() < end, host.log()
        time.sleep(0.01)  # a file has no event to wait for


def line_of(text):
    lines = everything("probe")["handler"].split("\n")
    return next(number for number, line in enumerate(lines) if text in line)


def check(failure, trigger, name, message):
    assert (failure.trigger, failure.name) == (trigger, name)
    assert (failure.problem.code, failure.problem.message) == ("ValueError", f"ValueError: {message}")
    place = failure.problem.place
    assert (place.plugin, place.file, place.start_line) == ("probe", "handler.py", line_of(f'ValueError("{message}")'))
    assert place.first[place.start_column : place.end_column].endswith(f'raise ValueError("{message}")')
    assert failure.count >= 1
    assert "evonic_lsp" not in failure.problem.traceback.split("\n")[1]


def test_an_event_handler(broken):
    host, heard = broken
    host.inspect("emit", event="message_received")
    check(heard.error("probe", lambda each: each.trigger == "event"), "event", "message_received", "event")
    heard.until(lambda: any("Handler error: event" in each["message"] for each in heard.of("plugin/log", "probe")))
    printed(host, "Handler error in 'probe'")


def test_a_listener_of_the_stream(broken):
    host, heard = broken
    host.inspect("emit", event="custom_probe")
    check(heard.error("probe", lambda each: each.name == "custom_probe"), "event", "custom_probe", "listener")


def test_slash_commands(broken):
    host, heard = broken
    assert "declared" in host.inspect("slash", command="declaredprobe")
    check(
        heard.error("probe", lambda each: each.name == "/declaredprobe"), "slash command", "/declaredprobe", "declared"
    )
    with pytest.raises(urllib.error.HTTPError):
        host.inspect("slash", command="incodeprobe")
    check(heard.error("probe", lambda each: each.name == "/incodeprobe"), "slash command", "/incodeprobe", "in code")


def test_a_dashboard_card(broken):
    host, heard = broken
    host.inspect("card_results")
    check(heard.error("probe", lambda each: each.trigger == "dashboard card"), "dashboard card", "c", "card")


@pytest.mark.parametrize("register", HOOKS)
def test_hooks(broken, register):
    host, heard = broken
    trigger, function, arguments, answer = HOOKS[register]
    assert host.inspect("ask", function=function, arguments=arguments) == answer
    check(heard.error("probe", lambda each: each.trigger == trigger), trigger, "hook", "hook")


def test_a_state_handler(broken):
    host, heard = broken
    answer = host.inspect("ask", function="dispatch_state", arguments=["a", "s", None, "probe:x", {}])
    assert "state" in answer["error"]
    check(heard.error("probe", lambda each: each.trigger == "state handler"), "state handler", "probe", "state")


def test_a_view(broken):
    host, heard = broken
    assert host.status_of("/plugin/probe/boom/3") == 500
    name = "GET /plugin/probe/boom/<int:n>"
    check(heard.error("probe", lambda each: each.trigger == "route"), "route", name, "view")
    assert host.status_of("/plugin/probe/missing") == 404
    with host.client() as client:
        found = {each.function: each for each in details(client, "probe").handlers if each.trigger == "route"}
        assert (found["missing"].calls, found["missing"].errors) == (1, 0)
        assert found["view"].errors >= 1


def test_an_answer_that_breaks_while_it_is_sent(broken):
    host, heard = broken
    with urllib.request.urlopen(f"http://127.0.0.1:{host.port}/plugin/probe/stream") as answer:
        try:  # to its end: what nobody reads may never be made
            body = answer.read()
        except http.client.IncompleteRead as broken_off:
            body = broken_off.partial
    assert body == b"one"
    name = "GET /plugin/probe/stream"
    check(heard.error("probe", lambda each: each.name == name), "route", name, "stream")


def test_a_thread(broken):
    host, heard = broken
    host.get("/plugin/probe/thread")
    check(heard.error("probe", lambda each: each.trigger == "thread"), "thread", "worker", "thread")
    printed(host, "worker-7")  # as Python says it


def test_others_see_the_functions_themselves(broken):
    host, _ = broken
    found = host.inspect("registries")
    for name in found:
        if name.startswith("_") and name != "_state_handlers":
            assert "handler.hook" in found[name]


def test_what_is_registered_is_listed_with_its_place(broken):
    host, _ = broken
    with host.client() as client:
        found = details(client, "probe")
    triggers = {each.trigger for each in found.handlers}
    assert triggers == {
        "event",
        "slash command",
        "dashboard card",
        "route",
        "state handler",
        *(h[0] for h in HOOKS.values()),
    }
    for each in found.handlers:
        assert each.place.file == "handler.py"
        assert each.function in each.place.first or each.place.first.startswith("@bp.route")
    lines = [each.place.start_line for each in found.handlers]
    assert lines == sorted(lines)


# ── One error, many times ──

FAILING = "def on_message_received(event, sdk):\n    {}[event.get('n')]\n"
EVENTS = {"events": ["message_received"]}


def test_the_same_error_is_one_entry_until_a_good_reload(host, plugin, client, ear):
    probe = plugin(handler=FAILING, manifest=EVENTS)
    for number in (1, 2, 3):
        host.inspect("emit", event="message_received", data={"n": number})
    last = ear.error(probe.id, lambda each: each.count == 3)
    assert {each.key for each in ear.errors(probe.id)} == {last.key}
    assert last.first_at <= last.last_at <= time.time()
    assert [each.count for each in errors_of(client, probe.id)] == [3]
    probe.write(handler="boom")
    assert probe.reload().failed
    assert len(errors_of(client, probe.id)) == 1
    probe.write(handler="def on_message_received(event, sdk): pass\n", manifest=EVENTS)
    assert not probe.reload().failed
    assert errors_of(client, probe.id) == []


def test_ten_thousand_failures_are_a_few_messages(host, plugin, client, ear):
    probe = plugin(handler=FAILING, manifest=EVENTS)
    began = time.monotonic()
    host.inspect("flood", event="message_received", times=10_000)
    last = ear.error(probe.id, lambda each: each.count == 10_000)
    seconds = time.monotonic() - began
    assert last.problem.code == "KeyError"
    assert len(ear.errors(probe.id)) <= 2 * seconds + 2
    lines = ear.of("plugin/log", probe.id)
    assert len(lines) <= 20 + 7 * (2 * seconds + 2)
    assert any("more" in each["message"] for each in lines)
    handler = details(client, probe.id).handlers[0]
    assert (handler.calls, handler.errors) == (10_000, 10_000)


def test_nothing_of_a_failure_is_kept_alive(host, plugin, client, ear):
    probe = plugin(handler=FAILING, manifest=EVENTS)
    file = f"plugins/{probe.id}/handler.py"
    for number in range(20):
        host.inspect("emit", event="message_received", data={"n": number})
    ear.error(probe.id, lambda each: each.count == 20)
    end = time.monotonic() + LIMIT
    while host.inspect("frames", file=file) and time.monotonic() < end:
        time.sleep(0.05)  # a pool's thread may still be on its way out
    assert host.inspect("frames", file=file) == 0


def test_clear(host, plugin, client, ear):
    probe = plugin(handler=FAILING, manifest=EVENTS)
    host.inspect("emit", event="message_received", data={})
    ear.error(probe.id)
    client.call("plugin/clear", {"plugin": probe.id})
    ear.until(lambda: ear.of("plugin/cleared", probe.id))
    assert errors_of(client, probe.id) == []


def test_a_wrong_signature_is_placed_at_the_function(host, plugin, ear):
    probe = plugin(handler="\ndef on_message_received(event): pass\n", manifest=EVENTS)
    host.inspect("emit", event="message_received")
    place = ear.error(probe.id).problem.place
    assert (place.file, place.start_line, place.first) == ("handler.py", 1, "def on_message_received(event): pass")


def test_positions_are_of_the_text_that_ran(host, plugin, ear):
    probe = plugin(handler=FAILING, manifest=EVENTS)
    probe.write(handler="# one\n# two\n# three\n", manifest=EVENTS)
    host.inspect("emit", event="message_received")
    place = ear.error(probe.id).problem.place
    assert (place.start_line, place.first) == (1, "    {}[event.get('n')]")


def test_a_thread_of_an_old_version_is_told_with_its_own_text(host, plugin, ear, client):
    text = """
import threading
GO = threading.Event()
def work():
    GO.wait()
    raise KeyError("late")
threading.Thread(target=work, daemon=True).start()
import json
json.go_{id} = GO
def on_turn_complete(event, sdk):
    json.go_{id}.set()
"""
    probe = plugin(handler="")
    probe.write(handler=text.format(id=probe.id), manifest={"events": ["turn_complete"]})
    first = probe.reload().generation
    changed = f"import json\ndef on_turn_complete(event, sdk):\n    json.go_{probe.id}.set()\n"
    probe.write(handler=changed, manifest={"events": ["turn_complete"]})
    assert probe.reload().generation == first + 1
    host.inspect("emit", event="turn_complete")
    failure = ear.error(probe.id)
    assert (failure.generation, failure.problem.place.first) == (first, '    raise KeyError("late")')


def test_the_code_of_another_plugin(host, plugin, ear):
    other = plugin(handler="def fail(): raise KeyError('theirs')\n")
    text = f"def on_message_received(event, sdk):\n    from plugins.{other.id}.handler import fail\n    fail()\n"
    probe = plugin(handler=text, manifest=EVENTS)
    host.inspect("emit", event="message_received")
    problem = ear.error(probe.id).problem
    assert (problem.place.plugin, problem.place.start_line) == (probe.id, 2)
    assert other.id in [each.place.plugin for each in problem.related if each.place]
    assert ear.errors(other.id) == []
