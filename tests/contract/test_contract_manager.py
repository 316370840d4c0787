"""The manager: its books, its switches, and what it keeps to itself."""

from __future__ import annotations

import pytest

from evonic_lsp.bridge import host as bridge_host

EVERYTHING = """
from flask import Blueprint
from . import db
from backend.plugin_manager import plugin_manager, register_message_interceptor, register_builtin_suppressor
from backend.plugin_hooks import register_tool_guard
register_tool_guard(lambda *a: None)
register_message_interceptor(lambda *a: None)
register_builtin_suppressor(lambda *a: False)
def on_message_received(event, sdk): pass
def on_turn_complete(event, sdk): raise LookupError("from the handler")
def on_final_answer(event, sdk): pass  # not in the manifest
def on_slash_command_everything(sdk, args): return f"{sdk.plugin_id} {args}"
def on_slash_command_failing(sdk, args): raise LookupError("from the command")
def card(sdk): return {"title": sdk.plugin_id}
def no_card(sdk): raise LookupError("from the card")
def create_blueprint(): return Blueprint("bp_" + __name__.split(".")[0], __name__)
"""
MANIFEST = {
    "events": ["message_received", "turn_complete", "message_sent"],
    "slash_commands": [
        {"id": "everything", "description": "All of it"},
        {"id": "failing", "description": ""},
        {"id": "absent", "description": ""},
    ],
    "dashboard_cards": [{"id": "first", "handler": "card"}, {"handler": "no_card"}, {"id": "x", "handler": "absent"}],
    "variables": [
        {"name": "count", "type": "number", "default": 3},
        {"name": "on", "type": "boolean", "default": False},
        {"name": "key", "type": "string", "secret": True, "default": ""},
        {"name": "plain", "default": "a"},
    ],
    "nav_items": [{"label": "Everything", "path": "/plugin/everything/"}],
}
PRELUDE = """
import sys
from backend import plugin_lifecycle, plugin_hooks
from backend.plugin_manager import plugin_manager as m
from backend.event_stream import event_stream
from backend.slash_commands import command_registry, execute_command
"""


@pytest.fixture
def everything(plugin):
    return plugin(handler=EVERYTHING, db="VALUE = 1\n", manifest=MANIFEST)


@pytest.fixture
def see(look):
    return lambda code, **names: look(PRELUDE + code, **names)


def test_everything_that_the_bridge_needs_is_there(see):
    needed = {owner: list(names) for owner, names in bridge_host._NEEDED.items()}
    missing = see(
        """
from models.db import db
owners = dict(manager=m, event_stream=event_stream, command_registry=command_registry, db=db)
result = [name for owner, names in needed.items() for name in names if not hasattr(owners[owner], name)]
""",
        needed=needed,
    )
    assert missing == []


def test_the_books(see, everything):
    books = see(
        """
entry = m._handlers["message_received"][-1]
bridges = m._event_bridges[name]
result = dict(
    entry=[type(entry).__name__, entry[0], entry[1] is m._modules[name].on_message_received],
    module=m._modules[name].__name__ == f"plugin_pkg_{name}_{id(m)}.handler",
    package=m._modules[name].__package__ == f"plugin_pkg_{name}_{id(m)}",
    loaded=all(f"plugin_pkg_{name}_{id(m)}{rest}" in sys.modules for rest in ("", ".handler", ".db")),
    path=list(sys.modules[f"plugin_pkg_{name}_{id(m)}"].__path__),
    bridges=[event for event, _ in bridges],
    listening=all(bridge in event_stream._listeners[event] for event, bridge in bridges),
    blueprint=type(m._blueprints[name]).__name__,
    cards=[[card, fn.__name__] for card, fn in m._dashboard_cards[name]],
    log=[type(m._logs[name]).__name__, m._logs[name].maxlen, sorted(m._logs[name][0])],
    workers=[m._executor._max_workers, event_stream._executor._max_workers],
    buffer=event_stream._global_buffer.maxlen,
    dirs=[plugin_lifecycle.PLUGINS_DIR, plugin_lifecycle.BASE_DIR],
    hooks=[[type(getattr(plugin_hooks, r)).__name__, getattr(plugin_hooks, r)[-1].__module__.split(".")[-1]]
           for r in ("_tool_guards", "_message_interceptors", "_builtin_suppressors")],
    states=type(plugin_hooks._state_handlers).__name__,
)
""",
        name=everything,
    )
    folder = books["dirs"][0]
    assert books == {
        "entry": ["tuple", everything, True],
        "module": True,
        "package": True,
        "loaded": True,
        "path": [f"{folder}/{everything}"],
        "bridges": ["message_received", "turn_complete"],
        "listening": True,
        "blueprint": "Blueprint",
        "cards": [["first", "card"], ["no_card", "no_card"]],
        "log": ["deque", 500, ["level", "message", "timestamp"]],
        "workers": [4, 4],
        "buffer": 1000,
        "dirs": [folder, folder.rpartition("/")[0]],
        "hooks": [["list", "handler"]] * 3,
        "states": "dict",
    }


