"""What a plugin may keep, start and end over a reload; what imports it; what comes and goes."""

from __future__ import annotations

import shutil

import hosts
import pytest

from evonic_lsp.bridge import wire


def value(host, plugin, name, module="handler"):
    return host.inspect("attribute", module=f"plugins.{plugin}.{module}", name=name)


LIFE = """
import json
CALLS = vars(json).setdefault("calls of {id}", [])
STATE = {{"count": {count}}}
def on_load(sdk): CALLS.append("load {count} " + sdk.plugin_id)
def on_unload(sdk): CALLS.append("unload {count}")
def hot_save(sdk): return STATE
def hot_restore(sdk, state): STATE.update(state); STATE["from"] = {count}
"""


def test_state_is_handed_over_and_both_are_told(host, plugin):
    probe = plugin(handler="")
    probe.write(handler=LIFE.format(count=1, id=probe.id))
    assert probe.reload().problems == []
    assert value(host, probe.id, "CALLS") == [f"load 1 {probe.id}"]
    probe.write(handler=LIFE.format(count=2, id=probe.id))
    assert probe.reload().problems == []
    assert value(host, probe.id, "CALLS") == [f"load 1 {probe.id}", "unload 1", f"load 2 {probe.id}"]
    assert value(host, probe.id, "STATE") == {"count": 1, "from": 2}


@pytest.mark.parametrize(
    ("broken", "status"),
    [
        ("def hot_restore(sdk, state): raise OSError('no')\n", wire.REJECTED),
        ("import sys\ndef hot_restore(sdk, state): sys.exit(1)\n", wire.REJECTED),
        ("def on_load(sdk): raise OSError('no')\n", wire.ROLLED_BACK),
    ],
)
def test_a_failure_there_leaves_the_old_version_with_its_state(host, plugin, broken, status):
    probe = plugin(handler="")
    probe.write(handler=LIFE.format(count=1, id=probe.id))
    probe.reload()
    before = host.inspect("registries")
    probe.write(handler=LIFE.format(count=2, id=probe.id) + broken)
    outcome = probe.reload()
    assert outcome.status == status
    assert outcome.problems[0].place.file == "handler.py"
    assert value(host, probe.id, "STATE") == {"count": 1}
    assert value(host, probe.id, "CALLS")[-1] == f"load 1 {probe.id}"
    assert host.inspect("registries") == before


def test_hot_save_that_fails_is_a_failed_reload(host, plugin):
    probe = plugin(handler="")
    probe.write(handler="def hot_save(sdk): return 1 / 0\ndef hot_restore(sdk, state): pass\n")
    probe.reload()
    probe.write(handler="VALUE = 2\ndef hot_restore(sdk, state): pass\n")
    assert probe.reload().problems[0].code == "ZeroDivisionError"
    probe.write(handler="VALUE = 3\n")
    assert probe.reload().status == wire.RELOADED


def test_hot_save_without_hot_restore_is_a_warning(plugin):
    probe = plugin(handler="")
    probe.write(handler="x = 1\ndef hot_save(sdk): return 1\n")
    (problem,) = probe.reload().problems
    assert (problem.code, problem.severity, problem.place.start_line) == ("hot_save", "warning", 1)


THREADS = """
import threading
from concurrent.futures import ThreadPoolExecutor
GO_ON = threading.Event()
timer = threading.Timer(3600, print); timer.daemon = True; timer.name = "{id} timer"; timer.start()
pool = ThreadPoolExecutor(1, thread_name_prefix="{id} pool"); pool.submit(int).result()
thread = threading.Thread(target=GO_ON.wait, name="{id} thread", daemon=True)
thread.start()
def on_unload(sdk): {on_unload}
"""


def test_timers_and_executors_end_and_threads_that_go_on_are_named(host, plugin):
    probe = plugin(handler="")

    def mine():
        return [name for name in host.inspect("threads") if name.startswith(probe.id + " ")]

    probe.write(handler=THREADS.format(id=probe.id, on_unload="pass"))
    assert probe.reload().problems == []
    assert len(mine()) == 3
    probe.write(handler="")
    (problem,) = probe.reload().problems
    assert (problem.code, problem.severity, problem.place.start_line) == ("thread", "warning", 7)
    assert mine() == [f"{probe.id} thread"]


