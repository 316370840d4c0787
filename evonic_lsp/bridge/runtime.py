"""What goes wrong while a plugin serves: caught, counted and told, without a change to what the host does.

An error is known by its class, its place and what it was raised for; the next one of the same kind updates the entry.
A handler may fail ten thousand times a second: only the first error between two messages to the editors is
described in full, the others are counted. What is kept are texts and numbers, never a frame or an exception.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import threading
import time
from collections import OrderedDict
from types import TracebackType
from typing import Any, Callable, Dict, List, Optional, Tuple

from .generation import Generation, StagedGeneration
from .host import Host
from .messages import is_past
from .pump import Later, Pump
from .report import Reporter, split_lines, whole_line
from .snapshot import Snapshot
from .watch import ROUTE, THREAD, Counter, Owner
from .wire import Failure, Outcome, Place, Problem, Related

# Entries that are kept of one plugin; those of one message; the seconds between two messages.
_MOST = 24
_MOST_AT_ONCE = 8
INTERVAL = 0.5
# All of them travel in one status, whose size is bounded.
_MOST_RELATED = 16
_LONGEST_LINE = 1000
_LONGEST_TRACEBACK = 6000

# Class (module and name), trigger, name, file, line, instruction
_Key = Tuple[str, str, str, str, str, int, int]
Notify = Callable[[str, Any], None]


class _Entry:
    """What is known of one error. `dirty`: there is something to tell."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        self.count = 0
        self.first_at = self.last_at = time.time()
        self.dirty = True

    def now(self) -> Failure:
        return dataclasses.replace(self.failure, count=self.count, first_at=self.first_at, last_at=self.last_at)


class Runtime:
    """The run-time errors of all plugins of a host. `current(plugin)` is the generation that serves."""

    def __init__(
        self, host: Host, current: Callable[[str], Optional[Generation]], notify: Notify, later: Later
    ) -> None:
        self._host = host
        self._current = current
        self._notify = notify
        self._entries: Dict[str, OrderedDict[_Key, _Entry]] = {}
        self._first: Dict[str, Snapshot] = {}
        self._lock = threading.Lock()
        self.pump = Pump(self._flush, INTERVAL, later)
        host.watch.failed = self.failed

    def listen(self, app: Any) -> None:
        """Hears of what threads and views raise."""
        hook = threading.excepthook

        def excepthook(args: Any) -> None:
            self._thread_failed(args)
            hook(args)

        threading.excepthook = excepthook
        self._watch_views(app)

    def adopted(self, generation: Generation) -> None:
        """Keeps the text of what the host itself loaded: its threads may fail long after it was replaced."""
        self._first[generation.plugin] = generation.snapshot

    def errors(self, plugin: str) -> List[Failure]:
        """What went wrong since the load, the last new one at the end."""
        with self._lock:
            return [entry.now() for entry in self._entries.get(plugin, {}).values()]

    def forget(self, plugin: str) -> None:
        """Drops all errors of a plugin."""
        with self._lock:
            self._entries.pop(plugin, None)

    def replaced(self, outcome: Outcome) -> None:
        """A reload went well, so what went wrong before it is past; not so what the new version did meanwhile."""
        with self._lock:
            kept = self._entries.get(outcome.plugin, OrderedDict())
            for key in [key for key, entry in kept.items() if is_past(entry.now(), outcome)]:
                del kept[key]

    # ── What is raised ──

    def failed(self, counter: Counter, error: BaseException) -> None:
        """A function of a plugin has raised; called in its thread."""
        self._note(counter.plugin, counter.trigger, counter.name, error, counter)

    def _thread_failed(self, args: Any) -> None:
        if args.exc_value is None or args.exc_type is SystemExit:
            return  # as the interpreter itself does
        owner = self._outermost(args.exc_value.__traceback__)
        if owner is not None:
            name = getattr(args.thread, "name", "") or "thread"
            # Thread-12 (work): another number each time it is started
            self._note(owner.plugin, THREAD, re.sub(r"-\d+\b", "", name), args.exc_value, None)

    def _watch_views(self, app: Any) -> None:
        from flask import got_request_exception, request

        dispatch, process = app.dispatch_request, app.process_response

        def counter_of(rule: Any) -> Optional[Counter]:
            return self._host.watch.counter(ROUTE, rule.rule, app.view_functions.get(rule.endpoint)) if rule else None

        def dispatch_request(*args: Any, **options: Any) -> Any:
            counter = counter_of(request.url_rule)
            if counter is None:
                return dispatch(*args, **options)
            started = time.perf_counter()
            try:
                return dispatch(*args, **options)
            finally:
                counter.count(time.perf_counter() - started)

        def failed(sender: Any, exception: BaseException, **more: Any) -> None:
            rule = request.url_rule
            name = f"{request.method} {rule.rule if rule else request.path}"
            counter = counter_of(rule)
            owner = self._outermost(exception.__traceback__)
            plugin = counter.plugin if counter else owner.plugin if owner else None
            if counter:
                counter.fail()  # what an error handler answers, abort(404) among it, is none
            if plugin is not None:
                self._note(plugin, ROUTE, name, exception, counter)

        def process_response(response: Any) -> Any:
            response, rule = process(response), request.url_rule
            streamed = response.is_streamed and not response.direct_passthrough
            counter = counter_of(rule) if streamed else None
            if rule and counter:
                name = f"{request.method} {rule.rule}"

                def broke(error: Exception) -> None:
                    counter.fail()
                    self._note(counter.plugin, ROUTE, name, error, counter)

                response.response = _Stream(response.response, broke)
            return response

        app.dispatch_request, app.process_response = dispatch_request, process_response
        # Strongly: the signal is all that knows it.
        got_request_exception.connect(failed, app, weak=False)

    def _note(self, plugin: str, trigger: str, name: str, error: BaseException, counter: Optional[Counter]) -> None:
        kind = type(error)
        place, namespace = self._innermost(plugin, error.__traceback__)
        key = (kind.__module__, kind.__qualname__, trigger, name, *place)
        with self._lock:
            known = self._entries.get(plugin)
            entry = known.get(key) if known is not None else None
            if entry is not None:
                entry.count += 1
                entry.last_at = time.time()
                if entry.dirty:
                    return
        failure = self._failure(plugin, key, trigger, name, error, counter, namespace)
        with self._lock:
            entries = self._entries.setdefault(plugin, OrderedDict())
            counted = entry is not None
            entry = entries.setdefault(key, entry or _Entry(failure))
            if not counted:  # another thread may have been faster
                entry.count += 1
            entry.failure, entry.dirty = failure, True
            while len(entries) > _MOST:
                entries.popitem(last=False)
        self.pump.wake()

    def _failure(
        self,
        plugin: str,
        key: _Key,
        trigger: str,
        name: str,
        error: BaseException,
        counter: Optional[Counter],
        namespace: Optional[Dict[str, Any]],
    ) -> Failure:
        generation = _ran_in(namespace) if namespace is not None else self._current(plugin)
        number = generation.number if generation is not None else 0
        taken = generation.snapshot if generation is not None else self._first.get(plugin)
        sources = taken.text if taken is not None else lambda file: None
        problem = Reporter(plugin, self._host.plugins_dir, self._host.root, sources).problem(error)
        if problem.place is None and counter is not None:
            lines = split_lines(sources(counter.file) or "")
            first = lines[counter.line - 1] if counter.line <= len(lines) else ""
            place = whole_line(counter.file, counter.line - 1, first, plugin)
            problem = dataclasses.replace(problem, place=place)
        now = time.time()
        digest = hashlib.blake2b(repr(key).encode("utf-8", "replace"), digest_size=8).hexdigest()
        return Failure(plugin, digest, trigger, name, _slim(problem), 1, now, now, number)

    def _innermost(
        self, plugin: str, tb: Optional[TracebackType]
    ) -> Tuple[Tuple[str, int, int], Optional[Dict[str, Any]]]:
        """((file, line, instruction), globals) of the innermost frame in the plugin's own code."""
        watch = self._host.watch
        place: Tuple[str, int, int] = ("", 0, 0)
        namespace = None
        while tb is not None:
            owner = watch.owner(tb.tb_frame.f_code.co_filename)
            if owner is not None and owner.plugin == plugin:
                place = (owner.file, tb.tb_lineno or 0, tb.tb_lasti)
                namespace = tb.tb_frame.f_globals
            tb = tb.tb_next
        return place, namespace

    def _outermost(self, tb: Optional[TracebackType]) -> Optional[Owner]:
        while tb is not None:
            owner = self._host.watch.owner(tb.tb_frame.f_code.co_filename)
            if owner is not None:
                return owner
            tb = tb.tb_next
        return None

    # ── What is told ──

    def _flush(self) -> None:
        with self._lock:
            dirty = [entry for entries in self._entries.values() for entry in entries.values() if entry.dirty]
            dirty.sort(key=lambda entry: entry.last_at)
            told = []
            for entry in dirty[:_MOST_AT_ONCE]:
                entry.dirty = False
                told.append(entry.now())
        for failure in told:
            self._notify("plugin/error", failure)
        if len(dirty) > len(told):
            self.pump.wake()


