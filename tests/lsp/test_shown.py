"""What comes from hosts and reaches the clients of the server as data: no text acts, no place climbs."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygls.exceptions import JsonRpcException

from evonic_lsp import shown
from evonic_lsp.bridge import wire
from evonic_lsp.bridge.messages import Replayed
from evonic_lsp.bridge.wire import Failure, HostStatus, LogEntry, Outcome, Place, PluginInfo, Problem, Related

ACTS = "\x1b[31m [click](command:evil) \u202e"
QUICK = {"debounce": 0}


def filled(kind, text):
    """A message whose every text is `text`, but for those that must fit."""
    place = Place("handler.py", 0, 0, 0, 1, "p")
    problem = Problem(text, text, text, place, [Related(text, place)], text)
    outcome = Outcome("p", text, text, text, problems=[problem], timings={text: 1.0}, dependents=[text])
    failure = Failure("p", text, text, text, problem, 1, 1.0, 1.0, 0)
    info = PluginInfo("p", text, text, True, True, outcome=outcome, errors=[failure])
    status = HostStatus("/r", "/r/plugins", text, text, 1, True, [info], [text])
    replayed = Replayed("p", text, text, text, problem=problem, log=[LogEntry("p", text, text, text)])
    return {type(each): each for each in (outcome, failure, info, status, replayed)}[kind]


def texts(value):
    if isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)
    elif isinstance(value, str):
        yield value


@pytest.mark.parametrize("message", [Outcome, Failure, PluginInfo, HostStatus, Replayed])
def test_no_text_of_any_message_acts(message):
    """By the rule, not by a list of keys: a key that is new is no hole."""
    found = list(texts(shown.data(wire.to_json(filled(message, ACTS)))))
    assert any("click" in each for each in found)
    assert not [each for each in found if "](command" in each or "\x1b" in each or "\u202e" in each]


@given(st.recursive(st.none() | st.integers() | st.just(ACTS) | st.text(max_size=5), lambda inner: st.lists(inner)
       | st.dictionaries(st.sampled_from(["new", "message", "root", "first", ACTS]), inner), max_leaves=8))  # fmt: skip
def test_nor_of_any_data(data):
    def acting(value):
        if isinstance(value, dict):
            yield from (key for key in value if "](command" in key)
            yield from (each for key, part in value.items() if key != "first" for each in acting(part))
        elif isinstance(value, list):
            yield from (each for part in value for each in acting(part))
        elif isinstance(value, str) and "](command" in value:
            yield value

    assert list(acting(shown.data(data))) == []


def test_paths_and_lines_of_the_source_stay_what_they_are():
    place = {"file": "\u200cنامه.py", "plugin": "p", "first": "\tx\x0c", "last": "[a](https://b)"}
    assert shown.data({"root": "/\u200d", "pluginsDir": "/\u200d/plugins", "place": place}) == {
        "root": "/\u200d", "pluginsDir": "/\u200d/plugins", "place": place
    }  # fmt: skip
    assert shown.data({"root": "/[a](command:b)"}) == {"root": "/[a] (command:b)"}


CLIMBING = ["/etc/passwd", "../x.py", "a/../../x.py", "..", "a\0b", "a\\..\\..\\b", "\ud800", 3, None]


@pytest.mark.parametrize("file", CLIMBING)
def test_a_place_that_climbs_is_none(file):
    assert shown.data({"place": {"file": file, "plugin": "p"}}) == {"place": None}
    assert shown.data({"place": {"file": file}}) == {"place": None}


@pytest.mark.parametrize("plugin", ["..", "", "a/b", "/etc", 3, "\ud800"])
def test_nor_does_its_plugin(plugin):
    assert shown.data({"place": {"file": "x.py", "plugin": plugin}}) == {"place": None}


@pytest.mark.parametrize(("file", "plugin"), [("handler.py", "p"), ("a/b..c/.x.py", "p"), ("backend/x.py", None)])
def test_a_place_inside_stays(file, plugin):
    place = {"file": file, "plugin": plugin}
    assert shown.data(place) == place


async def test_what_commands_answer(host, window):
    """Every command that hands on what a host says."""

    def data(value):
        if isinstance(value, tuple) and hasattr(value, "_asdict"):  # what pygls makes of an object
            value = value._asdict()
        if isinstance(value, dict):
            return {key: data(each) for key, each in value.items()}
        return [data(each) for each in value] if isinstance(value, list) else value

    evonic = host()
    folder = evonic.plugin("p")
    places = [
        Place("../../x.py", 3, 0, 3, 1, "p"),
        Place("/etc/passwd", 0, 0, 0, 1),
        Place("handler.py", -5, -1, -7, 1, "p"),
        Place("x.py", 0, 0, 0, 0, "../q"),
    ]
    problems = [Problem("E", ACTS, place=each, related=[Related("r", each)]) for each in places]
    outcome = Outcome("p", wire.REJECTED, ACTS, wire.MANUAL, problems=problems)
    failures = [Failure("p", str(key), "event", "e", each, 1, -1.0, 1e200, 0) for key, each in enumerate(problems)]
    info = dataclasses.replace(evonic.plugins["p"], outcome=outcome, errors=failures)
    evonic.plugins = {"p": info, "../../etc": dataclasses.replace(info, id="../../etc")}
    evonic.outcome = lambda plugin, asked_by: outcome
    evonic.answers["plugin/enable"] = lambda params: info
    evonic.answers["plugin/replay"] = lambda params: Replayed("p", ACTS, "failed", ACTS, problem=problems[0])
    evonic.answers["plugin/logs"] = lambda params: [LogEntry("p", ACTS, ACTS, ACTS)]
    evonic.start()
    editor = await window(folder, options=QUICK)
    await editor.state("idle")
    editor.answers = ["Run"]
    for command, arguments in {"status": ["p"], "reload": ["p"], "switchOn": ["p"], "replay": ["p"], "logs": ["p"],
                               "enable": ["p"], "connect": ["p"]}.items():  # fmt: skip
        answer = data(await editor.command(command, *arguments))
        found = list(texts(answer))
        assert not [each for each in found if "](command" in each or "\x1b" in each], command
        assert not [each for each in found if ".." in each or each == "/etc/passwd"], command

        def lines(value):
            if isinstance(value, dict):
                yield from (each for key, each in value.items() if key.endswith(("Line", "Column")))
                yield from (each for part in value.values() for each in lines(part))
            elif isinstance(value, list):
                yield from (each for part in value for each in lines(part))

        assert all(each >= 0 for each in lines(answer)), command
    assert all(uri.startswith(folder.as_uri()) for uri in editor.shown)


async def test_what_an_editor_asked_for_comes_back_as_text_only(host, window):
    editor = await window(host().plugin("p"))
    with pytest.raises(JsonRpcException) as caught:
        await editor.command("reload", f"x:{ACTS}")
    assert "](command" not in caught.value.message
    assert "\x1b" not in caught.value.message
