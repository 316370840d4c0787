"""The commands that speak to a running Evonic: what is printed where, and every exit status."""

from __future__ import annotations

import json
import os
import shlex
import socket
import threading
from concurrent.futures import Future

import pytest
from cli_helpers import FakeHost, rejected, reloaded, status_of

from evonic_lsp.bridge import client as clients
from evonic_lsp.bridge import rendezvous, text, wire
from evonic_lsp.bridge.client import Client, NoAnswer
from evonic_lsp.bridge.wire import LogEntry, PluginInfo, Problem, WireError

NOT_UNDERSTOOD = "the host's answer is not understood; is it of another version? `evonic-lsp doctor` tells"
HOST_COMMANDS = [
    ("reload", "kanban"),
    ("hotreload-enable",),
    ("hotreload-enable", "kanban"),
    ("hotreload-disable",),
    ("hotreload-status",),
    ("hotreload-status", "--json"),
    ("logs", "kanban"),
    ("logs", "kanban", "--follow"),
]


# ── reload ──


def test_reload_says_what_it_did(run, host):
    done = run("reload", "kanban")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "kanban: reloaded (42 ms, generation 3)\n", "")
    assert host.asked[-1] == ("plugin/reload", {"plugin": "kanban", "askedBy": wire.MANUAL})


def test_a_failed_reload_is_printed_as_an_editor_shows_it(run, host):
    host.answers["plugin/reload"] = rejected()
    done = run("reload", "kanban")
    assert (done.exit_code, done.stdout) == (1, "")
    head, source, carets, note, serving = done.stderr.splitlines()
    assert head == "plugins/kanban/handler.py:3:5: error: NameError: name 'y' is not defined"
    assert (source, carets) == ("    x = y", "        ^")
    assert note == "  plugins/kanban/db.py:10:1: note: in go"
    assert serving.startswith("kanban was not reloaded (rejected): the old version of ")
    assert serving.endswith("(generation 3) goes on serving; fix it, then save or reload")


def test_a_failed_reload_of_what_never_ran(run, host):
    host.answers["plugin/reload"] = reloaded(status=wire.STUCK, message="no end", generation=None, loaded_at=None)
    done = run("reload", "kanban")
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        "error: no end",
        "kanban was not reloaded (stuck): nothing of this plugin is running; fix it, then save or reload",
    ]


def test_warnings_are_told_and_do_not_fail(run, host):
    host.answers["plugin/reload"] = reloaded(problems=[Problem("manifest", "no such card", "warning")])
    done = run("reload", "kanban")
    assert (done.exit_code, done.stderr) == (0, "warning: manifest: no such card\n")


def test_a_plugin_that_is_switched_off_was_not_reloaded(run, host):
    host.answers["plugin/reload"] = reloaded(status=wire.DISABLED, message="kanban is switched off", generation=None)
    done = run("reload", "kanban")
    assert (done.exit_code, done.stdout, done.stderr) == (1, "", "kanban is switched off (42 ms)\n")


@pytest.mark.parametrize("bad", ["../../etc", "", "a b", "a/b", "ä", "x" * 200, "a\x1b[31m", "kanban\n"])
@pytest.mark.parametrize("command", ["reload", "hotreload-enable", "hotreload-disable", "logs"])
def test_what_is_no_plugin_id_is_refused_before_any_host_is_asked(run, command, bad):
    done = run(command, bad)
    assert done.exit_code == 2
    assert "is not a plugin id" in done.stderr
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (wire.UNKNOWN_PLUGIN, 2),
        (wire.REFUSED, 2),
        (wire.INTERNAL_ERROR, 1),
        (wire.METHOD_NOT_FOUND, 3),
        (wire.INVALID_PARAMS, 3),
    ],
)
def test_an_error_of_the_host(run, host, code, status):
    host.answers["plugin/reload"] = WireError(code, "there is no plugin\x1b[2J; did you mean it?")
    done = run("reload", "kanban")
    assert done.exit_code == status
    assert done.stderr.endswith("there is no plugin\\x1b[2J; did you mean it?\n")