def test_switched_off_it_is_gone_and_on_again_it_is_back(host, everything):
    there = host.inspect("registries")
    assert host.inspect("toggle", plugin=everything, enabled=False)
    gone = host.inspect("registries")
    for book in ("modules", "blueprints"):
        assert everything in there[book]
        assert everything not in gone[book]
    assert everything not in gone["cards"]
    assert all(everything not in entries for entries in gone["handlers"].values())
    assert not {"everything", "failing"} & set(gone["commands"])
    for registry in ("_tool_guards", "_message_interceptors", "_builtin_suppressors"):
        assert len(gone[registry]) == len(there[registry]) - 1
    for event in ("message_received", "turn_complete"):
        assert gone["listeners"].get(event, 0) == there["listeners"][event] - 1
    assert host.inspect("loaded", prefix=f"plugin_pkg_{everything}") == []
    assert host.inspect("toggle", plugin=everything, enabled=True)
    assert host.inspect("registries") == there


def test_a_reload_runs_what_is_on_disk_in_new_modules(host, see, plugin):
    name = plugin(handler="from . import db\nVALUE = db.VALUE\n", db="VALUE = 'first'\n")
    see("sys.kept = m._modules[name]\nresult = None", name=name)
    (host.root / "plugins" / name / "db.py").write_text("VALUE = 'the second'\n")
    host.inspect("reload", plugin=name)
    code = "result = [sys.__dict__.pop('kept') is not m._modules[name], m._modules[name].VALUE]"
    assert see(code, name=name) == [True, "the second"]


def test_list_plugins_leaves_out_what_is_no_json(see, everything):
    listed = see("result = {each['id']: each for each in m.list_plugins()}")
    assert "badjson" not in listed
    assert list(listed) == sorted(listed)
    mine = listed[everything]
    assert (mine["enabled"], mine["event_count"], mine["is_system"]) == (True, 3, False)
    assert mine["_dir"].endswith(f"plugins/{everything}")
    assert see("result = m._read_manifest('badjson')") is None
    assert see("result = m.set_plugin_enabled('badjson', True)") == {"error": "Plugin not found: badjson"}


def test_set_plugin_enabled_answers_with_the_manifest(see, plugin):
    name = plugin(handler="")
    manifest = see("result = m.set_plugin_enabled(name, True)", name=name)
    assert (manifest["id"], manifest["enabled"], "_dir" in manifest) == (name, True, False)
    assert see("from models.db import db\nresult = db.get_setting('plugin_enabled:' + name)", name=name) == "1"
    see("result = m.set_plugin_enabled(name, False)", name=name)
    assert see("from models.db import db\nresult = db.get_setting('plugin_enabled:' + name)", name=name) == "0"


