"""The queue in front of the engine: one reload at a time, and a request for a plugin that waits joins it."""

from __future__ import annotations

import functools
import logging
import threading
from collections import deque
from concurrent.futures import Future
from typing import Callable, Deque, Dict, Optional, Set

from . import wire
from .wire import Outcome

_logger = logging.getLogger("evonic_lsp")
Reload = Callable[[str, str], Outcome]


class ReloadQueue:
    """Runs `reload(plugin, asked_by)` in a thread of its own, in order of arrival. So too `prepare(plugin)`, for a
    reload that is expected soon.

    Nothing runs before :meth:`open`: while the host still starts, its own loop over the blueprints is under way.
    """

    def __init__(self, reload: Reload, prepare: Callable[[str], None]) -> None:
        self._reload = reload
        self._prepare = prepare
        self._waiting: Dict[str, _Request] = {}
        self._expected: Set[str] = set()
        self._order: Deque[Callable[[], None]] = deque()
        self._changed = threading.Condition()
        self._open = False
        self._thread: Optional[threading.Thread] = None

    def open(self) -> None:
        """From now on reloads run."""
        with self._changed:
            self._open = True
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="evonic-lsp reload", daemon=True)
                self._thread.start()
            self._changed.notify()

    def submit(self, plugin: str, asked_by: str) -> Future[Outcome]:
        """The outcome to come. A reload that a person or the host asks for is never taken for a mere save."""
        with self._changed:
            request = self._waiting.get(plugin)
            if request is None:
                request = self._waiting[plugin] = _Request(plugin, asked_by)
                self._put(functools.partial(self._run, request))
            elif request.asked_by == wire.SAVE:
                request.asked_by = asked_by
            self._expected.discard(plugin)
            return request.future

    def expect(self, plugin: str) -> None:
        """A reload of `plugin` will be submitted soon."""
        with self._changed:
            if plugin not in self._expected and plugin not in self._waiting:
                self._expected.add(plugin)
                self._put(functools.partial(self._run_prepare, plugin))

    def mine(self) -> bool:
        """Whether this is the thread that reloads: it must not wait for itself."""
        return threading.current_thread() is self._thread

    def _work(self) -> None:
        while True:
            with self._changed:
                while not (self._open and self._order):
                    self._changed.wait()
                work = self._order.popleft()
            work()

    def _put(self, work: Callable[[], None]) -> None:
        self._order.append(work)
        self._changed.notify()

    def _run(self, request: _Request) -> None:
        with self._changed:
            del self._waiting[request.plugin]
        try:
            request.future.set_result(self._reload(request.plugin, request.asked_by))
        except BaseException as error:  # whoever asked hears of it; the queue goes on
            request.future.set_exception(error)

    def _run_prepare(self, plugin: str) -> None:
        with self._changed:
            if plugin not in self._expected:
                return  # the reload was quicker
            self._expected.discard(plugin)
        try:
            self._prepare(plugin)
        except BaseException:  # whatever it is, the reload will meet it, and tell
            _logger.debug("%s could not be prepared", plugin, exc_info=True)


class _Request:
    def __init__(self, plugin: str, asked_by: str) -> None:
        self.plugin = plugin
        self.asked_by = asked_by
        self.future: Future[Outcome] = Future()
        # Several may wait for it: one of them going away must not cancel it for the others, nor for the queue.
        self.future.set_running_or_notify_cancel()
