"""A handler once more, on the last event of its kind that the host has kept."""

from __future__ import annotations

import copy
import threading
import time
from concurrent.futures import Future
from datetime import datetime, timezone
from typing import Any, Callable, Dict, List, Optional, Tuple

from . import wire
from .details import buffer, listeners
from .host import Host
from .kinds.events import Slot
from .messages import DONE, FAILED, RUNNING, Replayed
from .report import Reporter, describe
from .watch import EVENT
from .wire import LogEntry, WireError

# Seconds until the answer is that it is still at work.
LIMIT = 30.0


def replay(host: Host, slot: Slot, name: Optional[str], limit: float = LIMIT) -> Future[Replayed]:
    """Runs the handler `name` (an event, or the name of its function), or whichever has the newest event.

    In a thread of its own, as it may never return. Raises WireError if there is nothing to run, or to run it on.
    """
    event, entry = _chosen(host, slot, name)
    answer: Future[Replayed] = Future()
    run = _Replay(host, slot, event, entry, answer)
    threading.Thread(target=run.run, name=f"evonic-lsp replay {slot.plugin}", daemon=True).start()
    late = threading.Timer(limit, run.give_up, (limit,))
    late.daemon = True
    late.start()
    answer.add_done_callback(lambda done: late.cancel())
    return answer


def check(host: Host, slot: Slot, name: Optional[str]) -> None:
    """Raises what :func:`replay` would, and runs nothing."""
    _chosen(host, slot, name)


def _chosen(host: Host, slot: Slot, name: Optional[str]) -> Tuple[str, Dict[str, Any]]:
    generation = slot.current
    if generation is None:
        raise WireError(wire.REFUSED, f"nothing of {slot.plugin} is running")
    heard = {*generation.handlers, *(event for event, _ in listeners(host, host.watch, generation))}
    wanted = heard
    if name is not None:
        event = name if name in heard else name[3:] if name.startswith("on_") else name
        if event not in heard:
            known = ", ".join(sorted(heard)) or "no event"
            raise WireError(wire.INVALID_PARAMS, f"{slot.plugin} has no handler for {name!r}; it handles {known}")
        wanted = {event}
    for entry in reversed(buffer(host)):
        if entry.get("event") in wanted and isinstance(entry.get("data"), dict):
            return entry["event"], entry
    what = f"no {event} event" if name is not None else "no event that it handles"
    raise WireError(
        wire.REFUSED, f"{what} has reached {slot.plugin} that is still kept (the host keeps the last 1,000)"
    )


class _Replay:
    def __init__(self, host: Host, slot: Slot, event: str, entry: Dict[str, Any], answer: Future[Replayed]) -> None:
        self._host, self._slot, self._event, self._entry, self._answer = host, slot, event, entry, answer
        self._log: List[LogEntry] = []
        self._lock = threading.Lock()
        self._started = time.perf_counter()

    def run(self) -> None:
        """In its thread."""
        problem = None
        try:
            with self._slot.call() as generation:
                for function, arguments in self._calls(generation):
                    self._host.watch.call(EVENT, self._event, function, *arguments)
        except BaseException as error:
            taken = generation.snapshot if generation else None
            sources: Callable[[str], Optional[str]] = taken.text if taken else lambda file: None
            reporter = Reporter(self._slot.plugin, self._host.plugins_dir, self._host.root, sources)
            problem = reporter.problem(error)
            self._tell(FAILED, f"on_{self._event} failed: {describe(error).splitlines()[0]}", problem)
            # What the host does with an error of a handler, it does with this one.
            self._host.manager.add_log(self._slot.plugin, "error", f"Replay of {self._event}: {describe(error)}")
        else:
            self._tell(DONE, f"on_{self._event} ran on the event number {self._entry.get('seq')}")

    def give_up(self, limit: float) -> None:
        """It takes too long to wait for."""
        self._tell(RUNNING, f"on_{self._event} has not returned within {limit:g} s; it runs on")

    def _calls(self, generation: Any) -> List[Tuple[Any, Tuple[Any, ...]]]:
        """(function, arguments) of all that the event would call."""
        host, plugin = self._host, self._slot.plugin
        if generation is None:
            return []
        found: List[Tuple[Any, Tuple[Any, ...]]] = []
        function = generation.handlers.get(self._event)
        if function is not None:
            data = _copied(self._entry["data"])
            sdk = host.sdk(plugin, host.manager.get_plugin_config(plugin), data, log_callback=self._note)
            found.append((function, (data, sdk)))
        for event, listener in listeners(host, host.watch, generation):
            if event == self._event:
                found.append((listener, (_copied(self._entry["data"]),)))
        return found

    def _note(self, plugin: str, level: str, message: str) -> None:
        self._host.manager.add_log(plugin, level, message)
        entry = LogEntry(plugin, datetime.now(timezone.utc).isoformat(), str(level), str(message))
        with self._lock:
            self._log.append(entry)

    def _tell(self, status: str, message: str, problem: Optional[wire.Problem] = None) -> None:
        with self._lock:
            if self._answer.done():
                return
            duration = round((time.perf_counter() - self._started) * 1000, 3)
            seq = self._entry.get("seq")
            self._answer.set_result(
                Replayed(
                    self._slot.plugin,
                    self._event,
                    status,
                    message,
                    seq if isinstance(seq, int) else None,
                    duration,
                    problem,
                    self._log[-200:],
                )
            )


def _copied(data: Dict[str, Any]) -> Dict[str, Any]:
    """The event, so that a handler that changes it does not change the kept one."""
    try:
        return copy.deepcopy(data)
    except Exception:  # something in it that cannot be copied: a lock, a connection
        return dict(data)
