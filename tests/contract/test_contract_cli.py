"""The command line: a process of its own for each command, with every enabled plugin loaded in it."""

from __future__ import annotations

import json

import hosts
import pytest


def traces(root):
    return [json.loads(line) for line in (root / "plugins" / "trace" / "trace.txt").read_text().splitlines()]


def test_a_plugins_command_runs_in_its_own_process(pair, commands):
    done = commands("clidemo", "show", "one", "two", "--dry-run")
    assert done.returncode == 0, done  # whatever the function returns
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["given"] == {"first": "one", "second": "two", "dry_run": True}
    assert said["pid"] not in (pair.app.process.pid, pair.start.process.pid)
    assert said["name"].startswith("plugin_pkg_clidemo_")


def test_what_is_not_given_is_not_handed_over(commands):
    said = json.loads(commands("clidemo", "show", "one", "-l", "3").stdout.splitlines()[-1])
    assert said["given"] == {"first": "one", "dry_run": False, "level": "3"}


@pytest.mark.parametrize(
    ("command", "status"),
    [
        ("clidemo exit 5", 5),
        ("clidemo raise", 1),
        ("clidemo missing", 1),
        ("clidemo nowhere", 2),
        ("clidemo", 0),
        ("clibroken run", 1),
        ("plugin list", 0),
        ("plugin enable nobody", 1),
        ("plugin enable badjson", 1),
        ("plugin install /nowhere/at/all", 1),
        ("nowhere", 2),
        ("", 0),
    ],
)
def test_exit_statuses(commands, command, status):
    done = commands(*command.split())
    assert done.returncode == status, done
    assert ("LookupError: from the command" in done.stderr) is (command == "clidemo raise")


def test_help_names_the_commands_of_plugins(commands):
    assert "Help of the command" in commands().stdout
    assert "show" in commands("clidemo").stdout


def test_the_list_tells_what_is_enabled(commands):
    lines = {line.split()[0]: line for line in commands("plugin", "list").stdout.splitlines() if line.strip()}
    assert " enabled" in lines["looker"]
    assert " disabled" in lines["early_off"]
    assert "badjson" not in lines


def test_every_command_loads_every_plugin_and_registers_no_blueprint(pair, commands):
    commands("plugin", "list")
    servers = {pair.app.process.pid, pair.start.process.pid}
    notes = [each for each in traces(pair.root) if each["pid"] not in servers]
    processes = {each["pid"] for each in notes}
    assert len(processes) >= 14  # of which each has loaded it at least once
    assert {each["what"] for each in notes} == {"loaded"}
    twice = [pid for pid in processes if sum(each["pid"] == pid for each in notes) == 2]
    assert twice  # the `plugin` commands make a second manager
    assert len({each["name"] for each in notes if each["pid"] == twice[0]}) == 2


def test_the_settings_are_one_table_and_a_running_server_is_not_told(host, look):
    hosts.write_plugin(host.root, "fromcli", handler="")
    try:
        done = hosts.evonic(host.root, "plugin", "enable", "fromcli")
        assert done.returncode == 0, done
        read = "from models.db import db\nresult = db.get_setting('plugin_enabled:fromcli')"
        assert look(read) == "1"
        assert "fromcli" not in host.inspect("registries")["modules"]
        assert look("from models.db import db\nresult = db.get_setting('contract:never', 'default')") == "default"
        assert look("from models.db import db\nresult = db.get_setting('contract:never')") is None
    finally:
        assert hosts.evonic(host.root, "plugin", "uninstall", "fromcli").returncode == 0
    assert not (host.root / "plugins" / "fromcli").exists()
