"""What a reload does in a running host, asked for over the socket."""

from __future__ import annotations

import pytest

from evonic_lsp.bridge import wire

ROUTES = """
from flask import Blueprint, jsonify
bp = Blueprint({id!r}, __name__)
@bp.route("/plugin/{id}/version")
def version():
    from plugins.{id}.handler import VERSION, SEEN
    return jsonify(version=VERSION, seen=SEEN)
def create_blueprint():
    return bp
"""
HANDLER = """
VERSION = {version}
SEEN = []
def on_message_received(event, sdk):
    SEEN.append([VERSION, event.get("n")])
"""


def snapshot(host):
    return host.inspect("registries")


def test_what_the_host_loaded_is_adopted_and_replaced(host, plugin):
    probe = plugin(
        handler="""
from backend.plugin_hooks import register_tool_guard, register_turn_context_provider, register_state_handler
from backend.plugin_manager import register_message_interceptor, register_busy_message_provider
from backend.plugin_manager import register_builtin_suppressor
from backend.slash_commands import command_registry
def guard(agent, tool, args): return {"block": True, "error": "v1"} if tool == "adopted" else None
def provider(agent, session): return {"id": "adopted", "system_md": "v1"}
register_tool_guard(guard)
register_turn_context_provider(provider)
register_message_interceptor(lambda *a: None)
register_busy_message_provider(lambda *a: None)
register_builtin_suppressor(lambda *a: False)
register_state_handler("adopted", lambda *a: None)
command_registry.register("adoptedcode", lambda *a: "v1", "from code")
def on_slash_command_adopted(sdk, args): return "v1 " + args
def card(sdk): return {"title": "v1"}
def on_turn_complete(event, sdk): pass
""",
        manifest={
            "events": ["turn_complete"],
            "slash_commands": [{"id": "adopted", "description": "d"}],
            "dashboard_cards": [{"id": "c", "handler": "card"}],
        },
    )
    before = snapshot(host)
    assert host.inspect("slash", command="adopted", args="x") == "v1 x"
    text = (probe.folder / "handler.py").read_text()
    for version in range(2, 7):
        (probe.folder / "handler.py").write_text(text.replace("v1", f"v{version}"))
        assert probe.reload().status == wire.RELOADED
        assert host.inspect("slash", command="adopted", args="x") == f"v{version} x"
        assert host.inspect("slash", command="adoptedcode") == f"v{version}"
        assert host.inspect("guard", tool="adopted") == {"block": True, "error": f"v{version}"}
        assert [c["system_md"] for c in host.inspect("context") if c["id"] == "adopted"] == [f"v{version}"]
        assert {"title": f"v{version}"} in host.inspect("card_results")
        assert snapshot(host) == before


def test_what_is_no_longer_registered_is_gone(host, plugin):
    nothing = snapshot(host)
    probe = plugin(
        handler="from backend.plugin_hooks import register_tool_guard\n"
        "register_tool_guard(lambda *a: None)\ndef on_turn_complete(e, s): pass\n",
        manifest={"events": ["turn_complete"]},
    )
    assert snapshot(host) != nothing
    probe.write(handler="", manifest={})
    assert probe.reload().status == wire.RELOADED
    left = snapshot(host)
    assert left["modules"] == sorted([*nothing["modules"], probe.id])
    assert {**left, "modules": 0} == {**nothing, "modules": 0}


def test_an_event_reaches_the_new_version_and_only_that(host, plugin):
    probe = plugin(handler=HANDLER.format(version=1), manifest={"events": ["message_received"]})
    probe.write(handler=HANDLER.format(version=2), manifest={"events": ["message_received"]})
    probe.reload()
    waiting = "import threading\nDONE = threading.Event()\n"
    probe.write(
        handler=waiting
        + "SEEN = []\ndef on_message_received(event, sdk):\n    SEEN.append(3)\n    DONE.set()\n"
        + "def seen():\n    DONE.wait(10)\n    return SEEN\n",
        routes="from flask import Blueprint, jsonify\nfrom . import handler\n"
        f"bp = Blueprint('{probe.id}', __name__)\n"
        f"bp.route('/plugin/{probe.id}/seen')(lambda: jsonify(handler.seen()))\n"
        "def create_blueprint(): return bp\n",
        manifest={"events": ["message_received"]},
    )
    assert probe.reload().status == wire.RELOADED
    host.inspect("emit", event="message_received", data={"n": 1})
    assert host.get(f"/plugin/{probe.id}/seen") == [3]


