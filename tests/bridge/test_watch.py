"""Whose function it is, and what is counted; what is done at most so often."""

from __future__ import annotations

import functools
import gc
import weakref

import pytest

from evonic_lsp.bridge.logpump import LogPump
from evonic_lsp.bridge.pump import Pump
from evonic_lsp.bridge.watch import Watch, called_by, name_of
from evonic_lsp.bridge.wire import LogEntry

PLUGIN = """
import functools
def plain(*arguments): return arguments
def loud(function):
    @functools.wraps(function)
    def inner(*arguments):
        return function(*arguments)
    return inner
@loud
def decorated(*arguments): return arguments
class Callable:
    def __call__(self, *arguments): return arguments
    def method(self, *arguments): return arguments
instance = Callable()
method = instance.method
partial = functools.partial(plain, 1)
nothing = lambda *arguments: None
def fail(): raise KeyError("x")
def leave(): raise KeyboardInterrupt
"""


@pytest.fixture
def watch(tmp_path):
    return Watch(str(tmp_path))


@pytest.fixture
def names(tmp_path):
    found = {}
    exec(compile(PLUGIN, str(tmp_path / "probe" / "sub" / "x.py"), "exec"), found)
    return found


@pytest.mark.parametrize(
    ("name", "line"),
    [("plain", 3), ("decorated", 9), ("instance", 12), ("method", 13), ("partial", 3), ("nothing", 17)],
)
def test_whose_function_it_is(watch, names, name, line):
    counter = watch.counter("event", "e", names[name])
    assert (counter.plugin, counter.file, counter.line) == ("probe", "sub/x.py", line)
    watch.call("event", "e", names[name], 1)
    assert counter.calls == 1
    assert counter.last >= 0
    assert counter.last_at > 0


@pytest.mark.parametrize("function", [print, len, test_whose_function_it_is, functools.partial(print), 3])
def test_what_is_not_a_plugins_is_not_counted(watch, function):
    assert watch.counter("event", "e", function) is None
    assert watch.counters("probe") == []


def test_the_bridge_does_not_watch_itself(watch, tmp_path):
    names = {}
    exec(compile("def f(): pass", str(tmp_path / "evonic_lsp" / "handler.py"), "exec"), names)
    assert watch.counter("event", "e", names["f"]) is None


def test_what_is_raised_goes_on_and_is_told(watch, names):
    told = []
    watch.failed = lambda counter, error: told.append((counter.name, type(error)))
    for _ in range(2):
        with pytest.raises(KeyError):
            watch.seen("event", "e", names["fail"])()
    with pytest.raises(KeyboardInterrupt):
        watch.call("event", "e", names["leave"])
    assert told == [("e", KeyError)] * 2
    assert [(each.calls, each.errors) for each in watch.counters("probe")] == [(2, 2), (1, 1)]


def test_a_listener_that_fails_is_nobodys_problem(watch, names):
    def broken(counter, error):
        raise RuntimeError

    watch.failed = broken
    with pytest.raises(KeyError):
        watch.call("event", "e", names["fail"])


def test_counts_begin_anew_with_a_version_and_can_be_taken_back(watch, names):
    watch.call("event", "e", names["plain"])
    undo = watch.reset("probe")
    watch.call("event", "e", names["plain"])
    watch.call("event", "e", names["plain"])
    assert [each.calls for each in watch.counters("probe")] == [2]
    undo()
    assert [each.calls for each in watch.counters("probe")] == [1]


def test_no_function_is_kept_alive(watch, tmp_path):
    names = {}
    exec(compile("def f(): pass", str(tmp_path / "probe" / "handler.py"), "exec"), names)
    watch.call("event", "e", names["f"])
    gone = weakref.ref(names["f"])
    names.clear()
    gc.collect()
    assert gone() is None


def test_who_is_calling():
    def asked():
        return called_by(globals())

    assert asked()
    assert not eval("asked()", {"asked": asked})


def test_names():
    assert name_of(test_names) == "test_names"
    assert name_of(functools.partial(print)) == "partial"


# ── At most so often ──


class Clock:
    """Notes what is to be called later, and calls it when a test says so."""

    def __init__(self):
        self.waiting = []
        self.stopped = False

    def later(self, delay, work):
        if not self.stopped:
            self.waiting.append((delay, work))
        return not self.stopped

    def run(self):
        waiting, self.waiting = self.waiting, []
        for _, work in waiting:
            work()


def test_a_pump_waits_once():
    clock, done = Clock(), []
    pump = Pump(lambda: done.append(1), 100.0, clock.later)
    for _ in range(1000):
        pump.wake()
    assert [delay for delay, _ in clock.waiting] == [0.0]
    clock.run()
    assert done == [1]
    assert clock.waiting == []  # nothing ticks
    pump.wake()
    ((delay, _),) = clock.waiting
    assert 90 < delay <= 100


def test_a_pump_without_anybody_to_call_it_wakes_again():
    clock, done = Clock(), []
    pump = Pump(lambda: done.append(1), 100.0, clock.later)
    clock.stopped = True
    pump.wake()
    clock.stopped = False
    pump.wake()
    clock.run()
    assert done == [1]


def entry(message, level="info"):
    return LogEntry("p", "t", level, message)


def test_a_flood_of_lines():
    clock, told = Clock(), []
    log = LogPump(lambda method, params: told.append(params.message), clock.later)
    for number in range(20):
        log.add(entry(f"line {number}"))
    assert told == [f"line {number}" for number in range(20)]
    del told[:]
    for _ in range(5000):
        log.add(entry("again"))
    for number in range(100):
        log.add(entry(f"more {number}"))
    assert told == []
    clock.run()
    assert told == [
        "again (and 4999 times more)",
        *(f"more {number}" for number in range(4)),
        "… and 96 lines more, which were too many to show",
    ]
    del told[:]
    log.add(entry("still the flood"))
    assert told == []
    clock.run()
    assert told == ["still the flood"]


def test_a_line_that_is_very_long_is_shortened():
    told = []
    log = LogPump(lambda method, params: told.append(params.message), Clock().later)
    log.add(entry("x" * 1_000_000))
    assert len(told[0]) < 20_000
    assert told[0].endswith("x… (1000000 characters)")