# ── The switches ──


def test_the_switch_of_a_plugin(run, host):
    done = run("hotreload-enable", "kanban")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "hot reload of kanban is on\n", "")
    assert host.asked[-1] == ("hotreload/enable", {"plugin": "kanban"})
    assert run("hotreload-disable", "kanban").stdout == "hot reload of kanban is off\n"
    assert host.asked[-1] == ("hotreload/disable", {"plugin": "kanban"})


def test_the_global_switch(run, host, root):
    assert run("hotreload-disable").stdout == "hot reload is off\n"
    assert host.asked[-1] == ("hotreload/disable", {})
    assert "no plugin is chosen yet" in run("hotreload-enable").stderr
    host.answers["hotreload/enable"] = status_of(root, PluginInfo("kanban", "Kanban", "1", True, True))
    done = run("hotreload-enable")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "hot reload is on; plugins chosen: 1\n", "")


def test_a_switch_that_has_no_effect_yet_says_why(run, host, root):
    off = PluginInfo("kanban", "Kanban", "1", enabled=False, hotreload=True)
    host.answers["hotreload/enable"] = status_of(root, off, enabled=False)
    done = run("hotreload-enable", "kanban")
    assert done.exit_code == 0, done.stderr
    assert "off for all plugins: `evonic-lsp hotreload-enable`" in done.stderr
    assert "`./evonic plugin enable kanban`" in done.stderr


# ── Status ──


def test_status_is_a_table(run, host, root):
    host.answers["hotreload/status"] = status_of(
        root,
        PluginInfo("kanban", "Kanban", "1", True, True, generation=3, outcome=rejected()),
        PluginInfo("a-long-plugin-id", "x", "1", False, False),
        enabled=False,
        degraded=("templates",),
    )
    done = run("hotreload-status")
    lines = done.stdout.splitlines()
    assert done.exit_code == 0, done.stderr
    assert lines[0] == f"Evonic 1.2 at {root} (pid {os.getpid()}, bridge {wire.VERSION})"
    assert lines[1].startswith("Hot reload is off for all plugins")
    assert lines[2] == "Without: templates"
    header, kanban, other = lines[4:7]
    assert kanban.split()[:5] == ["kanban", "on", "on", "3", "rejected"]
    assert other.split() == ["a-long-plugin-id", "off", "off", "-", "-", "-"]
    assert header.index("HOT RELOAD") == kanban.index("on", kanban.index("on") + 1)
    assert lines[-1].startswith("kanban: handler.py:3: NameError")


def test_status_as_json_is_what_the_wire_says(run, host, root):
    status = status_of(root, PluginInfo("kanban", "Kän\x1bban", "1", True, True, generation=3, outcome=rejected()))
    host.answers["hotreload/status"] = status
    done = run("hotreload-status", "--json")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.isascii()
    assert json.loads(done.stdout) == json.loads(json.dumps(wire.to_json(status)))


# ── Logs ──


def test_logs(run, host):
    entry = LogEntry("kanban", "2026-01-01T00:00:00", "info", "one\ntwo \x1b]0;title\x07 \u202eend")
    host.answers["plugin/logs"] = [entry]
    done = run("logs", "kanban", "--limit", "7")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "2026-01-01T00:00:00 info  one\n    two \\x1b]0;title\\x07 \\u202eend\n"
    assert host.asked[-1] == ("plugin/logs", {"plugin": "kanban", "limit": 7})


@pytest.mark.parametrize("limit", ["0", "501", "-1", "x"])
def test_a_limit_out_of_range(run, host, limit):
    assert run("logs", "kanban", "--limit", limit).exit_code == 2
    assert host.asked == []


