"""What a test can ask for; names and arguments are those of the request."""

import contextlib
import gc
import sys
import threading
import time
import traceback
import weakref

import engine_ledger
from backend.event_stream import event_stream
from backend.plugin_manager import plugin_manager

from . import books, faults
from .faults import bridge

_pumps = []
_remembered = {}
_watched = {"generations": weakref.WeakSet(), "modules": weakref.WeakSet(), "blueprints": weakref.WeakSet()}


# ── Events ──


class Pump(threading.Thread):
    """Emits numbered events at a steady rate until it is stopped."""

    def __init__(self, event, rate):
        super().__init__(name="pump", daemon=True)
        self.event, self.rate, self.sent, self.seconds = event, rate, 0, 0.0
        self.halt = threading.Event()

    def run(self):
        started = time.perf_counter()
        while not self.halt.wait(0.002):
            self.seconds = time.perf_counter() - started
            while self.sent < self.seconds * self.rate:
                event_stream.emit(self.event, {"n": self.sent})
                self.sent += 1


def pump(event, rate):
    engine_ledger.handled.clear()
    _pumps.append(Pump(event, rate))
    _pumps[-1].start()
    return True


def dry():
    """Stops the pump; how many events it has emitted, in how many seconds."""
    last = _pumps.pop()
    last.halt.set()
    last.join()
    return last.sent, last.seconds


def handled(count):
    """Waits until `count` events have been handled, or a while; how many have been. If it is not all: what every
    thread is doing."""
    done = engine_ledger.wait(count)
    return len(engine_ledger.handled), [] if done else _stacks()


def settled():
    """What has been noted, once the host's pools have nothing left to do."""
    for executor in (event_stream._executor, plugin_manager._executor):
        together = threading.Barrier(executor._max_workers)
        for future in [executor.submit(together.wait, engine_ledger.LIMIT) for _ in range(together.parties)]:
            future.result(engine_ledger.LIMIT)
    return list(engine_ledger.handled)


def _stacks():
    return ["".join(traceback.format_stack(frame)) for frame in sys._current_frames().values()]


def emit(event, data):
    """The note that the handler of one event makes."""
    engine_ledger.handled.clear()
    event_stream.emit(event, data)
    engine_ledger.wait(1)
    return list(engine_ledger.handled)


# ── Calls in flight ──


def gate(name):
    engine_ledger.gates[name] = engine_ledger.Gate()
    return True


def entered(name):
    """Waits until a call has come to the gate."""
    return engine_ledger.gates[name].entered.wait(engine_ledger.LIMIT)


def release(name):
    engine_ledger.gates[name].opened.set()
    return True


def noted(count):
    engine_ledger.wait(count)
    return list(engine_ledger.handled)


# ── Registries ──


def contents(plugin):
    """Everything that is registered anywhere, by its names."""
    return books.labels(plugin)


def remember(plugin):
    """Takes a note of every registered object, for :func:`differences`."""
    _remembered[plugin] = books.objects(plugin)
    return sorted(_remembered[plugin])


def differences(plugin):
    """Which registries hold others than the remembered objects."""
    return books.differences(_remembered[plugin], books.objects(plugin))


# ── What stays behind ──


def watch(plugin):
    """Weak references to the generation that serves now."""
    generation = bridge().engine.current(plugin)
    _watched["generations"].add(generation)
    _watched["modules"].update(generation.modules.values())
    if generation.blueprint is not None:
        _watched["blueprints"].add(generation.blueprint)
    return generation.number


def alive():
    """How many of the watched objects are left."""
    gc.collect()
    return {name: len(those) for name, those in _watched.items()}


def resident():
    """Kilobytes of memory that this process has; None where the system does not tell."""
    gc.collect()
    with contextlib.suppress(OSError), open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
    return None


def threads():
    """The names of all threads but those of requests and of the host's pools, which grow as they are used."""
    passing = ("Thread-", "event_", "plugin_", "ThreadPoolExecutor-")
    return sorted(thread.name for thread in threading.enumerate() if not thread.name.startswith(passing))


def numbered_threads():
    """How many threads without a name of their own there are, this request's left out."""
    mine = threading.current_thread()
    names = [each.name for each in threading.enumerate() if each is not mine]
    return len([name for name in names if name.startswith("Thread-") and "process_request_thread" not in name])


def loaded(prefix):
    return sorted(name for name in sys.modules if name.startswith(prefix))


# ── Failures ──

inject, heal, kinds = faults.inject, faults.heal, faults.kinds