def test_helper_modules_by_both_names_and_nothing_twice(host, plugin):
    probe = plugin(handler="")
    helper = "COUNT = globals().get('COUNT', 0) + 1\nVALUE = {}\n"
    probe.write(
        db=helper.format(1),
        handler=f"from . import db\nfrom plugins.{probe.id}.db import VALUE\nimport plugins.{probe.id}.db as again\n"
        f"from plugins import {probe.id} as package\n"
        "SAME = again is db and package.db is db\n",
    )
    assert probe.reload().status == wire.RELOADED
    module = f"plugins.{probe.id}"
    assert host.inspect("attribute", module=f"{module}.handler", name="SAME") is True
    assert host.inspect("attribute", module=f"{module}.db", name="VALUE") == 1
    (probe.folder / "db.py").write_text(helper.format(2))
    assert probe.reload().status == wire.RELOADED
    assert host.inspect("attribute", module=f"{module}.db", name="VALUE") == 2
    assert host.inspect("attribute", module=f"{module}.handler", name="VALUE") == 2


def test_routes_of_a_server_that_has_long_been_answering(host, plugin):
    probe = plugin(handler=HANDLER.format(version=1))
    path = f"/plugin/{probe.id}/version"
    assert host.status_of(path) == 404
    probe.write(handler=HANDLER.format(version=2), routes=ROUTES.format(id=probe.id))
    assert probe.reload().status == wire.RELOADED
    assert host.get(path)["version"] == 2
    probe.write(handler=HANDLER.format(version=3))
    probe.reload()
    assert host.get(path)["version"] == 3
    (probe.folder / "routes.py").unlink()
    probe.reload()
    assert host.status_of(path) == 404