def test_on_unload_ends_what_it_started(host, plugin):
    probe = plugin(handler="")
    for _ in range(3):
        probe.write(handler=THREADS.format(id=probe.id, on_unload="GO_ON.set()"))
        assert probe.reload().problems == []
    assert len([name for name in host.inspect("threads") if name.startswith(probe.id + " ")]) == 3


def test_plugins_that_import_this_one_are_reloaded_after_it(host, client, plugin):
    base = plugin(id="base1", handler="VALUE = 1\n")
    plugin(id="middle1", handler="def get():\n    from plugins.base1.handler import VALUE\n    return VALUE\n")
    plugin(id="top1", handler="from plugins.middle1 import handler as middle\nVALUE = middle.get()\n")
    base.write(handler="VALUE = 2\n")
    with host.client() as other:
        heard = other.notifications()
        outcome = base.reload()
        assert outcome.dependents == ["middle1", "top1"]
        assert "middle1, top1" in outcome.message
        told = [params for method, params in (next(heard) for _ in range(6)) if method == "plugin/outcome"]
    assert [each["plugin"] for each in told][:1] == ["base1"]
    client.reload("inspector")  # behind them in the queue
    assert value(host, "top1", "VALUE") == 2


def test_plugins_that_import_each_other(host, client, plugin):
    one = plugin(
        id="one2", handler="VALUE = 1\ndef other():\n    import plugins.two2.handler as two\n    return two.VALUE\n"
    )
    plugin(id="two2", handler="from plugins.one2.handler import VALUE\n")
    one.write(handler="VALUE = 2\ndef other():\n    import plugins.two2.handler as two\n    return two.VALUE\n")
    assert one.reload().dependents == ["two2"]
    client.reload("inspector")
    assert value(host, "two2", "VALUE") == 2


TEMPLATE_ROUTES = """
from flask import Blueprint, render_template
bp = Blueprint({id!r}, __name__)
@bp.route("/plugin/{id}/page")
def page():
    return render_template("{id}.json")
def create_blueprint():
    return bp
"""


def test_a_template_takes_effect_without_a_reload_and_a_broken_one_does_not(host, client, plugin):
    probe = plugin(handler="")
    probe.write(handler="", routes=TEMPLATE_ROUTES.format(id=probe.id))
    folder = probe.folder / "templates"
    folder.mkdir()  # a folder that was not there when the host started
    page = folder / f"{probe.id}.json"
    page.write_text('{"version": {{ 1 + 1 }}}')
    assert probe.reload().problems == []
    assert host.get(f"/plugin/{probe.id}/page") == {"version": 2}
    client.switch(True, probe.id)

    def save():
        return wire.from_json(wire.Outcome, client.call("plugin/reload", {"plugin": probe.id, "askedBy": wire.SAVE}))

    generation = save().generation
    page.write_text('{"version": {{ 1 + 2 }}}')
    assert host.get(f"/plugin/{probe.id}/page") == {"version": 2}
    outcome = save()
    assert (outcome.status, outcome.generation, outcome.message) == (wire.RELOADED, generation, "templates reloaded")
    assert host.get(f"/plugin/{probe.id}/page") == {"version": 3}
    page.write_text('{\n"version": {{ 1 + }}}')
    outcome = save()
    (problem,) = outcome.problems
    assert (problem.code, problem.place.file, problem.place.start_line) == (
        "TemplateSyntaxError",
        f"templates/{probe.id}.json",
        1,
    )
    assert host.get(f"/plugin/{probe.id}/page") == {"version": 3}
    page.unlink()
    assert save().status == wire.RELOADED
    assert host.status_of(f"/plugin/{probe.id}/page") == 500


SCHEDULE = """
from backend.scheduler import scheduler
for each in scheduler.list_schedules(owner_type="plugin", owner_id={id!r}):
    scheduler.cancel_schedule(each["id"])
MADE = scheduler.create_schedule("{id} scan", "plugin", {id!r}, "interval", {{"seconds": {seconds}}},
                                 "emit_event", {{"event_name": "x"}})["id"]
"""


