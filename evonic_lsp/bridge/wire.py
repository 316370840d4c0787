"""The wire between a host and its clients: message types, framing, names.

JSON-RPC 2.0 (https://www.jsonrpc.org/specification), one message a line: UTF-8, ends with ``\\n``, at
most :data:`MAX_MESSAGE` bytes. Shared by the bridge inside Evonic, the language server and the command
line, so it is standard library only and runs on Python 3.8.

Positions are zero-based. Columns count Unicode code points: neither side needs the other's encoding, and a
place carries the text of the lines it touches, so that a client can convert without reading a disk that may
have moved on.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
import typing
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Type, TypeVar

PROTOCOL = 1
VERSION = "0.1.0"
BRIDGE_ID = "evonic_lsp"
# What to do for a newer evonic-lsp, or for all of this one. It is not on PyPI.
UPGRADE = "`git pull`, then `pipx install --force .` in your clone of evonic-lsp"
MAX_MESSAGE = 4 * 1024 * 1024
_LONGEST_ERROR = 1000
# Numbers on the wire count something or tell a time: none is negative, or more than LSP and a calendar can take.
_LARGEST, _LATEST = 2**31 - 1, 32e9

# JSON-RPC's own codes, then ours.
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
WRONG_PROTOCOL = -32001
NOT_INITIALIZED = -32002
REFUSED = -32003
UNKNOWN_PLUGIN = -32004

# What an outcome can be.
RELOADED = "reloaded"
UNCHANGED = "unchanged"
REJECTED = "rejected"
ROLLED_BACK = "rolled back"
DISABLED = "disabled"
STUCK = "stuck"
UNLOADED = "unloaded"
FAILED = (REJECTED, ROLLED_BACK, STUCK)

# Who asked for a reload. A save obeys the switches, the others do not: DEPENDENCY means that a plugin whose modules
# this one imports was reloaded.
SAVE = "save"
MANUAL = "manual"
HOST = "host"
DEPENDENCY = "dependency"

_PLUGIN_ID = re.compile(r"[A-Za-z0-9_-]{1,128}\Z")

T = TypeVar("T")


class WireError(Exception):
    """A request that is answered with an error, or an answer that is one.

    `code` is a JSON-RPC error code, `message` a sentence for people, `data` optional details.
    """

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


def plugin_id(value: Any) -> str:
    """`value` as a plugin id; :class:`WireError` (INVALID_PARAMS) if it cannot be one.

    The rule is Evonic's own, ``^[a-zA-Z0-9_-]+$``, so an accepted id never leaves the plugins folder.
    """
    if not isinstance(value, str) or not _PLUGIN_ID.match(value):
        shown = json.dumps(value, ensure_ascii=True, default=str)[:80]
        raise WireError(INVALID_PARAMS, f"{shown} is not a plugin id: letters, digits, '_' and '-' only")
    return value


# ── Message types ──


@dataclass(frozen=True)
class Place:
    """A range in a file.

    `plugin` and `file`: a file of that plugin, relative to its folder, with ``/``. Without `plugin`, `file` is
    relative to the Evonic root, or a bare name when it lies outside of it. `first` and `last` are the
    texts of the lines `start_line` and `end_line`.
    """

    file: str
    start_line: int
    start_column: int
    end_line: int
    end_column: int
    plugin: Optional[str] = None
    first: str = ""
    last: str = ""


@dataclass(frozen=True)
class Related:
    """One more thing to look at: a frame of the traceback, the cause of an exception."""

    message: str
    place: Optional[Place] = None


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. `code`: the exception's class name, or ``manifest``."""

    code: str
    message: str
    severity: str = "error"
    place: Optional[Place] = None
    related: List[Related] = field(default_factory=list)
    traceback: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a reload.

    `generation` is the one that serves now, 0 being what the host loaded itself, and `loaded_at` when that
    one was loaded (seconds since the epoch); both None where nothing serves. `timings` are milliseconds by step.
    `dependents` are the plugins that import this one and are reloaded after it.
    """

    plugin: str
    status: str
    message: str
    asked_by: str
    duration_ms: float = 0.0
    generation: Optional[int] = None
    loaded_at: Optional[float] = None
    at: float = 0.0
    problems: List[Problem] = field(default_factory=list)
    timings: Dict[str, float] = field(default_factory=dict)
    dependents: List[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """True if what is on disk is not what serves."""
        return self.status in FAILED


@dataclass(frozen=True)
class Failure:
    """An error at run time; payload of ``plugin/error``, again with each update.

    `trigger` is the kind of what was being served (``event``, ``slash command``, ``route``, a kind of hook …) and
    `name` which one. `key` stays the same for every repetition; `generation` is the load whose text ran, and whose
    lines the places carry. Times are seconds since the epoch.
    """

    plugin: str
    key: str
    trigger: str
    name: str
    problem: Problem
    count: int
    first_at: float
    last_at: float
    generation: int


@dataclass(frozen=True)
class PluginInfo:
    """A plugin as the host knows it. `hotreload`: opted in to reload on save; `decided`: somebody has switched
    that on or off before, so there is nothing to ask; `outcome`: the last one; `errors`: those since the load."""

    id: str
    name: str
    version: str
    enabled: bool
    hotreload: bool
    decided: bool = False
    generation: Optional[int] = None
    loaded_at: Optional[float] = None
    outcome: Optional[Outcome] = None
    errors: List[Failure] = field(default_factory=list)


@dataclass(frozen=True)
class HostStatus:
    """Answer to ``hotreload/status`` and, as `host`, to ``initialize``. `enabled`: the global switch."""

    root: str
    plugins_dir: str
    version: str
    bridge: str
    pid: int
    enabled: bool
    plugins: List[PluginInfo] = field(default_factory=list)
    degraded: List[str] = field(default_factory=list)


@dataclass(frozen=True)
class LogEntry:
    """A line of a plugin's log. `timestamp` is ISO 8601 in UTC, `level` one of info, warn, error."""

    plugin: str
    timestamp: str
    level: str
    message: str


