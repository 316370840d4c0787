"""What a workspace, a plugin or a host may try on the person in front of the editor."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import threading
from pathlib import Path

import pytest
from faults import faulty
from faults.test_service import OF_PLUGINS
from hypothesis import given
from hypothesis import strategies as st

from evonic_lsp import plugins, shown
from evonic_lsp.bridge import commands, rendezvous, text, wire
from evonic_lsp.bridge.wire import LogEntry, Place, Problem, Related
from evonic_lsp.settings import Settings, updated

ROOT = Path(__file__).parents[2]
QUICK = {"debounce": 0}
# A new title, the screen wiped, a link of the terminal, a line over the last one, a name read backwards, a bell.
TERMINAL = "\x1b]0;pwned\x07\x1b[2J\x1b]8;;http://evil\x1b\\x\r\x9b1m\u202egnp.exe\u2066\u2028\0\x7f\ud800"
LINK = "[Click me](command:workbench.action.terminal.sendSequence?%5B%22rm%22%5D)"
EVIL = TERMINAL + LINK
ACTS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff]")
LINKS = re.compile(r"\]\((command|https?|file|vscode)[^)]*:?")


def harmless(message):
    return not ACTS.search(message) and not LINKS.search(message)


# ── Texts ──


def evil_outcome(plugin="p"):
    place = Place("handler.py", 0, 0, 0, 1, plugin, "x", "x")
    problem = Problem(EVIL, EVIL, "error", place, [Related(EVIL, place), Related(EVIL)], EVIL)
    return faulty.outcome(plugin, wire.REJECTED, EVIL, problems=[problem])


async def test_no_text_of_a_host_acts_in_the_editor(host, window):
    evonic = host()
    folder = evonic.plugin("p", name=EVIL, version=EVIL)
    evonic.outcome = lambda plugin, asked_by: evil_outcome()
    evonic.start()
    editor = await window(evonic.root, options={**QUICK, "optIn": EVIL, "root": "/" + LINK})
    await editor.state("idle")
    uri = editor.save(folder / "handler.py")
    await editor.until(lambda: any(each["state"] == "failed" for each in editor.statuses) and editor.shown.get(uri))
    evonic.tell("plugin/log", LogEntry("p", EVIL, EVIL, EVIL))
    result = await editor.command("reload", "p")
    await editor.command("status", "p")
    told = [*editor.messages, *editor.logged, *(each["message"] for each in editor.statuses)]
    assert editor.messages  # about the settings
    for message in (*editor.messages, *(each["message"] for each in editor.statuses), result["message"]):
        assert harmless(message), message
    for message in told:
        assert not ACTS.search(message), message
    for each in editor.shown[uri]:
        texts = [each.message, each.code, *(info.message for info in each.related_information or ())]
        assert not any(map(ACTS.search, texts)), texts


async def test_no_question_of_ours_carries_a_link(host, window):
    """The root of an Evonic is a path, and a path can be called anything."""
    evonic = host(LINK.replace("/", ""))
    evonic.protocol_error = wire.WireError(wire.WRONG_PROTOCOL, EVIL)
    folder = evonic.plugin("p")
    evonic.start()
    editor = await window(evonic.root, options=QUICK)
    editor.save(folder / "handler.py")
    await editor.until(lambda: editor.questions)
    assert all(harmless(question.message) for question in editor.questions)


async def test_a_command_that_fails_says_so_without_links(host, window):
    evonic = host()
    evonic.plugin("p")
    evonic.outcome = lambda plugin, asked_by: (_ for _ in ()).throw(wire.WireError(wire.REFUSED, EVIL))
    evonic.start()
    editor = await window(evonic.root)
    await editor.state("idle")
    with pytest.raises(Exception, match="Click") as failed:
        await editor.command("reload", "p")
    assert harmless(str(failed.value))


@given(st.text())
def test_a_cleaned_text_never_acts_and_is_cleaned_once(message):
    once = shown.text(message)
    assert not ACTS.search(once)
    assert shown.text(once) == once
    assert text.clean(text.clean(message)) == text.clean(message)
    if message.isprintable() and "](" not in message:
        assert once == message


@pytest.mark.parametrize("kept", ["a[0](1)", "naïve 日本語 😋\tx\ny", "see [the docs](#anchor)", "x = d['k'](y)"])
def test_what_is_harmless_stays(kept):
    assert shown.text(kept) == kept


def test_data_keeps_the_names_of_files():
    weird, link = "tmp/\u200c\x1b", "[x](command:y)"
    outcome = {"message": weird + link, "problems": [{"file": weird}, {"file": weird + link}]}
    got = shown.data({"root": f"/{weird}", "plugins": [{"id": "p", "outcome": outcome}]})
    outcome = got["plugins"][0]["outcome"]
    assert (got["root"], outcome["problems"][0]["file"]) == (f"/{weird}", weird)
    assert harmless(outcome["message"])
    assert "](command" not in outcome["problems"][1]["file"]  # nobody calls a file so who means well


def test_no_text_of_a_host_steers_a_terminal(listener, root, answers, capsys):
    answers["plugin/reload"] = evil_outcome()
    answers["plugin/logs"] = [LogEntry("p", EVIL, EVIL, EVIL)]
    plain = answers["initialize"]
    info = wire.PluginInfo(EVIL, EVIL, EVIL, True, True, outcome=evil_outcome())
    answers["initialize"] = answers["hotreload/status"] = dataclasses.replace(
        plain, root=EVIL, version=EVIL, bridge=EVIL, plugins=[info], degraded=[EVIL], plugins_dir=EVIL
    )
    assert commands.reload(root, "p") == commands.FAILED
    assert commands.logs(root, "p") == commands.DONE
    assert commands.status(root) == commands.DONE
    answers["plugin/reload"] = wire.WireError(wire.REFUSED, EVIL)
    assert commands.reload(root, "p") == commands.USAGE
    printed = "".join(capsys.readouterr())
    assert "Click me" in printed
    assert not ACTS.search(printed)


# ── Ids and paths that climb ──

CLIMBING = [
    "..",
    ".",
    "",
    "a/b",
    "../x",
    "/etc",
    "a\\b",
    "a\0",
    "a\n",
    "x" * 129,
    "é",
    "a b",
    "～",
    "con:",
    None,
    3,
    ["a"],
]


@pytest.mark.parametrize("id", CLIMBING, ids=repr)
def test_an_id_that_climbs_reaches_no_folder(client, id):
    for method in OF_PLUGINS:
        if id is None and method.startswith("hotreload"):
            continue  # the global switch
        with pytest.raises(wire.WireError, match="is not a plugin id"):
            client.call(method, {"plugin": id})


@pytest.mark.parametrize("uri", [
    "file:///etc/passwd", "file:///../../etc/passwd", "file://evil.example/etc/passwd", "file:////evil/share/x.py",
    "http://x/plugins/p/handler.py", "untitled:x.py", "file:///a%00b", "file:///%ff%fe", "file:", "",
    "vscode-remote://x/y",
    "file:///{root}/plugins/p/../../../../etc/passwd",
    "file:///{root}/plugins/%2e%2e/%2e%2e/x.py", "file:///" + "x/" * 4000,
    "file:///" + "x" * 5000, "file:///{root}/plugins/../plugins/../app.py", "FILE:///%2Fetc%2Fpasswd", "file:///\ud800",
    "file://[::1/x", "file:///{root}/plugins/p%2F..%2F..%2F..%2Fx.py",
])  # fmt: skip
async def test_a_uri_that_climbs_reloads_nothing(host, window, uri):
    evonic = host()
    evonic.plugin("p")
    evonic.start()
    editor = await window(evonic.root, options=QUICK)
    await editor.state("idle")
    uri = uri.replace("{root}", str(evonic.root).lstrip("/"))
    editor.open(uri)
    editor.save(uri)
    editor.watched(Path("/etc/hosts"))
    with pytest.raises(Exception, match=r"not a file of a plugin|not a plugin id|is not"):
        await editor.command("reload", uri or "../p")
    assert evonic.reloads() == []


def test_a_path_that_climbs_is_one_of_the_plugin_where_it_arrives(host):
    evonic = host()
    for each in ("a", "b"):
        evonic.plugin(each)
    root = plugins.evonic_at(evonic.root)
    assert root is not None
    path = plugins.path_of(f"file://{evonic.root}/plugins/a/../b/db.py")
    found = plugins.find(path, [root])
    assert (found.plugin, found.file, found.counts) == ("b", "db.py", True)


# ── Consent ──


async def test_nothing_in_a_workspace_opts_it_in(host, window, tmp_path):
    """Not by its manifest, not by files that look like settings, not without a person's save."""
    evonic = host()
    folder = evonic.plugin("p", hotreload=False, decided=False)
    manifest = {"id": "p", "enabled": True, "hotreload": True, "evonic": {"optIn": "always"}, "optIn": "always"}
    (folder / "plugin.json").write_text(json.dumps(manifest))
    for name in (".evonic", ".evonic.json", "evonic.json", ".evonic-lsp.json", "pyproject.toml", ".env"):
        (folder / name).write_text(json.dumps({"evonic": {"optIn": "always", "reloadOnSave": True}}))
    (folder / ".vscode").mkdir()
    (folder / ".vscode" / "settings.json").write_text('{"evonic.optIn": "always"}')
    evonic.start()
    editor = await window(folder, options=QUICK)
    await editor.state("idle")
    editor.watched(folder / "handler.py")
    await editor.state("reloading", "p")
    await editor.state("idle", "p")
    await editor.command("status", "p")
    assert editor.questions == []
    editor.save(folder / "handler.py")
    await editor.until(lambda: editor.questions)
    await editor.command("status", "p")
    assert not evonic.plugins["p"].hotreload
    assert not any(method == "hotreload/enable" for method, _ in evonic.requests)


