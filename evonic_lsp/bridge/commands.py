"""The commands as text and exit status, for both command lines: ``evonic-lsp …`` and ``./evonic hotreload …``.

Results go to stdout, everything else to stderr. `root` is the Evonic to speak to; without one, the only one that
runs.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, Callable, Optional, TextIO, TypeVar

from . import text, wire
from .client import Client, NoHost, find
from .wire import WireError

DONE = 0
FAILED = 1
USAGE = 2
NO_HOST = 3
# What a shell reports for a command that SIGINT or SIGPIPE ended.
INTERRUPTED = 130
BROKEN_PIPE = 141

MOST_LOGS = 500
_NAME = "command line"

F = TypeVar("F", bound=Callable[..., int])


class _BadArgument(Exception):
    """An argument that no host needs to be asked about; the text says why."""


def quiet(command: F) -> F:
    """`command` with every expected failure as a sentence and an exit status, and none as a traceback."""

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> int:
        try:
            status = command(*args, **options)
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            return status
        except BrokenPipeError:
            forget_output()
            return BROKEN_PIPE
        except KeyboardInterrupt:
            return INTERRUPTED
        except _BadArgument as error:
            return complain(str(error), USAGE)
        except NoHost as error:
            return complain(str(error), NO_HOST)
        except WireError as error:
            return complain(_explained(error), _STATUS.get(error.code, NO_HOST))
        except OSError as error:
            return complain(f"{error.filename or 'the host'}: {error.strerror or error}", NO_HOST)

    return run  # type: ignore[return-value]


_STATUS = {wire.UNKNOWN_PLUGIN: USAGE, wire.REFUSED: USAGE, wire.INTERNAL_ERROR: FAILED}
_GARBLED = (wire.PARSE_ERROR, wire.INVALID_REQUEST, wire.INVALID_PARAMS)


def _explained(error: WireError) -> str:
    # Our requests are well formed, so these codes speak of the answer: from a host of another version, or from
    # something that is no host.
    if error.code not in _GARBLED:
        return error.message
    return f"the host's answer is not understood; is it of another version? `evonic-lsp doctor` tells: {error.message}"


@quiet
def reload(root: Optional[Path], plugin: str) -> int:
    """Reloads `plugin` now, whatever the switches say."""
    _checked(plugin)
    with _connect(root) as client:
        outcome = client.reload(plugin)
    for problem in outcome.problems:
        say(text.problem(problem), sys.stderr)
    if outcome.failed:
        if not any(problem.severity == "error" for problem in outcome.problems):
            say(f"error: {text.one_line(outcome.message)}", sys.stderr)
        say(text.still_serving(outcome), sys.stderr)
        return FAILED
    if outcome.status == wire.DISABLED:
        say(text.outcome(outcome), sys.stderr)
        return FAILED
    say(text.outcome(outcome))
    return DONE


@quiet
def switch(root: Optional[Path], enabled: bool, plugin: Optional[str] = None) -> int:
    """Turns hot reload on or off for `plugin`, or for all without one."""
    if plugin is not None:
        _checked(plugin)
    with _connect(root) as client:
        status = client.switch(enabled, plugin)
    if plugin is None:
        chosen = sum(each.hotreload for each in status.plugins)
        say(f"hot reload is {text.on_off(status.enabled)}" + (f"; plugins chosen: {chosen}" if enabled else ""))
        if enabled and not chosen:
            say("no plugin is chosen yet: `evonic-lsp hotreload-enable ID`", sys.stderr)
        return DONE
    say(f"hot reload of {plugin} is {text.on_off(enabled)}")
    if enabled and not status.enabled:
        say("but it is off for all plugins: `evonic-lsp hotreload-enable` turns it on", sys.stderr)
    if enabled and any(each.id == plugin and not each.enabled for each in status.plugins):
        say(f"but {plugin} is switched off in Evonic: `./evonic plugin enable {plugin}`", sys.stderr)
    return DONE


@quiet
def status(root: Optional[Path], as_json: bool = False) -> int:
    """Shows the switches, the plugins and their last outcomes."""
    with _connect(root) as client:
        found = client.status()
    say(json.dumps(wire.to_json(found), indent=2) if as_json else text.status(found, time.time()))
    return DONE


@quiet
def logs(root: Optional[Path], plugin: str, follow: bool = False, limit: int = 100) -> int:
    """Shows the newest `limit` lines of a plugin's log; with `follow`, those to come as well, until the host ends."""
    _checked(plugin)
    if not 0 < limit <= MOST_LOGS:
        raise _BadArgument(f"the limit must be from 1 to {MOST_LOGS}, not {limit}")
    host = find(root)
    # The follower is connected before the past is read, so that no line falls between the two.
    with Client(host, _NAME) as follower:
        with Client(host, _NAME) as client:
            answer = client.call("plugin/logs", {"plugin": plugin, "limit": limit})
        if not isinstance(answer, list):
            raise WireError(wire.INVALID_PARAMS, "LogEntry: not a list")
        entries = [wire.from_json(wire.LogEntry, entry) for entry in answer]
        for entry in entries:
            say(text.log(entry))
        if follow:
            _follow(follower, plugin, Counter(entries))
    return DONE


def _follow(client: Client, plugin: str, told: Counter[wire.LogEntry]) -> None:
    """Prints what is logged for `plugin` from now on, except what was `told` already."""
    if sys.stdout is not None:
        sys.stdout.flush()
    for method, params in client.notifications():
        if method != "plugin/log":
            continue
        entry = wire.from_json(wire.LogEntry, params)
        if entry.plugin != plugin:
            continue
        if told[entry]:
            told[entry] -= 1
            continue
        say(text.log(entry))
        if sys.stdout is not None:
            sys.stdout.flush()
    say("the host ended", sys.stderr)


def _connect(root: Optional[Path]) -> Client:
    try:
        return Client(find(root), _NAME)
    except WireError as error:
        # Whatever it is that refuses us there, nothing was asked of it yet.
        raise NoHost(_explained(error)) from error


def _checked(plugin: str) -> None:
    try:
        wire.plugin_id(plugin)
    except WireError as error:
        raise _BadArgument(error.message) from error


# ── Output ──


def say(message: str, stream: Optional[TextIO] = None) -> None:
    """Prints a message, whatever the encoding of the stream can express."""
    stream = stream or sys.stdout
    if stream is None:  # closed by the shell: >&-
        return
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(message.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def complain(message: str, exit_status: int) -> int:
    """Prints an error; returns `exit_status`."""
    try:
        say(f"evonic-lsp: {text.clean(message)}", sys.stderr)
    except BrokenPipeError:
        forget_output()
    return exit_status


def forget_output() -> None:
    """Sends what nobody reads any more nowhere, as Python would complain when it flushes at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