@dataclass(frozen=True)
class Change:
    """Payload of ``hotreload/changed``: a switch was turned. Without `plugin`, the global one."""

    enabled: bool
    plugin: Optional[str] = None


def to_json(value: Any) -> Any:
    """A message type as plain JSON data, keys in camelCase as in LSP."""
    if dataclasses.is_dataclass(value):
        return {_camel(f.name): to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    return value


def from_json(kind: Type[T], data: Any) -> T:
    """The message type `kind` out of JSON data; unknown keys are ignored, as a newer peer may send them.

    Numbers that cannot be are the nearest that can. Raises :class:`WireError` (INVALID_PARAMS) that names what is
    missing or of the wrong type.
    """
    return typing.cast(T, _structure(kind, data, kind.__name__))


def _structure(kind: Any, data: Any, where: str) -> Any:
    origin: Any = getattr(kind, "__origin__", None)
    args: Any = getattr(kind, "__args__", ())
    if kind is Any:
        return data
    if origin is typing.Union:
        return None if data is None else _structure(args[0], data, where)
    if origin is list and isinstance(data, list):
        return [_structure(args[0], item, where) for item in data]
    if origin is dict and isinstance(data, dict):
        return {str(key): _structure(args[1], item, where) for key, item in data.items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind) and isinstance(data, dict):
        hints = _hints(kind)
        values = {}
        for each in dataclasses.fields(kind):
            key = _camel(each.name)
            if key in data:
                values[each.name] = _structure(hints[each.name], data[key], f"{where}.{key}")
            elif each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING:
                raise WireError(INVALID_PARAMS, f"{where}.{key} is missing")
        return kind(**values)
    if kind is float and isinstance(data, (int, float)) and not isinstance(data, bool) and abs(data) < 1e300:
        # Neither NaN nor Infinity, which are no JSON and would break whoever gets them next.
        return min(max(float(data), 0.0), _LATEST)
    if kind is int and type(data) is int:
        return min(max(data, 0), _LARGEST)
    if kind in (str, bool) and type(data) is kind:
        return data
    raise WireError(INVALID_PARAMS, f"{where}: {type(data).__name__} is not what belongs here")


_hints = functools.lru_cache(maxsize=None)(typing.get_type_hints)  # reading them takes longer than all the rest


@functools.lru_cache(maxsize=None)
def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.capitalize() for part in tail)