def test_follow_loses_nothing_and_repeats_nothing(run, host, monkeypatch):
    stopping = threading.Thread(target=host.listener.stop)
    shown = text.log

    def show(entry):
        if entry.message == "new":
            stopping.start()
        return shown(entry)

    monkeypatch.setattr(text, "log", show)

    def past(params):
        told = host.log("kanban", "between")  # logged while the past is being read, and part of it
        host.log("other", "of another plugin")
        host.log("kanban", "new")
        return [told]

    host.answers["plugin/logs"] = past
    done = run("logs", "kanban", "--follow")
    stopping.join()
    assert done.exit_code == 0, done.stderr
    assert [line.split()[-1] for line in done.stdout.splitlines()] == ["between", "new"]
    assert done.stderr == "the host ended\n"


# ── Hosts that are not there, or not ours ──


@pytest.mark.parametrize("command", HOST_COMMANDS)
def test_no_host(run, root, command):
    done = run(*command)
    assert (done.exit_code, done.stdout) == (3, "")
    assert "evonic-lsp install ROOT" in done.stderr
    done = run(*command, "--evonic", root)
    assert done.exit_code == 3
    assert f"no running Evonic with the bridge at {root}" in done.stderr


@pytest.mark.parametrize("command", [*HOST_COMMANDS, ("doctor",)])
def test_a_root_that_is_no_evonic(run, host, tmp_path, command):
    done = run(*command, "--evonic", tmp_path / "elsewhere")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "is not an Evonic: it has no evonic, app.py" in done.stderr
    assert "is not a folder" in run(*command, "--evonic", tmp_path / "nowhere").stderr


def test_the_evonic_around_the_current_folder_is_meant(run, host, make_root, monkeypatch, root):
    other = make_root("other")
    (other / "plugins" / "mine").mkdir()
    monkeypatch.chdir(other / "plugins" / "mine")
    done = run("hotreload-status")
    assert done.exit_code == 3
    assert f"at {other}" in done.stderr
    assert run("hotreload-status", "--evonic", root).exit_code == 0


