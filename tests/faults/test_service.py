"""Every method of a running host, and whatever may be said to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from faults import faulty
from faults.faulty import Wire, heals, value
from hypothesis import given, settings
from hypothesis import strategies as st

from evonic_lsp.bridge import service, wire

# Read from the source, so that a method that is new is among them.
METHODS = re.findall(r'^ {12}"([a-z]+(?:/\w+)?)": ', Path(service.__file__).read_text(), re.MULTILINE)
OF_PLUGINS = [each for each in METHODS if each not in ("initialize", "plugins/list", "hotreload/status")]
HANDLER = "from . import db\ndef on_turn_complete(event, sdk):\n    pass\n"
NESTED: object = 1
for _ in range(200):
    NESTED = [NESTED]
HOSTILE = st.sampled_from([
    *(None, True, -1, 0, 0.5, 2**70, 1e308, float("nan"), float("inf"), "", "\0", "\ud800", "é" * 5000, "x" * 70_000),
    *([], {}, [[]], {"plugin": {}}, NESTED, "fuzzed", wire.BRIDGE_ID, "../gate", "__class__", "constructor", "save"),
    *("manual", "host", "turn_complete", "on_turn_complete", {"": None}),
])  # fmt: skip
VALUES = HOSTILE | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
NAMES = ("plugin", "askedBy", "limit", "handler", "protocol", "version", "client", "token", "enabled")
# Most name a plugin that there is: or nothing behind that would ever be reached.
PARAMS = VALUES | st.builds(
    lambda plugin, more: {**more, "plugin": plugin},
    st.just("fuzzed") | st.just("fuzzed") | VALUES,
    st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=9), VALUES, max_size=4),
)
ERRORS = {
    wire.INVALID_REQUEST,
    wire.INVALID_PARAMS,
    wire.REFUSED,
    wire.UNKNOWN_PLUGIN,
    wire.WRONG_PROTOCOL,
}


@pytest.fixture
def fuzzed(probe, client, sandbox):
    """A plugin that has everything that can be asked for."""
    made = probe("fuzzed")
    made.write(manifest={"events": ["turn_complete"]}, handler=HANDLER, db="VALUE = 1\n",
               routes=faulty.ROUTES.format(id="fuzzed"))  # fmt: skip
    assert made.reload().status == wire.RELOADED
    sandbox.inspect("emit", event="turn_complete")
    yield made
    client.switch(True)  # what it was


def test_the_methods_are_all_there():
    assert len(METHODS) >= 12
    assert {"initialize", "plugin/willReload", "plugin/reload", "hotreload/disable"} <= set(METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_any_params_are_answered_and_a_reload_works_afterwards(fuzzed, sandbox, method):
    """With a result, or with an error that says what is wrong with the request: none of them is a fault of the host."""
    with Wire(sandbox.root) as connection:

        @settings(max_examples=40)
        @given(PARAMS, st.booleans())
        def ask(params, answered):
            if not answered:
                connection.send(method, params)
            connection.send(method, params, 1)
            answer = connection.answer(1)
            assert ("result" in answer) != ("error" in answer)
            if "error" in answer:
                assert answer["error"]["code"] in ERRORS, answer
                assert 0 < len(answer["error"]["message"]) < 2000

        ask()
    heals(fuzzed, 2)


NO_PARAMS = [
    *(b"3", b"[]", b'"plugin"', b"null", b"NaN", b'{"plugin":"fuzzed"', b'{"plugin":"\\ud800"}'),
    *(b'{"plugin":' + b"[" * 50_000, b'{"plugin":"fuzzed","plugin":["twice"]}'),
]


@pytest.mark.parametrize("method", OF_PLUGINS)
def test_params_that_are_no_object_or_no_json(sandbox, method):
    for number, params in enumerate(NO_PARAMS, 1):
        with Wire(sandbox.root) as connection:
            line = b'{"jsonrpc":"2.0","id":%d,"method":"%s","params":%s}\n' % (number, method.encode(), params)
            connection.socket.sendall(line)
            error = connection.receive()["error"]
            assert error["code"] in (wire.PARSE_ERROR, wire.INVALID_PARAMS, wire.INVALID_REQUEST), params
            if error["code"] == wire.INVALID_PARAMS:  # the connection goes on
                connection.send("hotreload/status", {}, 99)
                assert connection.answer(99)["result"]["enabled"]


@pytest.mark.parametrize("method", OF_PLUGINS)
def test_the_bridge_itself_and_a_plugin_that_there_is_not_are_refused(sandbox, method):
    with Wire(sandbox.root) as connection:
        for plugin, code in ((wire.BRIDGE_ID, wire.REFUSED), ("nowhere", wire.UNKNOWN_PLUGIN)):
            connection.send(method, {"plugin": plugin}, 1)
            assert connection.answer(1)["error"]["code"] == code


def test_all_methods_at_once_and_in_any_order(fuzzed, sandbox):
    """What is switched and what is reloaded at the same moment."""

    @settings(max_examples=15)
    @given(st.lists(st.sampled_from(METHODS), min_size=2, max_size=40))
    def ask(methods):
        with Wire(sandbox.root) as connection:
            for number, method in enumerate(methods, 1):
                params = {"plugin": "fuzzed", "protocol": wire.PROTOCOL, "version": wire.VERSION}
                connection.send(method, params, number)
            got = set()
            while len(got) < len(methods):
                message = connection.receive()
                if "method" not in message:
                    assert "result" in message or message["error"]["code"] == wire.REFUSED, message
                    got.add(message["id"])

    ask()
    heals(fuzzed, 2)
    assert value(fuzzed) == 2