# ── Framing ──


def encode(message: Dict[str, Any]) -> bytes:
    """One line for the wire; :class:`WireError` (INTERNAL_ERROR) if it would be longer than the limit."""
    line = json.dumps({"jsonrpc": "2.0", **message}, separators=(",", ":"), default=str).encode("ascii") + b"\n"
    if len(line) > MAX_MESSAGE:
        raise WireError(INTERNAL_ERROR, f"a message of {len(line)} bytes is over the limit of {MAX_MESSAGE}")
    return line


def decode(line: bytes) -> Dict[str, Any]:
    """The message in one line; :class:`WireError` with JSON-RPC's code for what is wrong with it."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:  # not UTF-8, not JSON, or nested without end
        raise WireError(PARSE_ERROR, f"not JSON: {error}") from error
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise WireError(INVALID_REQUEST, "not a JSON-RPC 2.0 message")
    if "method" in message and not isinstance(message["method"], str):
        raise WireError(INVALID_REQUEST, "the method is not a string")
    if not isinstance(message.get("id"), (int, str, type(None))):
        raise WireError(INVALID_REQUEST, "the id is neither a number nor a string")
    return message


def request(number: int, method: str, params: Optional[Dict[str, Any]] = None) -> bytes:
    """A request, encoded."""
    return encode({"id": number, "method": method, "params": params or {}})


def notification(method: str, params: Any) -> bytes:
    """A notification, encoded; `params` may be one of the message types."""
    return _fitting({"method": method}, "params", to_json(params))


def response(number: Any, result: Any) -> bytes:
    """An answer, encoded; `result` may be one of the message types."""
    return _fitting({"id": number}, "result", to_json(result))


def _fitting(head: Dict[str, Any], key: str, data: Any) -> bytes:
    """A message with `data` as `key`. What is too long for a message loses its details, so that what became of a
    plugin is told however much there is to say about it."""
    for detail in range(len(_DETAILS)):
        try:
            return encode({**head, key: data})
        except WireError:
            data = _without(data, detail)
    return encode({**head, key: data})


# key -> how much of it is left; what matters least goes first
_DETAILS = ({"traceback": 0, "related": 0, "first": 500, "last": 500}, {"problems": 20, "errors": 5}, {"message": 500,
            "first": 0, "last": 0, "problems": 1, "errors": 0}, {"problems": 0})  # fmt: skip


def _without(data: Any, detail: int) -> Any:
    if isinstance(data, dict):
        left = _DETAILS[detail]
        return {
            key: _without(item[: left[key]] if key in left and isinstance(item, (str, list)) else item, detail)
            for key, item in data.items()
        }
    return [_without(item, detail) for item in data] if isinstance(data, list) else data


def failure(number: Any, error: WireError) -> bytes:
    """An answer that is an error, encoded; short, however long what it speaks of was."""
    body: Dict[str, Any] = {"code": error.code, "message": error.message[:_LONGEST_ERROR]}
    if isinstance(number, str) and len(number) > _LONGEST_ERROR:
        number = None
    if error.data is not None:
        body["data"] = error.data
    return encode({"id": number, "error": body})


def result_of(message: Dict[str, Any]) -> Any:
    """The result in an answer; raises :class:`WireError` if the answer is an error."""
    if "error" not in message:
        return message.get("result")
    error = message["error"] if isinstance(message["error"], dict) else {}
    code = error.get("code")
    raise WireError(
        code if isinstance(code, int) else INTERNAL_ERROR,
        str(error.get("message", "unknown error")),
        error.get("data"),
    )


def check_protocol(protocol: Any, version: Any) -> None:
    """Raises :class:`WireError` (WRONG_PROTOCOL), with what to run, unless `protocol` is ours."""
    if protocol == PROTOCOL:
        return
    raise WireError(
        WRONG_PROTOCOL,
        f"this side speaks protocol {PROTOCOL} (evonic-lsp {VERSION}), the other {protocol!r} (evonic-lsp {version}). "
        f"Bring both to one version: {UPGRADE}, then `evonic-lsp install ROOT`, and restart Evonic.",
        {"protocol": PROTOCOL, "version": VERSION},
    )
