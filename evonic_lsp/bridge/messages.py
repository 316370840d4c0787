"""More message types of the wire: what a plugin does, function by function, and what became of a replay."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import List, Optional

from .wire import Failure, LogEntry, Outcome, Place, PluginInfo, Problem

# What a replay can be.
DONE = "done"
FAILED = "failed"
RUNNING = "running"


@dataclass(frozen=True)
class Handler:
    """A function that a plugin has registered, and what became of its calls since the load.

    `trigger` and `name` as in :class:`wire.Failure`; `place` is its first line in the text that runs. `last_ms` and
    `last_at` (seconds since the epoch) are None before the first call. `replay`: an event for it is still kept.
    """

    trigger: str
    name: str
    function: str
    place: Optional[Place] = None
    calls: int = 0
    errors: int = 0
    last_ms: Optional[float] = None
    last_at: Optional[float] = None
    replay: bool = False


@dataclass(frozen=True)
class Details:
    """Answer to ``plugin/details``."""

    info: PluginInfo
    handlers: List[Handler] = field(default_factory=list)


@dataclass(frozen=True)
class Replayed:
    """Answer to ``plugin/replay``. `seq` is the host's number of the event; `log` what the plugin logged during the
    call, by the SDK that it was handed; `problem` what it raised."""

    plugin: str
    event: str
    status: str
    message: str
    seq: Optional[int] = None
    duration_ms: float = 0.0
    problem: Optional[Problem] = None
    log: List[LogEntry] = field(default_factory=list)


@dataclass(frozen=True)
class Cleared:
    """Payload of ``plugin/cleared``: the run-time errors of a plugin are no longer kept."""

    plugin: str


def is_past(failure: Failure, outcome: Outcome) -> bool:
    """Whether an error is of the time before a good reload."""
    began = outcome.at - outcome.duration_ms / 1000
    return failure.generation != outcome.generation or failure.last_at < began
