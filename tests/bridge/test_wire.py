"""Message types, framing and ids."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evonic_lsp.bridge import wire
from evonic_lsp.bridge.wire import Outcome, Place, Problem, Related, WireError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)


def test_an_outcome_survives_the_wire():
    place = Place("sub/x.py", 1, 2, 3, 4, "p", "é", "😋")
    outcome = Outcome("p", wire.REJECTED, "m", "save", 1.5, 3, 12.0, 13.0, [Problem("E", "m", "warning", place)])
    outcome.problems[0].related.append(Related("caused by", place))
    line = wire.notification("plugin/outcome", outcome)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert wire.from_json(Outcome, wire.decode(line)["params"]) == outcome


def test_unknown_keys_of_a_newer_peer_are_ignored():
    assert wire.from_json(Related, {"message": "m", "place": None, "colour": "red"}) == Related("m")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "Outcome.plugin is missing"),
        ({"plugin": 1, "status": "", "message": "", "askedBy": ""}, "Outcome.plugin: int"),
        ({"plugin": "a", "status": "", "message": "", "askedBy": "", "problems": {}}, "Outcome.problems: dict"),
        ({"plugin": "a", "status": "", "message": "", "askedBy": "", "durationMs": True}, "durationMs: bool"),
        ([], "Outcome: list"),
    ],
)
def test_what_does_not_fit_is_named(data, said):
    with pytest.raises(WireError, match=said) as caught:
        wire.from_json(Outcome, data)
    assert caught.value.code == wire.INVALID_PARAMS


@given(JSON)
def test_any_json_is_an_outcome_or_a_clear_error(data):
    with pytest.raises(WireError):
        wire.from_json(Outcome, data)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_clear_error(data):
    try:
        assert wire.decode(data)["jsonrpc"] == "2.0"
    except WireError as error:
        assert error.code in (wire.PARSE_ERROR, wire.INVALID_REQUEST)


@given(JSON)
def test_any_json_in_an_envelope_is_a_message_or_a_clear_error(data):
    line = json.dumps({"jsonrpc": "2.0", "method": data, "id": data}).encode()
    try:
        wire.decode(line)
    except WireError as error:
        assert error.code == wire.INVALID_REQUEST


def test_nesting_without_end_is_an_error():
    with pytest.raises(WireError, match="not JSON"):
        wire.decode(b"[" * 200_000)


def test_a_message_over_the_limit_is_not_sent():
    with pytest.raises(WireError, match="over the limit"):
        wire.notification("x", "a" * wire.MAX_MESSAGE)


@pytest.mark.parametrize("value", ["a", "A-b_9", "x" * 128])
def test_plugin_ids(value):
    assert wire.plugin_id(value) == value


@pytest.mark.parametrize(
    "value", ["", "a/b", "..", "../../etc", "a\n", "é", "x" * 129, None, 3, ["a"], {"a": 1}, "a b"]
)
def test_what_is_no_plugin_id(value):
    with pytest.raises(WireError, match="is not a plugin id"):
        wire.plugin_id(value)


def test_another_protocol_is_told_what_to_run():
    with pytest.raises(WireError, match=r"git pull.*pipx install --force \..*install ROOT.*restart") as caught:
        wire.check_protocol(99, "9.9")
    assert caught.value.code == wire.WRONG_PROTOCOL