FAULTS = {
    "syntax": ("VERSION = = 9\n", "SyntaxError", "handler.py", 0, 10),
    "name": ("VERSION = 9\nboom()\n", "NameError", "handler.py", 1, 0),
    "import": ("VERSION = 9\nimport nowhere_at_all\n", "ModuleNotFoundError", "handler.py", 1, 0),
    "exit": ("VERSION = 9\nimport sys\nsys.exit(1)\n", "SystemExit", "handler.py", 2, 0),
    "base": ("class Stop(BaseException): pass\nraise Stop\n", "Stop", "handler.py", 1, 0),
    "register": (
        "def create_blueprint():\n    raise LookupError('no')\n",
        "LookupError",
        "handler.py",
        1,
        4,
    ),
    "blueprint": (
        "def create_blueprint():\n    return 3\n",
        None,
        None,
        None,
        None,
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_version_never_serves(host, plugin, fault):
    text, code, file, line, column = FAULTS[fault]
    probe = plugin(handler=HANDLER.format(version=1), routes=ROUTES.format(id=f"broken_{fault}"), id=f"broken_{fault}")
    before = snapshot(host)
    (probe.folder / "handler.py").write_text(text)
    outcome = probe.reload()
    assert outcome.status in wire.FAILED
    assert "goes on serving" in outcome.message
    (problem,) = outcome.problems
    if code:
        place = problem.place
        assert (problem.code, place.file, place.start_line, place.start_column) == (code, file, line, column)
    assert snapshot(host) == before
    assert host.get(f"/plugin/{probe.id}/version")["version"] == 1
    probe.write(handler=HANDLER.format(version=2))
    assert probe.reload().problems == []
    assert host.get(f"/plugin/{probe.id}/version")["version"] == 2


def test_a_failed_import_leaves_no_registration_behind(host, plugin):
    probe = plugin(handler="")
    before = snapshot(host)
    probe.write(
        handler="from backend.plugin_hooks import register_tool_guard, register_state_handler\n"
        "from backend.slash_commands import command_registry\nfrom backend.event_stream import event_stream\n"
        "register_tool_guard(lambda *a: {'block': True})\nregister_state_handler('left', lambda *a: None)\n"
        "command_registry.register('left', lambda *a: '', '')\nevent_stream.on('left', print)\nboom()\n"
    )
    assert probe.reload().status == wire.REJECTED
    assert snapshot(host) == before


def test_foo_beside_foo_bar(host, plugin):
    guard = "from backend.plugin_hooks import register_tool_guard\nregister_tool_guard(lambda *a: None)\n"
    bar = plugin(
        id="foo_bar", handler=guard + "def on_turn_complete(e, s): pass\n", manifest={"events": ["turn_complete"]}
    )
    foo = plugin(id="foo", handler="")
    before = snapshot(host)
    assert foo.reload().status == wire.RELOADED
    assert snapshot(host) == before
    foo.write(handler="boom")
    foo.reload()
    assert host.inspect("toggle", plugin="foo", enabled=False)
    assert snapshot(host)["_tool_guards"] == before["_tool_guards"]
    assert "foo_bar" in snapshot(host)["modules"]
    assert bar.reload().status == wire.RELOADED


def test_a_plugin_linked_in_from_elsewhere(host, client, tmp_path, plugin):
    source = tmp_path / "my-repository" / "src"
    source.mkdir(parents=True)
    (source / "plugin.json").write_text('{"id": "linked", "name": "n", "version": "1"}')
    (source / "handler.py").write_text("VALUE = 1\n")
    (host.root / "plugins" / "linked").symlink_to(source)
    try:
        assert host.inspect("toggle", plugin="linked", enabled=True)
        (source / "handler.py").write_text("VALUE = 2\nboom\n")
        (problem,) = client.reload("linked").problems
        assert (problem.place.plugin, problem.place.file) == ("linked", "handler.py")
        (source / "handler.py").write_text("VALUE = 3\n")
        assert client.reload("linked").status == wire.RELOADED
        assert host.inspect("attribute", module="plugins.linked.handler", name="VALUE") == 3
    finally:
        host.inspect("toggle", plugin="linked", enabled=False)
        (host.root / "plugins" / "linked").unlink()


def test_a_plugin_is_switched_on_in_the_host(host, client, plugin):
    probe = plugin(handler="VALUE = 1\n")
    assert host.inspect("toggle", plugin=probe.id, enabled=False)
    assert client.call("plugin/enable", {"plugin": probe.id})["enabled"] is True
    assert host.inspect("attribute", module=f"plugins.{probe.id}.handler", name="VALUE") == 1
    assert client.reload(probe.id).status == wire.RELOADED
    with pytest.raises(wire.WireError, match="the bridge cannot"):
        client.call("plugin/enable", {"plugin": wire.BRIDGE_ID})


def test_the_code_on_disk_is_what_runs_however_fast_it_is_edited(host, plugin):
    probe = plugin(handler="VALUE = 100\n")
    for value in range(101, 131):  # always the same size, many within one second
        (probe.folder / "handler.py").write_text(f"VALUE = {value}\n")
        assert probe.reload().status == wire.RELOADED
        assert host.inspect("attribute", module=f"plugins.{probe.id}.handler", name="VALUE") == value


def test_warnings_do_not_stop_a_reload(host, plugin):
    probe = plugin(handler="")
    probe.write(
        handler="",
        manifest={
            "slash_commands": [{"id": "absent", "description": ""}],
            "dashboard_cards": [{"id": "c", "handler": "no_card"}],
            "cli_commands": [{"name": "x", "subcommands": [{"name": "y", "handler": "no_cli"}]}],
        },
    )
    outcome = probe.reload()
    assert outcome.status == wire.RELOADED
    assert {(problem.code, problem.severity) for problem in outcome.problems} == {("manifest", "warning")}
    assert len(outcome.problems) == 3
    assert all(problem.place.first.strip() for problem in outcome.problems)


def test_a_command_of_another_plugin_is_not_taken(host, plugin):
    mine = {"slash_commands": [{"id": "contested", "description": ""}]}
    plugin(handler="def on_slash_command_contested(sdk, args): return 'first'\n", manifest=mine)
    second = plugin(handler="")
    second.write(handler="def on_slash_command_contested(sdk, args): return 'second'\n", manifest=mine)
    outcome = second.reload()
    assert (outcome.status, outcome.problems[0].code) == (wire.REJECTED, "conflict")
    assert host.inspect("slash", command="contested") == "first"


def test_every_client_hears_of_every_outcome_whoever_asked(host, client, plugin):
    probe = plugin(handler="")
    with host.client() as other:
        heard = other.notifications()
        probe.reload()
        assert next(o for m, o in heard if m == "plugin/outcome")["askedBy"] == wire.MANUAL
        host.inspect("reload", plugin=probe.id)
        assert next(o for m, o in heard if m == "plugin/outcome")["askedBy"] == wire.HOST
        host.inspect("configure", plugin=probe.id, values={})
        assert next(o for m, o in heard if m == "plugin/outcome")["askedBy"] == wire.HOST
        host.inspect("toggle", plugin=probe.id, enabled=False)
        assert next(o for m, o in heard if m == "plugin/outcome")["status"] == wire.UNLOADED


def test_the_managers_own_reload_loses_nothing_either(host, plugin):
    probe = plugin(handler=HANDLER.format(version=1), routes="")
    before = snapshot(host)
    (probe.folder / "handler.py").write_text("boom\n")
    host.inspect("reload", plugin=probe.id)
    assert snapshot(host) == before
    info = next(each for each in probe.client.status().plugins if each.id == probe.id)
    assert info.outcome.status == wire.REJECTED
    assert any("NameError" in entry["message"] for entry in probe.client.call("plugin/logs", {"plugin": probe.id}))


def test_a_plugin_switched_off_is_told_so_and_not_loaded(host, plugin):
    probe = plugin(handler="VALUE = 1\n")
    host.inspect("toggle", plugin=probe.id, enabled=False)
    outcome = probe.reload()
    assert outcome.status == wire.DISABLED
    assert "plugin enable" in outcome.message
    assert probe.id not in snapshot(host)["modules"]


def test_a_plugin_that_is_uninstalled_is_gone(host, plugin):
    before = snapshot(host)
    probe = plugin(handler=HANDLER.format(version=1), manifest={"events": ["message_received"]})
    assert host.inspect("uninstall", plugin=probe.id) == {"success": True}
    assert snapshot(host) == before
    assert all(each.id != probe.id for each in probe.client.status().plugins)


@pytest.mark.parametrize(
    ("plugin_id", "code"),
    [
        ("../../etc", wire.INVALID_PARAMS),
        (7, wire.INVALID_PARAMS),
        (None, wire.INVALID_PARAMS),
        ("nobody", wire.UNKNOWN_PLUGIN),
        ("evonic_lsp", wire.REFUSED),
    ],
)
def test_a_request_for_what_cannot_be_reloaded(client, plugin_id, code):
    with pytest.raises(wire.WireError) as caught:
        client.call("plugin/reload", {"plugin": plugin_id})
    assert caught.value.code == code


def test_an_unknown_id_names_the_nearest(client, plugin):
    plugin(id="kanbord", handler="")
    with pytest.raises(wire.WireError, match=r"did you mean kanbord\?"):
        client.reload("kanbort")


def test_a_module_that_is_imported_late_fails_before_the_commit_too(host, plugin):
    probe = plugin(handler="VALUE = 1\n", late="VALUE = 1\n")
    assert host.inspect("attribute", module=f"plugins.{probe.id}.late", name="VALUE") == 1
    for _ in range(2):  # what the host loaded itself, then what we did
        probe.write(handler="VALUE = 1\n", late="VALUE = 2\nboom\n")
        assert probe.reload().problems[0].place.file == "late.py"
        assert host.inspect("attribute", module=f"plugins.{probe.id}.late", name="VALUE") == 1
        probe.write(handler="VALUE = 1\n", late="VALUE = 1\n")
        assert probe.reload().status == wire.RELOADED
    (probe.folder / "late.py").unlink()
    assert probe.reload().status == wire.RELOADED
