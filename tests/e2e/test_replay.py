"""A handler once more on the last event that it got; and the log on its way to the clients."""

from __future__ import annotations

import pytest
from e2e.ears import details

from evonic_lsp.bridge import wire
from evonic_lsp.bridge.messages import Replayed
from evonic_lsp.bridge.wire import LogEntry, WireError

FAILING = "def on_message_received(event, sdk):\n    {}[event.get('n')]\n"
EVENTS = {"events": ["message_received"]}


def replay(client, plugin, handler=None):
    params = {"plugin": plugin, **({"handler": handler} if handler else {})}
    return wire.from_json(Replayed, client.call("plugin/replay", params))


REPLAYED = """
SEEN = []
def on_message_received(event, sdk):
    event["changed"] = event.get("changed", 0) + 1
    sdk.log(f"got {event['n']} {event['changed']}")
    SEEN.append(event["n"])
"""


def test_replay_runs_the_new_code_on_the_last_event(host, plugin, client, ear):
    probe = plugin(handler="def on_message_received(event, sdk): sdk.log('old')\n", manifest=EVENTS)
    host.inspect("emit", event="message_received", data={"n": 1})
    host.inspect("emit", event="message_received", data={"n": 2})
    ear.until(lambda: len([1 for each in ear.of("plugin/log", probe.id) if each["message"] == "old"]) == 2)
    probe.write(handler=REPLAYED, manifest=EVENTS)
    probe.reload()
    for handler in (None, "message_received", "on_message_received"):
        done = replay(client, probe.id, handler)
        assert (done.status, done.event, done.problem) == ("done", "message_received", None)
        assert [(each.level, each.message) for each in done.log] == [("info", "got 2 1")]
        assert done.seq
        assert done.duration_ms > 0
    assert host.inspect("attribute", module=f"plugins.{probe.id}.handler", name="SEEN") == [2, 2, 2]
    assert details(client, probe.id).handlers[0].calls == 3


def test_a_replay_that_fails(host, plugin, client, ear):
    probe = plugin(handler="def on_message_received(event, sdk): pass\n", manifest=EVENTS)
    host.inspect("emit", event="message_received", data={"n": "x"})
    probe.write(handler=FAILING, manifest=EVENTS)
    probe.reload()
    failed = replay(client, probe.id)
    assert (failed.status, failed.problem.code, failed.problem.place.start_line) == ("failed", "KeyError", 1)
    assert ear.error(probe.id).problem.message == failed.problem.message


def test_what_cannot_be_replayed(host, plugin, client):
    probe = plugin(handler="def on_summary_updated(event, sdk): pass\n", manifest={"events": ["summary_updated"]})
    with pytest.raises(WireError, match="has no handler for 'nothing'; it handles summary_updated"):
        replay(client, probe.id, "nothing")
    with pytest.raises(WireError, match="no summary_updated event has reached"):
        replay(client, probe.id, "summary_updated")
    with pytest.raises(WireError, match="handler must be"):
        client.call("plugin/replay", {"plugin": probe.id, "handler": 3})


# ── Logs ──


def test_log_lines_come_as_they_are_until_there_are_too_many(host, plugin, ear):
    probe = plugin(handler="")
    for number in range(15):
        host.inspect("log", plugin=probe.id, message=f"line {number}")

    def lines():
        return [wire.from_json(LogEntry, each).message for each in ear.of("plugin/log", probe.id)]

    ear.until(lambda: "line 14" in lines())
    assert [each for each in lines() if each.startswith("line")] == [f"line {number}" for number in range(15)]