class _Stream:
    """The body of an answer that is made while it is sent, after Flask has seen the last of it."""

    def __init__(self, body: Any, failed: Callable[[Exception], None]) -> None:
        self._body = body
        self._chunks = iter(body)
        self._failed = failed

    def __iter__(self) -> _Stream:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._chunks)
        except StopIteration:
            raise
        except Exception as error:
            self._failed(error)
            raise

    def close(self) -> None:
        """Lets the body know that no more is wanted (PEP 3333)."""
        close = getattr(self._body, "close", None)
        if close is not None:
            close()


def _ran_in(namespace: Dict[str, Any]) -> Optional[Generation]:
    """The generation whose code has these globals, retired or not; None for what the host itself loaded."""
    own: Any = namespace.get("__builtins__")
    names: Dict[str, Any] = own if isinstance(own, dict) else {}
    generation = getattr(names.get("__import__"), "__self__", None)
    return generation if isinstance(generation, StagedGeneration) else None


def _slim(problem: Problem) -> Problem:
    """`problem` no longer than what can be kept of many."""
    return dataclasses.replace(
        problem,
        place=_short(problem.place),
        related=[Related(each.message[:2000], _short(each.place)) for each in problem.related[:_MOST_RELATED]],
        traceback=problem.traceback[-_LONGEST_TRACEBACK:],
    )


def _short(place: Optional[Place]) -> Optional[Place]:
    if place is None or max(len(place.first), len(place.last)) <= _LONGEST_LINE:
        return place
    return dataclasses.replace(
        place,
        start_column=min(place.start_column, _LONGEST_LINE),
        end_column=min(place.end_column, _LONGEST_LINE),
        first=place.first[:_LONGEST_LINE],
        last=place.last[:_LONGEST_LINE],
    )
