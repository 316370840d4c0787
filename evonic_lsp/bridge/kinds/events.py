"""Event handlers, and what a plugin's own code hears of the event stream.

For each event that a plugin handles, one listener stays in the event stream for ever: it looks the current
generation up when it is called. So an event that is emitted at any moment is handled once, by one version,
and turning from one to the next is turning one pointer (:class:`Slot`).
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from ..generation import Generation
from ..host import Host
from ..watch import EVENT
from .base import Kind, Undo, recorded, replace_in_list


class Slot:
    """Which generation of a plugin serves, and how many calls each has in flight."""

    def __init__(self, plugin: str) -> None:
        self.plugin = plugin
        self.current: Optional[Generation] = None
        self._calls: Dict[Generation, int] = {}
        self._drained: Dict[Generation, List[Callable[[], None]]] = {}
        self._lock = threading.Lock()

    @contextmanager
    def call(self) -> Iterator[Optional[Generation]]:
        """The generation that serves now; it is not retired before the block ends."""
        with self._lock:
            generation = self.current
            if generation is not None:
                self._calls[generation] = self._calls.get(generation, 0) + 1
        try:
            yield generation
        finally:
            if generation is not None:
                self._leave(generation)

    def when_drained(self, generation: Generation, then: Callable[[], None]) -> None:
        """Calls `then` once no call of `generation` is in flight: now, or from the thread of the last one."""
        with self._lock:
            if self._calls.get(generation):
                self._drained.setdefault(generation, []).append(then)
                return
        then()

    def wait(self, generation: Generation, limit: float) -> None:
        """Returns once no call of `generation` is in flight, or after `limit` seconds."""
        drained = threading.Event()
        self.when_drained(generation, drained.set)
        drained.wait(limit)

    def _leave(self, generation: Generation) -> None:
        with self._lock:
            self._calls[generation] -= 1
            if self._calls[generation]:
                return
            del self._calls[generation]
            waiting = self._drained.pop(generation, [])
        for then in waiting:
            then()


class EventHandlers(Kind):
    """``on_<event>`` functions and ``event_stream.on`` calls; entries are (event, listener)."""

    name = "events"

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.slots: Dict[str, Slot] = {}
        self._bridges: Dict[Tuple[str, str], Callable[[Dict[str, Any]], None]] = {}
        stream = host.event_stream
        self._on, self._off = stream.on, stream.off
        stream.on, stream.off = self._record_on, self._record_off
        self._watch_listeners()

    def slot(self, plugin: str) -> Slot:
        """The slot of `plugin`, made if need be."""
        return self.slots.setdefault(plugin, Slot(plugin))

    def adopt(self, generation: Generation) -> None:
        """Takes over the host's own listeners, each in its place and with no event in between."""
        plugin, manager, stream = generation.plugin, self.host.manager, self.host.event_stream
        for event, entries in manager._handlers.items():
            for owner, function in entries:
                if owner == plugin:
                    generation.handlers[event] = function
        declared = manager._event_bridges.get(plugin, [])
        ours = [(event, self._bridge(plugin, event)) for event, _ in declared]
        with stream._lock:
            for (event, theirs), (_, mine) in zip(declared, ours):
                replace_in_list(stream._listeners.setdefault(event, []), [theirs], [mine])
            own = [(event, each) for event, all_ in stream._listeners.items() for each in all_ if generation.owns(each)]
        if declared:
            manager._event_bridges[plugin] = ours
        for entry in ours + own:
            generation.add(self.name, entry)

    def declare(self, generation: Generation) -> Tuple[()]:
        for event in dict.fromkeys(generation.snapshot.manifest().get("events", [])):
            function = getattr(generation.handler, f"on_{event}", None)
            if callable(function):
                generation.handlers[event] = function
                generation.add(self.name, (event, self._bridge(generation.plugin, event)))
        return ()

    def commit(self, plugin: str, old: Optional[Generation], new: Optional[Generation]) -> Undo:
        undo = [self._commit_listeners(old, new), self._commit_handlers(plugin, new)]
        slot = self.slot(plugin)
        before, slot.current = slot.current, new
        undo.append(self.host.watch.reset(plugin))

        def back() -> None:
            slot.current = before
            for each in reversed(undo):
                each()

        return back

    def when_drained(self, generation: Generation, then: Callable[[], None]) -> None:
        self.slot(generation.plugin).when_drained(generation, then)

    def discard(self, generation: Generation) -> None:
        with self.host.event_stream._lock:
            for listeners in self.host.event_stream._listeners.values():
                listeners[:] = [each for each in listeners if not generation.owns(each)]

    def _commit_listeners(self, old: Optional[Generation], new: Optional[Generation]) -> Undo:
        stream = self.host.event_stream
        gone: List[Tuple[str, Any]] = list(old.of(self.name)) if old else []
        come: List[Tuple[str, Any]] = list(new.of(self.name)) if new else []
        undo = []
        with stream._lock:
            if old:
                gone += [(event, each) for event, all_ in stream._listeners.items() for each in all_ if old.owns(each)]
            for event in dict.fromkeys(event for event, _ in gone + come):
                listeners = stream._listeners.setdefault(event, [])
                theirs = [each for name, each in gone if name == event]
                ours = [each for name, each in come if name == event]
                undo.append(replace_in_list(listeners, theirs, ours))

        def back() -> None:
            with stream._lock:
                for each in reversed(undo):
                    each()

        return back

    def _commit_handlers(self, plugin: str, new: Optional[Generation]) -> Undo:
        """The manager's own books, for whoever reads them."""
        manager = self.host.manager
        handlers = {event: list(entries) for event, entries in manager._handlers.items()}
        bridges, order = manager._event_bridges.get(plugin), list(manager._event_bridges)
        wanted = new.handlers if new else {}
        for event in dict.fromkeys([*handlers, *wanted]):
            entries = manager._handlers.setdefault(event, [])
            own = [entry for entry in entries if entry[0] == plugin]
            replace_in_list(entries, own, [(plugin, wanted[event])] if event in wanted else [])
            if not entries:
                del manager._handlers[event]
        if new is not None and new.of(self.name):
            manager._event_bridges[plugin] = [
                (event, each) for event, each in new.of(self.name) if (plugin, event) in self._bridges
            ]
        else:
            manager._event_bridges.pop(plugin, None)

        def back() -> None:
            manager._handlers.clear()
            manager._handlers.update(handlers)
            if bridges is None:
                manager._event_bridges.pop(plugin, None)
                return
            manager._event_bridges[plugin] = bridges
            for key in order[order.index(plugin) + 1 :]:
                if key in manager._event_bridges:
                    manager._event_bridges[key] = manager._event_bridges.pop(key)

        return back

    def _bridge(self, plugin: str, event: str) -> Callable[[Dict[str, Any]], None]:
        """The one listener for an event of a plugin: the host's own bridge, around a look-up."""
        if (plugin, event) not in self._bridges:
            slot = self.slot(plugin)

            def handle(data: Dict[str, Any], sdk: Any) -> None:
                with slot.call() as generation:
                    function = generation.handlers.get(event) if generation else None
                    if function is not None:
                        self.host.watch.call(EVENT, event, function, data, sdk)

            handle.__name__ = handle.__qualname__ = f"on_{event}"
            self._bridges[plugin, event] = self.host.manager._make_event_bridge(plugin, handle)
        return self._bridges[plugin, event]

    def _watch_listeners(self) -> None:
        """A plugin's own listeners are watched when the stream calls them: it says of an error only its message."""
        stream, watch = self.host.event_stream, self.host.watch
        safe_call = getattr(stream, "_safe_call", None)
        if safe_call is None:
            self.host.degraded.append("event_stream._safe_call is gone from Evonic: errors of listeners are not seen")
            return

        def watched(event: str, listener: Any, *arguments: Any) -> Any:
            return safe_call(event, watch.seen(EVENT, event, listener), *arguments)

        stream._safe_call = watched

    def _record_on(self, event: str, callback: Callable[[Dict[str, Any]], None]) -> None:
        generation = recorded()
        if generation is None:
            self._on(event, callback)
        else:
            generation.add(self.name, (event, callback))

    def _record_off(self, event: str, callback: Callable[[Dict[str, Any]], None]) -> None:
        generation = recorded()
        if generation is not None and (event, callback) in generation.of(self.name):
            generation.of(self.name).remove((event, callback))
        else:
            self._off(event, callback)
