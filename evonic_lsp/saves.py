"""The debounce: one small state machine for each plugin, driven only by events.

``idle -> pending -> reloading -> idle``. A save (re)starts the timer; when it fires, one reload begins. A save
during a reload leads to exactly one more, which begins when the reload has ended and the timer has fired.
"""

from __future__ import annotations

from enum import Enum
from typing import Callable, Dict, Generic, Hashable, Optional, Protocol, TypeVar

Key = TypeVar("Key", bound=Hashable)


class State(Enum):
    """What a plugin waits for."""

    IDLE = "idle"
    PENDING = "pending"
    RELOADING = "reloading"


class Timer(Protocol):
    """What `call_later` returns: asyncio's TimerHandle is one."""

    def cancel(self) -> None: ...


class Saves(Generic[Key]):
    """Decides when to reload what.

    `begin(key)` is called to start a reload, whose end must be told to :meth:`ended`. `pending(key)` is called when
    a plugin begins to wait. `call_later(seconds, function)` starts a timer: an event loop's own method.
    `delay` in seconds may be changed at any time.
    """

    def __init__(
        self,
        begin: Callable[[Key], None],
        pending: Callable[[Key], None],
        call_later: Callable[[float, Callable[[], None]], Timer],
        delay: float = 0.05,
    ) -> None:
        self.delay = delay
        self._begin = begin
        self._pending = pending
        self._call_later = call_later
        self._machines: Dict[Key, _Machine] = {}

    def saved(self, key: Key, ago: float = 0.0) -> None:
        """A file of this plugin was saved, `ago` seconds before now."""
        machine = self._machines.setdefault(key, _Machine())
        if machine.timer is not None:
            machine.timer.cancel()
        machine.due = False
        machine.timer = self._call_later(max(self.delay - ago, 0.0), lambda: self._fired(key))
        if machine.state is State.IDLE:
            machine.state = State.PENDING
            self._pending(key)

    def ended(self, key: Key) -> None:
        """The reload that was begun has ended, well or not."""
        machine = self._machines.get(key)
        if machine is None:
            return  # closed meanwhile
        if machine.due:
            self._reload(key, machine)
        elif machine.timer is not None:
            machine.state = State.PENDING
            self._pending(key)
        else:
            del self._machines[key]

    def state(self, key: Key) -> State:
        """Where this plugin is."""
        machine = self._machines.get(key)
        return machine.state if machine else State.IDLE

    def close(self) -> None:
        """Forgets every save that waits."""
        for machine in self._machines.values():
            if machine.timer is not None:
                machine.timer.cancel()
        self._machines.clear()

    def _fired(self, key: Key) -> None:
        machine = self._machines[key]
        machine.timer = None
        if machine.state is State.RELOADING:
            machine.due = True
        else:
            self._reload(key, machine)

    def _reload(self, key: Key, machine: _Machine) -> None:
        machine.state, machine.due = State.RELOADING, False
        self._begin(key)


class _Machine:
    def __init__(self) -> None:
        self.state = State.IDLE
        self.timer: Optional[Timer] = None
        # The timer has fired during a reload.
        self.due = False