def test_a_configuration_has_types_defaults_and_masked_secrets_and_saving_it_reloads(see, plugin):
    name = plugin(handler="", manifest=MANIFEST)
    assert see("result = m.get_plugin_config(name)", name=name) == {"count": 3, "on": False, "key": "", "plain": "a"}
    see("sys.kept = m._modules[name]\nresult = None", name=name)
    values = {"count": "4.5", "on": True, "key": "s3cret", "plain": 7, "unknown": 1}
    saved = see("result = m.set_plugin_config(name, values)", name=name, values=values)
    assert saved["success"] is True
    assert saved["config"] == {"count": 4.5, "on": True, "key": "••••••••", "plain": "7"}
    assert see("result = sys.__dict__.pop('kept') is not m._modules[name]", name=name) is True
    assert "error" in see("result = m.set_plugin_config(name, {'count': 'many'})", name=name)
    assert "error" in see("result = m.set_plugin_config('nobody', {})")


def test_an_uninstalled_plugin_is_gone_with_its_folder(host, see, plugin):
    name = plugin(handler="")
    assert host.inspect("uninstall", plugin=name) == {"success": True}
    assert not (host.root / "plugins" / name).exists()
    assert name not in host.inspect("registries")["modules"]
    assert "error" in see("result = m.uninstall_plugin(name)", name=name)
    assert "error" in see("result = m.uninstall_plugin('../' + name)", name=name)
    system = plugin(handler="", manifest={"category": "system"})
    assert "error" in host.inspect("uninstall", plugin=system)


def test_a_plugin_is_installed_from_a_folder_and_from_a_zip(see, host, tmp_path):
    source = tmp_path / "source" / "packed"
    source.mkdir(parents=True)
    (source / "plugin.json").write_text('{"id": "packed", "name": "Packed", "version": "1"}')
    (source / "handler.py").write_text("VALUE = 1\n")
    try:
        assert see("result = m.install_plugin_from_dir(path)", path=str(source))["id"] == "packed"
        assert "packed" not in host.inspect("registries")["modules"]  # nobody has switched it on
        assert "already installed" in see("result = m.install_plugin_from_dir(path)", path=str(source))["error"]
        archive = see("import shutil\nresult = shutil.make_archive(path, 'zip', path)", path=str(source))
        assert "already installed" in see("result = m.install_plugin(path)", path=archive)["error"]
        assert see("result = m.install_plugin(path, force=True)", path=archive)["id"] == "packed"
        assert "error" in see("result = m.install_plugin(path)", path=__file__)
        assert "error" in see("result = m.install_plugin_from_dir(path)", path=str(tmp_path))
    finally:
        host.inspect("uninstall", plugin="packed")


def test_cli_commands_and_nav_items_are_those_of_enabled_plugins(see, everything):
    commands = see("result = m.get_cli_commands()")
    command = commands["clidemo"]
    assert set(command) == {"help", "description", "handler", "plugin_id", "subcommands"}
    sub = command["subcommands"]["exit"]
    assert sub == {
        "help": "",
        "description": "",
        "handler": "cli_exit",
        "arguments": [{"name": "status"}],
        "plugin_id": "clidemo",
    }
    item = {"label": "Everything", "path": "/plugin/everything/", "plugin_id": everything}
    assert item in see("result = m.get_nav_items()")
    see("result = m.set_plugin_enabled(name, False)", name=everything)
    assert item not in see("result = m.get_nav_items()")


def test_a_plugin_as_others_see_it(see, host, everything):
    (host.root / "plugins" / everything / "README.md").write_text("# Read me")
    seen = see("result = m.get_plugin(name)", name=everything)
    assert (seen["readme"], seen["enabled"], seen["event_count"]) == ("# Read me", True, 3)
    assert seen["config"]["count"] == 3
    assert see("result = m.get_plugin('nobody')") is None


def test_the_log_keeps_the_last_500(see, plugin):
    name = plugin(handler="")
    code = "for n in range(600): m.add_log(name, 'info', str(n))\nresult = [len(m._logs[name]), m.get_logs(name, 2)]"
    length, last = see(code, name=name)
    assert length == 500
    assert [entry["message"] for entry in last] == ["598", "599"]
    assert see("result = len(m.get_logs(name))", name=name) == 100
    assert see("result = m.get_logs(name, since=stamp)", name=name, stamp=last[1]["timestamp"]) == []
    assert see("m.clear_logs(name)\nresult = m.get_logs(name)", name=name) == []


def test_no_log_is_an_empty_one(see):
    assert see("result = m.get_logs('nobody')") == []