def test_a_current_folder_that_is_gone(run, host, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert run("hotreload-status").exit_code == 0


def test_several_hosts(run, host, root, tmp_path, runtime_dir):
    other = rendezvous.Announcement(
        1, "0", os.getppid(), str(tmp_path / "other"), "", rendezvous.hosts(root)[0].endpoint, 1.0
    )
    rendezvous.announce(other, [runtime_dir])
    done = run("hotreload-status")
    assert done.exit_code == 3
    assert "--evonic ROOT" in done.stderr
    assert str(tmp_path / "other") in done.stderr
    assert run("hotreload-status", "--evonic", root).exit_code == 0


def test_a_host_of_another_protocol(run, host, monkeypatch):
    monkeypatch.setattr(clients.wire, "PROTOCOL", 2)
    host.answers["initialize"] = WireError(wire.WRONG_PROTOCOL, "Run `pipx install`")
    done = run("reload", "kanban")
    assert done.exit_code == 3
    assert "Run `pipx install`" in done.stderr


@pytest.mark.parametrize("command", HOST_COMMANDS)
@pytest.mark.parametrize(
    "said",
    [b"", b"SSH-2.0-OpenSSH\n", b"\xff\n", b"[]\n", b'{"jsonrpc":"2.0","id":1,"result":{"root":3}}\n', b"{}" * 99],
    ids=["nothing", "text", "bytes", "array", "another", "endless"],
)
def test_a_socket_that_is_not_a_host(run, tmp_path, runtime_dir, said, command):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve():
            try:
                while True:
                    connection, _ = server.accept()
                    connection.recv(4096)
                    connection.sendall(said)
                    connection.close()
            except OSError:
                return

        threading.Thread(target=serve, daemon=True).start()
        found = rendezvous.Announcement(1, "0", os.getpid(), "/r", "/r/plugins", f"unix:{path}", 1.0)
        rendezvous.announce(found, [runtime_dir])
        done = run(*command)
        server.shutdown(socket.SHUT_RDWR)
    assert (done.exit_code, done.stdout) == (3, "")
    assert done.stderr.startswith("evonic-lsp: ")


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(Client.__init__, "__defaults__", (0.05,))


def unanswered(root, why):
    """What is said of a host that gives no answer."""
    doctor = f"evonic-lsp doctor --evonic {shlex.quote(str(root))}"
    return (
        f"evonic-lsp: Evonic at {root} (pid {os.getpid()}) does not answer: is it stopped or ending? `{doctor}`, or "
        f"restart it ({why})\n"
    )


def test_a_host_that_does_not_answer(run, host, root, impatient):
    waiting = threading.Event()
    host.answers["hotreload/status"] = lambda params: waiting.wait(5)
    done = run("hotreload-status")
    waiting.set()
    why = "nothing came to hotreload/status within 0.05 s"
    assert (done.exit_code, done.stderr) == (3, unanswered(root, why))


def test_a_host_that_only_talks_does_not_answer(host, impatient):
    silent, answered = threading.Event(), threading.Event()

    def talk(params):
        while not silent.is_set():
            host.log("kanban", "and another thing")
        answered.set()

    host.answers["hotreload/status"] = talk
    with Client(clients.find(), "test") as client, pytest.raises(NoAnswer, match="nothing came to hotreload/status"):
        client.status()
    silent.set()
    assert answered.wait(5)


def test_a_host_that_has_just_ended(run, make_root):
    root = make_root("a place")
    fake = FakeHost(root)
    fake.listener.start()
    (announced,) = rendezvous.hosts(root)
    os.unlink(announced.endpoint[len("unix:") :])
    done = run("reload", "kanban", "--evonic", root)
    fake.listener.stop()
    why = f"cannot connect to {announced.endpoint}: No such file or directory"
    assert (done.exit_code, done.stderr) == (3, unanswered(root, why))
    assert "--evonic '/" in done.stderr
    done = run("reload", "kanban", "--evonic", root)
    assert f"`evonic-lsp install '{root}'`" in done.stderr


def test_a_host_that_ends_meanwhile(run, host, root):
    stopping = threading.Thread(target=host.listener.stop)
    host.answers["plugin/reload"] = lambda params: stopping.start() or Future()
    done = run("reload", "kanban")
    stopping.join()
    assert (done.exit_code, done.stderr) == (3, unanswered(root, "the connection was closed"))


@pytest.mark.parametrize(
    ("code", "raised"), [(wire.PARSE_ERROR, True), (wire.INVALID_REQUEST, True), (wire.METHOD_NOT_FOUND, False)]
)
def test_an_error_of_nobodys_request(root, code, raised):
    """A host that could not read a request cannot say whose it was; other errors belong to a notification."""
    ours, theirs = socket.socketpair()
    announced = rendezvous.Announcement(1, "0", 7, str(root), "", "unix:/nowhere", 1.0)
    with theirs, pytest.MonkeyPatch.context() as patch:
        patch.setattr(clients, "connect", lambda endpoint, timeout: ours)
        theirs.sendall(wire.response(1, status_of(root)) + wire.failure(None, WireError(code, "what?")))
        theirs.sendall(wire.response(2, 42))
        with Client(announced, "test") as client:
            if raised:
                with pytest.raises(WireError, match="what\\?"):
                    client.call("plugin/reload", {})
            else:
                assert client.call("plugin/reload", {}) == 42


def test_an_answer_that_is_none(run, host):
    host.answers["plugin/reload"] = {"plugin": "kanban"}
    done = run("reload", "kanban")
    assert (done.exit_code, done.stderr) == (3, f"evonic-lsp: {NOT_UNDERSTOOD}: Outcome.status is missing\n")
    host.answers["plugin/logs"] = 3
    assert run("logs", "kanban").exit_code == 3