def test_in_vs_code_only_the_person_may_set_what_is_trusted():
    """A repository brings its `.vscode/settings.json` along."""
    manifest = json.loads((ROOT / "editors/vscode/package.json").read_text())
    settings = {}
    for part in manifest["contributes"]["configuration"]:
        settings.update(part["properties"])
    for name in ("evonic.server.path", "evonic.optIn"):
        assert settings[name].get("scope") in ("machine", "application"), name
    assert manifest["capabilities"]["untrustedWorkspaces"]["supported"] is False


@pytest.mark.parametrize("key", ["command", "server.path", "serverPath", "python", "interpreter", "path", "executable"])
def test_the_server_takes_no_name_of_an_executable(key, tmp_path):
    program = tmp_path / "evil"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o755)
    for given_ in ({key: str(program)}, {f"evonic.{key}": str(program)}, {"evonic": {key: str(program)}}):
        assert updated(Settings(), given_) == (Settings(), [])
    assert not (tmp_path / "ran").exists()


async def test_a_workspace_that_looks_like_an_evonic_runs_nothing_unasked(host, window, tmp_path):
    """Its `evonic` is a program of theirs: only `install`, which asks a person, runs that."""
    evonic = host()
    folder = evonic.plugin("p")
    (evonic.root / "evonic").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (evonic.root / "evonic").chmod(0o755)
    editor = await window(evonic.root, options=QUICK)
    editor.open(folder / "handler.py")
    editor.save(folder / "handler.py")
    await editor.until(lambda: editor.questions)
    await editor.command("status", "*")
    assert "Install" in editor.questions[0].actions[0].title
    assert not (tmp_path / "ran").exists()


async def test_an_endpoint_that_somebody_named_never_hears_a_token(window, host, root, monkeypatch):
    """A setting may point anywhere; the token goes to the endpoint that the host itself announced, and nowhere else."""
    heard: list[bytes] = []
    import socket

    listening = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def accept():
        connection, _ = listening.accept()
        heard.append(connection.makefile("rb").readline())
        connection.close()
        done.set()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    folder = rendezvous.usable_runtime_dirs()[0]
    real = rendezvous.Announcement(1, "0", os.getppid(), "/r", "/r/plugins", "tcp:127.0.0.1:1", 1.0, "secret token")
    rendezvous.announce(real, [folder])
    editor = await window(options={"endpoint": f"tcp:127.0.0.1:{listening.getsockname()[1]}"})
    await editor.state("disconnected")
    assert done.wait(5)
    thread.join(5)
    listening.close()
    assert json.loads(heard[0])["params"]["token"] is None
