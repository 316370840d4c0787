"""Run-time errors of hosts that tell too much, or what cannot be."""

from __future__ import annotations

import dataclasses
import time

import pytest

from evonic_lsp.bridge import runtime, wire
from evonic_lsp.bridge.wire import Failure, Outcome, Place, Problem
from evonic_lsp.faults import MOST, Faults, clock, moved
from evonic_lsp.where import Ref

QUICK = {"debounce": 0}
REF = Ref("/r", "p")


def failure(key="k", plugin="p", place=None, **changes):
    problem = Problem("KeyError", f"KeyError: {key}", place=place or Place("handler.py", 0, 0, 0, 1, plugin, "x", "x"))
    return dataclasses.replace(Failure(plugin, key, "event", "e", problem, 1, 1000.0, 2000.0, 0), **changes)


def test_as_many_are_kept_as_the_host_keeps():
    assert MOST == runtime._MOST
    faults = Faults()
    for number in range(5000):
        assert faults.heard(REF, failure(str(number)))
    assert [each.key for each in faults.of(REF)] == [str(number) for number in range(5000 - MOST, 5000)]
    assert not faults.heard(REF, failure("4999", count=2))
    faults.reset(REF, [failure(str(number)) for number in range(100)], 0)
    assert [each.key for each in faults.of(REF)] == [str(number) for number in range(100 - MOST, 100)]


# What a host could only tell by mistake, or to do harm.
POISON = {
    "a time after all times": failure(last_at=1e200, first_at=1e299),
    "a time before all times": failure(last_at=-1e200, first_at=-1.0, count=2),
    "a negative line": failure(place=Place("handler.py", -5, -5, -5, -5, "p", "gone", "gone")),
    "an end before its start": failure(place=Place("handler.py", 100, 0, 0, 1, "p", "x", "x")),
    "lines without end": failure(place=Place("handler.py", 10**30, 10**30, 10**30, 10**30, "p", "gone", "gone")),
    "numbers without end": failure(count=-(10**30), generation=10**30),
}


@pytest.mark.parametrize("poison", POISON.values(), ids=POISON)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_poisoned_error_stops_no_diagnostics(host, window, poison, when):
    """Neither its own plugin's, nor those that come after it in the alphabet, nor a save that waited for the host."""
    evonic = host()
    folders = [evonic.plugin(each, errors=[failure(plugin=each)]) for each in ("p", "q")]
    for folder in folders:
        (folder / "handler.py").write_text("x\n")
    if when == "before":
        evonic.plugins["p"] = dataclasses.replace(evonic.plugins["p"], errors=[poison, failure("good")])
    editor = await window(folders[0], options=QUICK)
    editor.save(folders[1] / "handler.py")
    await editor.state("disconnected", "q")
    evonic.start()
    if when == "after":
        await editor.state("idle")
        evonic.tell("plugin/error", poison)
        evonic.tell("plugin/error", failure("good"))
    uris = [(folder / "handler.py").as_uri() for folder in folders]

    def good():
        return [each for each in editor.shown.get(uris[0], []) if "KeyError: good" in each.message]

    shown = await editor.until(good)
    assert shown[0].range.start.line == 0
    await editor.until(lambda: editor.published.count(uris[1]))
    await editor.state("ok", "q")


async def test_the_trouble_with_one_plugin_is_not_that_of_the_others(host, window, monkeypatch):
    """Whatever it is: here, a fault of ours."""
    from evonic_lsp import board

    real = board.diagnostics.of_problems

    def faulty(problems, *more):
        if any(each.code == "Bad" for each in problems):
            raise ZeroDivisionError("a fault of ours")
        return real(problems, *more)

    monkeypatch.setattr(board.diagnostics, "of_problems", faulty)
    evonic = host()
    problem = Problem("Bad", "bad", place=Place("handler.py", 0, 0, 0, 1, "p"))
    bad = Outcome("p", wire.REJECTED, "bad", wire.SAVE, problems=[problem])
    evonic.plugin("p", outcome=bad)
    folder = evonic.plugin("q", errors=[failure(plugin="q")])
    editor = await window(folder, options=QUICK)
    editor.save(folder / "handler.py")
    await editor.state("disconnected", "q")
    evonic.start()
    await editor.until(lambda: editor.shown.get((folder / "handler.py").as_uri()))
    await editor.state("ok", "q")


def test_a_clock_of_the_times_that_pass_the_wire():
    for at in (-1e299, -1.0, 0.0, 1.5, time.time(), 1e299):
        told = wire.from_json(Failure, {**wire.to_json(failure()), "lastAt": at})
        assert clock(told.last_at)


def test_an_end_before_its_start_is_no_line():
    place = Place("x.py", 100, 0, 0, 1, "p", "x", "x")
    assert moved(place, lambda place: ["y", "x"]).end_line == 1


async def test_a_late_outcome_tells_nothing(host, window):
    """Number 2, which failed, arrives after number 3, which is what serves."""
    evonic = host()
    folder = evonic.plugin("p")
    evonic.start()
    editor = await window(folder, options=QUICK)
    await editor.state("idle")
    problem = Problem("E", "old news", place=Place("handler.py", 0, 0, 0, 1, "p"))
    evonic.tell("plugin/outcome", Outcome("p", wire.RELOADED, "three", wire.SAVE, 1.0, 3, at=3.0))
    evonic.tell("plugin/outcome", Outcome("p", wire.REJECTED, "two", wire.SAVE, 1.0, 2, at=2.0, problems=[problem]))
    evonic.tell("plugin/outcome", Outcome("p", wire.UNCHANGED, "three still", wire.SAVE, 1.0, 3, at=4.0))
    await editor.until(lambda: any(each["message"] == "three still" for each in editor.statuses))
    assert not any(each["message"] == "two" for each in editor.statuses)
    assert not any(editor.shown.values())
    # What was unloaded, and a host that was started again, count from their start.
    evonic.tell("plugin/outcome", Outcome("p", wire.UNLOADED, "gone", wire.HOST))
    evonic.tell("plugin/outcome", Outcome("p", wire.RELOADED, "anew", wire.HOST, 1.0, 1))
    await editor.until(lambda: any(each["message"] == "anew" for each in editor.statuses))
    evonic.stop()
    await editor.state("disconnected")
    evonic.start()
    await editor.state("idle")
    evonic.tell("plugin/outcome", Outcome("p", wire.REJECTED, "zero", wire.SAVE, 1.0, 0, problems=[problem]))
    await editor.state("failed", "p")