def test_schedules_that_did_not_change_go_on(host, plugin):
    probe = plugin(handler="")
    probe.write(handler=SCHEDULE.format(id=probe.id, seconds=3600))
    assert probe.reload().problems == []
    first = value(host, probe.id, "MADE")
    assert host.inspect("schedules", plugin=probe.id) == [first]
    probe.write(handler=SCHEDULE.format(id=probe.id, seconds=3600) + "VALUE = 1\n")
    probe.reload()
    assert (host.inspect("schedules", plugin=probe.id), value(host, probe.id, "MADE")) == ([first], first)
    probe.write(handler=SCHEDULE.format(id=probe.id, seconds=1800) + "boom\n")
    assert probe.reload().status == wire.REJECTED
    assert host.inspect("schedules", plugin=probe.id) == [first]
    probe.write(handler=SCHEDULE.format(id=probe.id, seconds=1800))
    probe.reload()
    second = value(host, probe.id, "MADE")
    assert second != first
    assert host.inspect("schedules", plugin=probe.id) == [second]
    probe.write(handler="")
    probe.reload()
    assert host.inspect("schedules", plugin=probe.id) == []


def test_a_plugin_that_is_renamed(host, client, plugin):
    probe = plugin(
        id="before3", handler="from backend.plugin_hooks import register_tool_guard as r\nr(lambda *a: None)\n"
    )
    guards = host.inspect("registries")["_tool_guards"]
    probe.folder.rename(host.root / "plugins" / "after3")
    try:
        client.reload("inspector")
        assert len(host.inspect("registries")["_tool_guards"]) == len(guards) - 1
        assert "before3" not in host.inspect("registries")["modules"]
        hosts.write_plugin(host.root, "after3")
        assert host.inspect("toggle", plugin="after3", enabled=True)
        assert client.reload("after3").status == wire.RELOADED
        assert len(host.inspect("registries")["_tool_guards"]) == len(guards)
    finally:
        host.inspect("toggle", plugin="after3", enabled=False)
        shutil.rmtree(host.root / "plugins" / "after3")


HOSTILE = {
    "chdir": "import os\nos.chdir('/')\n",
    "recursion": "def f(): f()\nf()\n",
    "path": "import sys\nsys.path[:] = []\nboom\n",
    "modules": "import sys\nfor name in ('json', 'flask', 'backend.event_stream'): sys.modules[name] = None\nboom\n",
    "output": "print('x' * 3_000_000)\nboom\n",
    "exit": "import sys\nsys.exit()\n",
}


@pytest.mark.parametrize("kind_of_harm", HOSTILE)
def test_a_hostile_import_is_contained(host, plugin, kind_of_harm):
    probe = plugin(handler="VALUE = 1\n")
    before = host.inspect("process")
    probe.write(handler=HOSTILE[kind_of_harm])
    outcome = probe.reload()
    assert outcome.status == (wire.RELOADED if kind_of_harm == "chdir" else wire.REJECTED)
    assert host.inspect("process") == before
    probe.write(handler="import json, flask\nVALUE = 2\n")
    assert probe.reload().status == wire.RELOADED


def test_code_outside_of_plugins_that_holds_the_old_version_is_named(host, plugin):
    probe = plugin(handler="VALUE = 1\ndef get(): return VALUE\n")
    host.inspect("hold", module=f"plugins.{probe.id}.handler", name="get")
    probe.write(handler="VALUE = 2\ndef get(): return VALUE\n")
    (problem,) = probe.reload().problems
    assert (problem.code, problem.severity) == ("old-version", "information")
    assert "holder.py (get)" in problem.message
    assert host.inspect("held", name="get") == 1
    host.inspect("configure", plugin="evonic_lsp", values={"REBIND": True})
    try:
        host.inspect("hold", module=f"plugins.{probe.id}.handler", name="get")
        probe.write(handler="VALUE = 3\ndef get(): return VALUE\n")
        assert probe.reload().problems == []
        assert host.inspect("held", name="get") == 3
    finally:
        host.inspect("configure", plugin="evonic_lsp", values={"REBIND": False})
        host.inspect("hold", module="json", name="dumps")
