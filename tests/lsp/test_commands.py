"""The LSP commands, the question, and the settings."""

from __future__ import annotations

import asyncio

import pytest
from pygls.exceptions import JsonRpcException

from evonic_lsp import commands
from evonic_lsp.bridge import wire

QUICK = {"debounce": 0}


def field(result, name):
    return result[name] if isinstance(result, dict) else getattr(result, name)


async def test_reload_of_a_named_plugin_of_a_file_and_of_the_last_one(host, window):
    evonic = host()
    one, two = evonic.plugin("one"), evonic.plugin("two", hotreload=False)
    evonic.start()
    editor = await window(one, options=QUICK)
    assert field(await editor.command("reload", "two"), "status") == wire.RELOADED
    await editor.command("reload", (one / "handler.py").as_uri())
    editor.open(two / "handler.py")
    await editor.command("reload")
    assert evonic.reloads() == [("two", wire.MANUAL), ("one", wire.MANUAL), ("two", wire.MANUAL)]
    await editor.state("reloading", "two")
    await editor.state("ok", "two")


async def test_enable_and_disable_one_and_all(host, window):
    evonic = host()
    folder = evonic.plugin("p", hotreload=False)
    evonic.start()
    editor = await window(folder)
    editor.open(folder / "handler.py")
    await editor.command("enable")
    assert evonic.plugins["p"].hotreload
    await editor.state("idle", "p")
    await editor.command("disable", "p")
    assert not evonic.plugins["p"].hotreload
    await editor.command("disable", "*")
    assert not evonic.enabled
    status = await editor.command("status")
    assert (field(status, "enabled"), field(status, "current")) == (False, "p")
    await editor.command("enable", "*")
    assert evonic.enabled


@pytest.mark.parametrize("name", commands.NAMES)
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["a", "b"], "takes one argument"),
        ([3], "not a plugin id"),
        ([{"a": 1}], "not a plugin id"),
        (["../../etc"], "not a plugin id"),
        (["http://x/y"], "not a file of a plugin"),
        (["file:///nowhere/x.py"], "not a file of a plugin"),
    ],
)
async def test_wrong_arguments(host, window, name, arguments, says):
    if name == commands.REPLAY and len(arguments) == 2:
        arguments, says = [*arguments, "c"], "takes a plugin id or a file URI, and the name"
    evonic = host()
    folder = evonic.plugin("p")
    evonic.start()
    editor = await window(folder)
    with pytest.raises(JsonRpcException, match=says):
        await editor.command(name, *arguments)
    assert evonic.reloads() == []


async def test_without_a_plugin_or_a_host(host, window):
    editor = await window()
    with pytest.raises(JsonRpcException, match="which plugin"):
        await editor.command("reload")
    with pytest.raises(JsonRpcException, match="no running Evonic"):
        await editor.command("status")
    evonic = host()
    editor.open(evonic.plugin("p") / "handler.py")
    with pytest.raises(JsonRpcException, match="no running Evonic"):
        await editor.command("reload")


async def test_an_unknown_plugin(host, window):
    evonic = host()
    folder = evonic.plugin("p")
    evonic.start()
    editor = await window(folder)
    with pytest.raises(JsonRpcException, match="there is no plugin q"):
        await editor.command("reload", "q")


# ── The question ──


async def asked(host, window, *answers, **options):
    evonic = host()
    folder = evonic.plugin("p", hotreload=False, decided=False)
    evonic.start()
    editor = await window(folder, options={**QUICK, **options})
    editor.answers = list(answers)
    editor.save(folder / "handler.py")
    await editor.state("idle", "p")
    return evonic, editor, folder / "handler.py"


async def test_enable_reloads_at_once_and_asks_no_more(host, window):
    evonic, editor, file = await asked(host, window, "Enable")
    await editor.state("ok", "p")
    assert [each.title for each in editor.questions[0].actions] == ["Enable", "Not now", "Never"]
    editor.save(file)
    await editor.state("ok", "p")
    assert len(editor.questions) == 1
    assert evonic.plugins["p"].hotreload


@pytest.mark.parametrize("answer", ["Not now", None])
async def test_not_now_asks_again_in_the_next_session(host, window, answer):
    evonic, editor, file = await asked(host, window, answer)
    await editor.until(lambda: editor.questions)
    editor.save(file)
    await editor.state("idle", "p")
    await editor.command("status")
    assert len(editor.questions) == 1
    assert not evonic.plugins["p"].decided
    another = await window(file.parent, options=QUICK)
    another.save(file)
    await another.until(lambda: another.questions)


async def test_never_is_kept_by_the_host(host, window):
    evonic, editor, file = await asked(host, window, "Never")
    await editor.until(lambda: evonic.plugins["p"].decided)
    another = await window(file.parent, options=QUICK)
    another.save(file)
    await another.state("idle", "p")
    await another.command("status")
    assert another.questions == []


async def test_always_enables_without_a_question(host, window):
    _, editor, _ = await asked(host, window, optIn="always")
    await editor.state("ok", "p")
    assert editor.questions == []


async def test_never_as_a_setting_asks_nothing(host, window):
    evonic, editor, _ = await asked(host, window, optIn="never")
    await editor.command("status")
    assert (editor.questions, evonic.plugins["p"].hotreload) == ([], False)


async def test_nothing_is_asked_while_the_global_switch_is_off(host, window):
    evonic = host()
    evonic.enabled = False
    folder = evonic.plugin("p", hotreload=False, decided=False)
    evonic.start()
    editor = await window(folder, options=QUICK)
    editor.save(folder / "handler.py")
    await editor.state("idle", "p")
    await editor.command("status")
    assert editor.questions == []


