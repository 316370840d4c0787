"""The debounce, against a clock that the test turns."""

from __future__ import annotations

import heapq
import itertools

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from evonic_lsp.saves import Saves, State


class Clock:
    def __init__(self):
        self.now = 0.0
        self._timers = []
        self._numbers = itertools.count()

    def call_later(self, delay, function):
        timer = _Timer(self.now + delay, next(self._numbers), function)
        heapq.heappush(self._timers, (timer.at, timer.number, timer))
        return timer

    def advance(self, seconds):
        self.now += seconds
        while self._timers and self._timers[0][0] <= self.now:
            timer = heapq.heappop(self._timers)[2]
            if not timer.cancelled:
                timer.function()


class _Timer:
    def __init__(self, at, number, function):
        self.at, self.number, self.function, self.cancelled = at, number, function, False

    def cancel(self):
        self.cancelled = True


def machine():
    clock, begun, pending = Clock(), [], []
    return Saves(begun.append, pending.append, clock.call_later, 0.05), clock, begun, pending


def test_a_burst_is_one_reload():
    saves, clock, begun, pending = machine()
    for _ in range(100):
        saves.saved("p")
        clock.advance(0.01)
    assert (begun, pending) == ([], ["p"])
    clock.advance(0.05)
    assert begun == ["p"]


def test_a_save_during_a_reload_is_one_more_without_further_waiting():
    saves, clock, begun, _ = machine()
    saves.saved("p")
    clock.advance(0.05)
    saves.saved("p")
    saves.saved("p")
    clock.advance(1)
    assert begun == ["p"]
    saves.ended("p")
    assert begun == ["p", "p"]
    saves.ended("p")
    assert saves.state("p") is State.IDLE


def test_plugins_do_not_wait_for_each_other():
    saves, clock, begun, _ = machine()
    saves.saved("a")
    clock.advance(0.04)
    saves.saved("b")
    clock.advance(0.01)
    assert begun == ["a"]


def test_close_forgets_what_waits():
    saves, clock, begun, _ = machine()
    saves.saved("p")
    saves.close()
    clock.advance(1)
    assert begun == []


class EverySaveIsServed(RuleBasedStateMachine):
    """Whatever happens in whatever order: at most one reload of a plugin at a time, none without a save, and once
    everything is quiet, one that began after the last save."""

    def __init__(self):
        super().__init__()
        self.clock = Clock()
        self.saves = Saves(self._begin, lambda key: None, self.clock.call_later, 0.05)
        self.running = set()
        self.unserved = set()

    def _begin(self, key):
        assert key not in self.running
        assert key in self.unserved
        self.running.add(key)
        self.unserved.discard(key)

    @rule(key=st.sampled_from("ab"))
    def save(self, key):
        self.saves.saved(key)
        self.unserved.add(key)

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.05, 1.0]))
    def wait(self, seconds):
        self.clock.advance(seconds)

    @rule(key=st.sampled_from("ab"))
    def end(self, key):
        if key in self.running:
            self.running.discard(key)
            self.saves.ended(key)

    @invariant()
    def states_agree(self):
        for key in "ab":
            if key in self.running:
                assert self.saves.state(key) is State.RELOADING
            else:
                assert self.saves.state(key) is (State.PENDING if key in self.unserved else State.IDLE)

    def teardown(self):
        while self.unserved or self.running:
            self.clock.advance(1.0)
            for key in list(self.running):
                self.end(key)


TestEverySaveIsServed = EverySaveIsServed.TestCase
TestEverySaveIsServed.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
