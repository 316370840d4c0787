"""A failure at any step of a reload: it never happened."""

from __future__ import annotations

from typing import Any

import pytest
from engine.conftest import Observed

from evonic_lsp.bridge import kinds as all_kinds
from evonic_lsp.bridge import wire
from evonic_lsp.bridge.kinds.base import Kind
from evonic_lsp.bridge.kinds.hooks import Hooks

assert all_kinds  # its import makes all subclasses
NAMES = [name for kind in Kind.__subclasses__() for name in ([kind.name] if kind.name else Hooks.REGISTRIES)]
STEPS = [("snapshot", False), ("snapshot", True), ("check", False), ("check", True), ("import", False)]
STEPS += [("import", True), ("validate", False), ("validate", True), ("commit", False)]
METHODS = ("declare", "validate", "commit")
ERRORS = ("RuntimeError", "SystemExit")
PATHS = ("version", "item/5", "page", "fail", "only/1", "only/2")


@pytest.fixture
def healed(versioned: Observed):
    yield versioned
    versioned.observe("heal")


def answers(observed: Observed) -> dict[str, Any]:
    """What everything of the plugin answers."""
    found: dict[str, Any] = {path: observed.host.status_of(f"/plugin/versioned/{path}") for path in PATHS}
    found["body"] = observed.host.get("/plugin/versioned/version")
    found["slash"] = observed.host.inspect("slash", command="versioned")
    found["guard"] = observed.host.inspect("guard", tool="versioned")
    found["cards"] = [card for card in observed.host.inspect("card_results") if card.get("id") == "versioned"]
    for event in ("message_received", "versioned_stream"):
        found[event] = observed.observe("emit", event=event, data={"n": 0})
    found["outside"] = observed.host.inspect("attribute", module="plugins.versioned.helper", name="VERSION")
    return found


def fails_without_a_trace(observed: Observed, **fault: Any) -> None:
    before = answers(observed)
    observed.observe("remember", plugin="versioned")
    contents = observed.observe("contents", plugin="versioned")
    threads = observed.observe("threads")
    observed.write("versioned", 2)
    observed.observe("inject", **fault)
    outcome = observed.client.reload("versioned")
    assert outcome.status in wire.FAILED, outcome.message
    assert "goes on serving" in outcome.message
    assert outcome.problems
    assert observed.observe("differences", plugin="versioned") == []
    assert observed.observe("contents", plugin="versioned") == contents
    assert observed.observe("threads") == threads
    assert answers(observed) == before
    observed.observe("heal")
    observed.reload("versioned")
    assert set(observed.host.get("/plugin/versioned/version")) == {2}


def test_no_step_and_no_kind_is_missing_here(versioned):
    assert sorted(NAMES) == sorted(versioned.observe("kinds"))
    assert {step for step, _ in STEPS} | {"retire", "holders"} == set(versioned.reload("versioned").timings)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize(("step", "after"), STEPS, ids=lambda value: value if isinstance(value, str) else str(value))
def test_a_step_fails(healed, step, after, error):
    fails_without_a_trace(healed, method=step, after=after, error=error)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", NAMES)
def test_a_kind_fails(healed, name, method):
    fails_without_a_trace(healed, method=method, kind=name, error="RuntimeError")


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("method", ["check", *METHODS])
def test_what_comes_behind_all_kinds_fails(healed, method, error):
    fails_without_a_trace(healed, method=method, kind="end", error=error)


@pytest.mark.parametrize(
    ("name", "method"), [*((name, "retire") for name in NAMES), ("events", "when_drained"), ("threads", "linger")]
)
def test_the_new_version_serves_though_the_old_one_does_not_retire(healed, name, method):
    for version in (2, 1):  # as below: what only the version before had is kept until the next
        healed.write("versioned", version)
        healed.reload("versioned")
    contents = healed.observe("contents", plugin="versioned")
    healed.write("versioned", 2)
    healed.observe("inject", method=method, kind=name, error="RuntimeError")
    healed.reload("versioned")
    assert set(healed.host.get("/plugin/versioned/version")) == {2}
    healed.observe("heal")
    healed.write("versioned", 1)
    healed.reload("versioned")
    after = healed.observe("contents", plugin="versioned")
    # What that kind failed to drop may be left: no more than that, and the plugin is whole.
    assert {key for key in after if after[key] != contents[key]} <= {"staged", "loggers"}
