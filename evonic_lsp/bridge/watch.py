"""What is called in a plugin is counted, and what it raises is passed on to whoever listens.

Nothing changes for the host: an exception goes on to whoever would have got it, and the objects in the host's
registries stay the plugin's own. Where the host swallows what a function raises, only the code of the host that
is about to call it sees the function watched (:meth:`Watch.seen`).
"""

from __future__ import annotations

import functools
import logging
import os
import sys
import threading
import time
import weakref
from types import CodeType
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional, Tuple

from .wire import BRIDGE_ID

_logger = logging.getLogger("evonic_lsp")
# What a function is called for, as it is shown.
EVENT = "event"
SLASH = "slash command"
CARD = "dashboard card"
ROUTE = "route"
THREAD = "thread"
HOOKS = {
    "_tool_guards": "tool guard",
    "_message_interceptors": "message interceptor",
    "_turn_context_providers": "turn context provider",
    "_busy_message_providers": "busy message provider",
    "_builtin_suppressors": "builtin suppressor",
    "_state_handlers": "state handler",
}


class Owner(NamedTuple):
    """A file of a plugin, relative to its folder."""

    plugin: str
    file: str


class Counter:
    """One function of a plugin and what it is called for: its calls since the load, the last duration in seconds
    and the time of the last call (since the epoch)."""

    __slots__ = ("_lock", "calls", "errors", "file", "function", "last", "last_at", "line", "name", "plugin", "trigger")

    def __init__(self, plugin: str, trigger: str, name: str, file: str, line: int, function: str) -> None:
        self.plugin, self.trigger, self.name = plugin, trigger, name
        self.file, self.line, self.function = file, line, function
        self.calls = self.errors = 0
        self.last: Optional[float] = None
        self.last_at: Optional[float] = None
        self._lock = threading.Lock()

    def count(self, seconds: float, failed: bool = False) -> None:
        """Notes a call that has ended."""
        with self._lock:
            self.calls += 1
            self.errors += failed
            self.last = seconds
            self.last_at = time.time()

    def fail(self) -> None:
        """Notes that a call has failed which is counted elsewhere."""
        with self._lock:
            self.errors += 1


Failed = Callable[[Counter, BaseException], None]
_Key = Tuple[str, str, str, int]


class Watch:
    """`failed(counter, error)` is called for what a watched function raises, in its thread."""

    def __init__(self, plugins_dir: str) -> None:
        self.failed: Failed = lambda counter, error: None
        self._prefix = plugins_dir + os.sep
        self._owners: Dict[str, Optional[Owner]] = {}
        self._counters: Dict[str, Dict[_Key, Counter]] = {}
        # By (trigger, name, identity): holding no function, or an old version would live as long as we do.
        self._known: Dict[Tuple[str, str, int], Tuple[Callable[[], Any], Optional[Counter]]] = {}

    def owner(self, filename: str) -> Optional[Owner]:
        """The plugin that a file of code belongs to; None for the bridge's own and for everything else."""
        try:
            return self._owners[filename]
        except KeyError:
            found = None
            if filename.startswith(self._prefix):
                plugin, _, file = filename[len(self._prefix) :].replace(os.sep, "/").partition("/")
                found = Owner(plugin, file) if file and plugin != BRIDGE_ID else None
            self._owners[filename] = found
            return found

    def call(self, trigger: str, name: str, function: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Calls `function`, watched."""
        counter = self.counter(trigger, name, function)
        if counter is None:
            return function(*args, **options)
        failed = False
        started = time.perf_counter()
        try:
            return function(*args, **options)
        except BaseException as error:
            failed = True
            self.report(counter, error)
            raise
        finally:
            counter.count(time.perf_counter() - started, failed)

    def report(self, counter: Counter, error: BaseException) -> None:
        """Passes an error on; never raises."""
        if isinstance(error, (KeyboardInterrupt, GeneratorExit)):
            return
        try:
            self.failed(counter, error)
        except Exception:
            _logger.exception("an error of %s could not be reported", counter.plugin)

    def seen(self, trigger: str, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function` as somebody sees it who is about to call it."""
        return functools.partial(self.call, trigger, name, function)

    def counter(self, trigger: str, name: str, function: Any) -> Optional[Counter]:
        """The counter of a function; None if it is not a plugin's."""
        key = (trigger, name, id(function))
        known = self._known.get(key)
        if known is not None and known[0]() is function:
            return known[1]
        counter = self._counter(trigger, name, function)
        try:
            self._known[key] = (weakref.ref(function), counter)
        except TypeError:
            pass  # slots without __weakref__: looked up at each call
        return counter

    def counters(self, plugin: str) -> List[Counter]:
        """What has been called since the load."""
        return list(self._counters.get(plugin, {}).values())

    def reset(self, plugin: str) -> Callable[[], None]:
        """Another version serves: its calls are counted from zero. Returns what takes that back."""
        before = self._counters.pop(plugin, {})
        self._known.clear()

        def undo() -> None:
            self._counters[plugin] = before
            self._known.clear()

        return undo

    def place(self, function: Any) -> Optional[Tuple[Owner, CodeType]]:
        """Where the code of a function is: of a decorated one, that of the plugin's own below the decorators."""
        found = None
        for code in _codes(function):
            owner = self.owner(code.co_filename)
            if owner is not None:
                found = (owner, code)
        return found

    def _counter(self, trigger: str, name: str, function: Any) -> Optional[Counter]:
        found = self.place(function)
        if found is None:
            return None
        owner, code = found
        shown = getattr(code, "co_qualname", code.co_name)
        key = (trigger, name, owner.file, code.co_firstlineno)
        fresh = Counter(owner.plugin, trigger, name, owner.file, code.co_firstlineno, shown)
        return self._counters.setdefault(owner.plugin, {}).setdefault(key, fresh)


def _codes(function: Any) -> Iterator[CodeType]:
    """The code of a callable and of what it wraps, the outermost first."""
    for _ in range(16):  # partials of methods of wrappers of …
        code = getattr(function, "__code__", None)
        if isinstance(code, CodeType):
            yield code
        inner = function.func if isinstance(function, functools.partial) else None
        inner = inner or getattr(function, "__func__", None) or getattr(function, "__wrapped__", None)
        if inner is None and code is None and not isinstance(function, type):
            inner = getattr(type(function), "__call__", None)  # noqa: B004 - the method, not whether there is one
        if inner is None or inner is function:
            return
        function = inner


def name_of(function: Any) -> str:
    """What a hook is called, which has no other name."""
    try:
        return str(function.__qualname__)
    except AttributeError:
        return type(function).__qualname__


def called_by(namespace: Dict[str, Any], depth: int = 2) -> bool:
    """Whether the code that called our caller runs in this namespace: the host's own, about to call a hook."""
    return sys._getframe(depth).f_globals is namespace
