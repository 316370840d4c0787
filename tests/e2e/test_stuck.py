"""Code of a plugin that does not return, in a running host: what else there is goes on."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from evonic_lsp.bridge import wire

BLUEPRINT = """
import threading
from flask import Blueprint
def create_blueprint():
    bp = Blueprint({id!r}, __name__)
    bp.record(lambda state: threading.Event().wait())
    return bp
"""
STUCK = {
    "import": "import threading\nthreading.Event().wait()\n",
    "loop": "while True: pass\n",
    "blueprint": BLUEPRINT,
    "on_load": "import threading\ndef on_load(sdk): threading.Event().wait()\n",
    "hot_restore": "import threading\ndef hot_save(sdk): ...\ndef hot_restore(sdk, state): threading.Event().wait()\n",
}


@pytest.fixture
def impatient(host):
    host.inspect("configure", plugin=wire.BRIDGE_ID, values={"IMPORT_LIMIT": "0.3"})
    yield host
    host.inspect("configure", plugin=wire.BRIDGE_ID, values={"IMPORT_LIMIT": "10"})


@pytest.mark.parametrize("where", STUCK)
def test_it_is_reported_the_old_version_serves_and_the_queue_goes_on(impatient, plugin, where):
    probe = plugin(handler="VALUE = 1\ndef hot_save(sdk): ...\n")
    other = plugin(handler="VALUE = 1\n")
    probe.write(handler=STUCK[where].format(id=probe.id))
    outcome = probe.reload()
    assert outcome.status == wire.STUCK
    assert "did not return within 0.3 s" in outcome.message
    assert impatient.inspect("attribute", module=f"plugins.{probe.id}.handler", name="VALUE") == 1
    assert other.reload().status == wire.RELOADED
    probe.write(handler="VALUE = 2\n")
    assert probe.reload().status == wire.RELOADED


def test_a_loop_is_ended_and_costs_no_processor(impatient, plugin):
    probe = plugin(handler="VALUE = 1\n")
    probe.write(handler=STUCK["loop"])
    assert probe.reload().status == wire.STUCK
    assert impatient.inspect("ended", name=f"evonic-lsp import {probe.id}")


def test_threads_that_wait_do_not_pile_up_for_ever(impatient, plugin):
    probe = plugin(handler="VALUE = 1\n")
    probe.write(handler=STUCK["import"])
    messages = [probe.reload().message for _ in range(10)]
    assert "did not return within" in messages[7]
    assert "restart Evonic" in messages[9]


def test_whoever_switches_plugins_on_meanwhile_holds_up_nobody(host, plugin, tmp_path):
    probe, others = plugin(handler="VALUE = 1\n"), [plugin(handler="") for _ in range(4)]
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    probe.write(handler=f"VALUE = int(open({str(gate)!r}).read())\n")

    def switch_on(plugin):
        with host.client() as client:
            return client.call("plugin/enable", {"plugin": plugin.id}, timeout=30)

    with ThreadPoolExecutor(8) as pool:
        slow = pool.submit(probe.reload)
        with open(gate, "w") as opened:  # by now it is being imported
            waiting = [pool.submit(switch_on, each) for each in others]
            with host.client() as client:  # which is greeted at once, or this raises
                assert client.status().pid
            assert not slow.done()
            opened.write("2")
        assert slow.result(30).status == wire.RELOADED
        assert all(each.result(30)["enabled"] for each in waiting)
