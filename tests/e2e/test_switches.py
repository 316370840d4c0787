"""The switches: both gate, both outlive a restart; and the ways in which a host starts and ends."""

from __future__ import annotations

import signal

import hosts
import pytest

from evonic_lsp.bridge import rendezvous, wire


def save(client, plugin):
    return wire.from_json(wire.Outcome, client.call("plugin/reload", {"plugin": plugin, "askedBy": wire.SAVE}))


def test_a_save_obeys_both_switches_and_a_person_neither(host, client, plugin):
    probe = plugin(handler="VALUE = 1\n")
    assert save(client, probe.id).status == wire.DISABLED
    client.switch(True, probe.id)
    assert save(client, probe.id).status == wire.UNCHANGED
    (probe.folder / "handler.py").write_text("VALUE = 2\n")
    client.switch(False)
    try:
        refused = save(client, probe.id)
        assert (refused.status, refused.message) == (wire.DISABLED, "hot reload is switched off for all plugins")
        assert probe.reload().status == wire.RELOADED
    finally:
        client.switch(True)
    (probe.folder / "handler.py").write_text("VALUE = 3\n")
    assert save(client, probe.id).status == wire.RELOADED
    client.switch(False, probe.id)
    assert save(client, probe.id).status == wire.DISABLED


def test_every_client_hears_of_a_switch(host, client, plugin):
    probe = plugin(handler="")
    with host.client() as other:
        client.switch(True, probe.id)
        assert next(p for m, p in other.notifications() if m == "hotreload/changed") == {
            "plugin": probe.id,
            "enabled": True,
        }


def test_switches_outlive_a_restart_and_kill_9_leaves_nothing_in_the_way(own_host):
    host = own_host()
    hosts.write_plugin(host.root, "kept", handler="VALUE = 1\n")
    host.inspect("toggle", plugin="kept", enabled=True)
    with host.client() as client:
        client.switch(True, "kept")
        client.switch(False)
    host.stop(signal.SIGKILL)
    assert rendezvous.hosts(host.root) == []
    (folder,) = rendezvous.usable_runtime_dirs()
    bell = rendezvous.Bell(folder)
    try:
        host.start()
        bell.socket.settimeout(10)
        assert bell.socket.recv(8) == b"!"
    finally:
        bell.close()
    with host.client() as client:
        status = client.status()
        assert status.enabled is False
        assert [each.hotreload for each in status.plugins if each.id == "kept"] == [True]
    assert len(list(rendezvous.run_dir(host.root).glob("*.sock"))) == 1


def test_started_by_the_command_line_it_listens_as_well(own_host):
    host = own_host("start")
    with host.client() as client:
        assert client.host.pid == host.process.pid
        hosts.write_plugin(host.root, "late", handler="VALUE = 1\n")
        host.inspect("toggle", plugin="late", enabled=True)
        assert client.reload("late").status == wire.RELOADED


def test_commands_beside_the_server_disturb_nothing(host, client):
    before = host.inspect("registries")
    announced = rendezvous.hosts(host.root)
    listed = hosts.evonic(host.root, "plugin", "list")
    assert "evonic_lsp" in listed.stdout
    assert rendezvous.hosts(host.root) == announced
    assert host.inspect("registries") == before
    assert client.status().pid == announced[0].pid


def test_switched_off_and_on_in_the_web_page(own_host):
    host = own_host()
    assert host.inspect("toggle", plugin="evonic_lsp", enabled=False)
    assert rendezvous.hosts(host.root) == []
    assert host.inspect("toggle", plugin="evonic_lsp", enabled=True)
    with host.client() as client:
        assert client.status().enabled


def test_switched_on_in_the_web_page_of_a_server_that_started_without_it(own_host, kind, fresh_root):
    root = fresh_root(kind)
    assert hosts.evonic(root, "plugin", "disable", "evonic_lsp").returncode == 0
    host = hosts.RunningHost(root).start()
    try:
        assert rendezvous.hosts(root) == []
        assert host.inspect("toggle", plugin="evonic_lsp", enabled=True)
        with host.client() as client:
            assert client.reload("inspector").status == wire.RELOADED
    finally:
        host.stop()


def test_what_the_host_could_not_load_at_its_start_is_told(own_host, kind, fresh_root):
    root = fresh_root(kind)
    hosts.write_plugin(root, "broken", handler="def f(:\n")
    hosts.write_plugin(root, "aaa", handler="import nowhere_at_all\n")
    for plugin in ("broken", "aaa"):
        assert hosts.evonic(root, "plugin", "enable", plugin).returncode == 0
    host = hosts.RunningHost(root).start()
    try:
        with host.client() as client:
            client.reload("inspector")  # behind them in the queue
            told = {each.id: each.outcome for each in client.status().plugins if each.outcome}
            assert told["broken"].problems[0].code == "SyntaxError"
            assert told["aaa"].problems[0].code == "ModuleNotFoundError"
            assert "nothing of this plugin is running" in told["aaa"].message
            hosts.write_plugin(root, "broken", handler="VALUE = 1\n")
            assert client.reload("broken").status == wire.RELOADED
    finally:
        host.stop()


def test_the_command_inside_evonic(host, plugin):
    probe = plugin(handler="VALUE = 1\n")
    done = hosts.evonic(host.root, "hotreload", "reload", probe.id)
    assert (done.returncode, probe.id in done.stdout) == (0, True), done
    (probe.folder / "handler.py").write_text("boom\n")
    failed = hosts.evonic(host.root, "hotreload", "reload", probe.id)
    assert failed.returncode == 1, failed
    assert "handler.py:1:1" in failed.stdout + failed.stderr
    assert hosts.evonic(host.root, "hotreload", "reload", "../../etc").returncode == 2
    assert hosts.evonic(host.root, "hotreload", "enable", probe.id).returncode == 0
    assert probe.id in hosts.evonic(host.root, "hotreload", "status").stdout
    assert hosts.evonic(host.root, "hotreload", "disable", probe.id).returncode == 0


@pytest.mark.parametrize("wrong", [{}, {"plugin": 3, "limit": 10}, {"plugin": "inspector", "limit": "x"}])
def test_logs_with_wrong_parameters(client, wrong):
    with pytest.raises(wire.WireError) as caught:
        client.call("plugin/logs", wrong)
    assert caught.value.code == wire.INVALID_PARAMS


def test_logs_are_told_as_they_come(host, client):
    with host.client() as other:
        host.inspect("log", plugin="inspector", message="hello\x1b[31m")
        method, entry = next(other.notifications())
        assert (method, entry["message"]) == ("plugin/log", "hello\x1b[31m")
    assert client.call("plugin/logs", {"plugin": "inspector"})[-1]["message"] == "hello\x1b[31m"