# ── Settings ──


def configure(editor, settings):
    from lsprotocol.types import DidChangeConfigurationParams

    editor.client.workspace_did_change_configuration(DidChangeConfigurationParams(settings))


async def test_reload_on_save_is_live(host, window):
    evonic = host()
    folder = evonic.plugin("p")
    evonic.start()
    editor = await window(folder, options={**QUICK, "reloadOnSave": False})
    editor.save(folder / "handler.py")
    await editor.command("reload", "p")
    configure(editor, {"evonic": {"reloadOnSave": True}})
    editor.save(folder / "handler.py")
    await editor.state("pending", "p")
    await editor.state("ok", "p")
    assert evonic.reloads() == [("p", "manual"), ("p", "save")]


async def test_the_editor_is_asked_for_its_settings(host, window):
    evonic = host()
    folder = evonic.plugin("p")
    evonic.start()
    editor = await window(folder, configuration={"debounce": 7, "trace": {"server": "off"}, "root": None})
    await editor.until(lambda: editor.registered)
    await editor.command("status")  # behind the answer: it has been taken in then
    assert editor.server.session.settings.debounce == 7
    editor.configuration = {"debounce": 8}
    configure(editor, None)
    await editor.command("status")
    await editor.command("status")
    assert editor.server.session.settings.debounce == 8


async def test_a_wrong_setting_is_told_and_left(host, window):
    editor = await window(options={"debounce": "soon", "optIn": 3})
    await editor.until(lambda: len(editor.messages) == 2)
    assert "evonic.debounce must be a number of milliseconds" in editor.messages[0]
    assert editor.server.session.settings.debounce == 50


async def test_root_and_endpoint(host, window, tmp_path):
    evonic = host()
    source = tmp_path / "elsewhere"
    evonic.plugin("linked", folder=source)
    evonic.start()
    editor = await window(options={**QUICK, "root": str(evonic.root)})
    await editor.state("idle")
    configure(editor, {"evonic": {"root": str(tmp_path / "nothing")}})
    await editor.until(lambda: editor.messages)
    assert "there is no Evonic at" in editor.messages[0]
    from evonic_lsp.bridge.client import find

    configure(editor, {"evonic": {"endpoint": find(evonic.root).endpoint, "root": ""}})
    await editor.state("idle")
    editor.save(source / "handler.py")
    await editor.state("ok", "linked")


async def test_an_endpoint_that_is_none(host, window):
    editor = await window(options={"endpoint": "carrier-pigeon"})
    status = await editor.state("disconnected")
    assert "is not an endpoint" in status["message"]


# ── All hosts, logs, clearing ──


async def test_status_of_all_hosts_names_those_that_do_not_answer(host, window):
    evonic, silent = host(), host("silent")
    folder = evonic.plugin("p")
    evonic.start()
    editor = await window(folder, silent.plugin("q"), options=QUICK)
    editor.open(folder / "handler.py")
    await editor.state("idle")
    found = await editor.command("status", "*")
    hosts = {field(each, "root"): each for each in field(found, "hosts")}
    assert field(hosts[str(evonic.root)], "status")
    assert field(hosts[str(silent.root)], "status") is None
    assert field(hosts[str(silent.root)], "message")
    assert field(field(found, "current"), "plugin") == "p"
    assert field(found, "version") == wire.VERSION


async def test_cleared_problems_come_back_with_the_next_failure(host, window):
    evonic = host()
    folder = evonic.plugin("p")
    evonic.start()
    wrong = wire.Problem("NameError", "no", place=wire.Place("handler.py", 0, 0, 0, 1, "p"))
    evonic.outcome = lambda plugin, asked_by: wire.Outcome(plugin, wire.REJECTED, "no", asked_by, problems=[wrong])
    editor = await window(folder, options=QUICK)
    uri = (folder / "handler.py").as_uri()
    for argument in ("p", "*", uri):
        await editor.command("reload", "p")
        await editor.until(lambda: editor.shown.get(uri), "shown")
        await editor.command("clear", argument)
        assert editor.shown[uri] == []


async def test_a_shutdown_while_a_command_is_being_answered(host, window):
    evonic = host()
    folder = evonic.plugin("p")
    evonic.start()
    editor = await window(folder)
    await editor.state("idle")
    asked = asyncio.ensure_future(editor.command("status"))
    await asyncio.sleep(0)
    await editor.client.shutdown_async(None)
    with pytest.raises(JsonRpcException, match="cancel"):
        await asked


async def test_of_several_evonics_the_configured_one_is_meant(host, window):
    """`evonic.root` names it, though another one is older, and has the file that was last touched."""
    other, meant = host("a"), host("b")
    folder = other.plugin("p")
    meant.plugin("p")
    other.plugin("only")
    other.start()
    meant.start()
    editor = await window(other.root, options={**QUICK, "root": str(meant.root)})
    editor.open(folder / "handler.py")
    assert field(await editor.command("status"), "root") == str(meant.root)
    await editor.command("reload", "p")
    await editor.command("disable", "*")
    assert (meant.reloads(), other.reloads()) == ([("p", wire.MANUAL)], [])
    assert (meant.enabled, other.enabled) == (False, True)
    # But what only another one has is found there, and a file says itself where it is.
    await editor.command("reload", "only")
    await editor.command("reload", (folder / "handler.py").as_uri())
    assert [plugin for plugin, _ in other.reloads()] == ["only", "p"]
    configure(editor, {"evonic": {"root": "~nobody-of-this-name/x"}})
    assert field(await editor.command("status"), "root") == str(other.root)
