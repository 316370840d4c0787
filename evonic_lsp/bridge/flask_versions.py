"""Two versions of a function in one place of Flask's registries.

A request keeps the URL map that it began with, and every map that we publish carries a number. So a `Pinned` in
a registry can tell which version of a function the current request is to see, from its first hook to its last.
"""

from __future__ import annotations

from typing import Any, Callable, Collection, Dict, Iterable, List, Mapping, Optional, Tuple

import flask.globals
from flask import Flask
from werkzeug.exceptions import NotFound
from werkzeug.local import LocalProxy

# Flask before 2.2 has a stack instead.
_context: Any = getattr(flask.globals, "request_ctx", None)
if not isinstance(_context, LocalProxy):
    _context = LocalProxy(lambda: getattr(flask.globals, "_request_ctx_stack").top)  # noqa: B009

STAMP = "_evonic_lsp_version"
ABSENT: Any = type("Absent", (), {"__repr__": lambda self: "<absent>"})()
Entry = Tuple[int, Any]
# (scope, HTTP status, class of the exception)
ErrorKey = Tuple[Optional[str], Optional[int], Any]


def stamp_of(url_map: Any) -> Optional[int]:
    """The number of a URL map, or None if it is not one of ours."""
    return getattr(url_map, STAMP, None)


def _requested() -> Optional[int]:
    adapter = _context.url_adapter if _context else None
    return None if adapter is None else stamp_of(adapter.map)


class Pinned:
    """Stands for a function, in the version that the current request began with; outside of requests, the newest.

    `entries` are the versions, oldest first, with the number of the map that each came with. `absent` is called
    for a request whose version has no such function.
    """

    def __init__(self, app: Flask, entries: Iterable[Entry], absent: Callable[..., Any]) -> None:
        self.entries = list(entries)
        self.app, self.absent = app, absent
        # Found on the class otherwise, where __getattr__ is not asked.
        self.__module__, self.__doc__ = getattr(self.newest, "__module__", __name__), self.newest.__doc__
        self.__wrapped__ = self.newest

    @property
    def newest(self) -> Any:
        """What requests that begin now see; ABSENT for nothing."""
        return self.entries[-1][1]

    def chosen(self) -> Any:
        """What the current request sees."""
        number = _requested()
        if number is None:
            return self.newest
        return next((value for since, value in reversed(self.entries) if since <= number), ABSENT)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        value = self.chosen()
        if value is ABSENT:
            return self.absent(*args, **kwargs)
        # Flask asks whether a function is a coroutine before it calls it, and could not tell by us.
        return self.app.ensure_sync(value)(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        # A copy that is still being made; and what makes `inspect` take us for the coroutine that we run.
        if name in ("entries", "__code__"):
            raise AttributeError(name)
        return getattr(self.newest, name)


class Handlers(Dict[Any, Any]):
    """Error handlers by class of exception. Flask goes on searching where `get` finds nothing."""

    def get(self, key: Any, default: Any = None) -> Any:
        """The handler that the current request sees."""
        value = super().get(key, default)
        value = value.chosen() if isinstance(value, Pinned) else value
        return default if value is ABSENT else value


def newest(slot: Any) -> Any:
    """What requests that begin now see in a place of a registry."""
    return slot.newest if isinstance(slot, Pinned) else slot


class Pins:
    """Makes the registries in which version `stamp` takes the place of the one before. Changes none."""

    def __init__(self, app: Flask, stamp: int) -> None:
        self._app, self._stamp = app, stamp

    def pin(self, slot: Any, new: Any, absent: Callable[..., Any]) -> Any:
        """What stands in the place of `slot` when `new` follows it."""
        plain = [] if slot is ABSENT else [(0, slot)]
        before = slot.entries if isinstance(slot, Pinned) else plain
        return Pinned(self._app, [*before, (self._stamp, new)], absent)

    def views(self, live: Mapping[str, Any], old: Mapping[str, Any], new: Mapping[str, Any]) -> Dict[str, Any]:
        """View functions by endpoint."""
        result = dict(live)
        for endpoint in {**new, **old}:
            result[endpoint] = self.pin(live.get(endpoint, ABSENT), new.get(endpoint, ABSENT), _no_view)
        return result

    def functions(self, registry: str, live: Iterable[Any], old: Iterable[Any], new: Iterable[Any]) -> List[Any]:
        """Functions in their order: new ones take the places of the old; what is left over follows the last."""
        absent = _NEUTRAL.get(registry, _nothing)
        leaving, coming = list(old), list(new)
        result: List[Any] = []
        end = None
        for slot in live:
            index = next((i for i, each in enumerate(leaving) if each is newest(slot)), None)
            if index is not None:
                del leaving[index]
                slot = self.pin(slot, coming.pop(0) if coming else ABSENT, absent)
            result.append(slot)
            end = end if index is None else len(result)
        end = len(result) if end is None else end
        result[end:end] = [self.pin(ABSENT, each, absent) for each in coming]
        return result

    def errors(self, spec: Any, changes: Mapping[ErrorKey, Any]) -> Any:
        """Error handlers, as Flask nests them."""
        result = spec.copy()
        for scope in {scope for scope, _, _ in changes}:
            codes = result[scope] = result[scope].copy()  # a defaultdict makes the missing ones
            for _, code, kind in [key for key in changes if key[0] == scope]:
                handlers = codes[code] = Handlers(codes[code])
                slot = dict.get(handlers, kind, ABSENT)
                handlers[kind] = self.pin(slot, changes[scope, code, kind], _nothing)
        return result


def settled(slot: Any, stamps: Collection[int]) -> Any:
    """`slot` without what was there before the versions `stamps`; ABSENT if nothing is left."""
    if not isinstance(slot, Pinned):
        return slot
    since = max((stamp for stamp, _ in slot.entries if stamp in stamps), default=None)
    if since is None:
        return slot
    (_, oldest), *later = [entry for entry in slot.entries if entry[0] >= since]
    return Pinned(slot.app, [(0, oldest), *later], slot.absent) if later else oldest


def settled_dict(live: Mapping[Any, Any], stamps: Collection[int]) -> Dict[Any, Any]:
    """The same for all values of a dict."""
    result = dict(live)
    for key in [key for key, slot in result.items() if isinstance(slot, Pinned)]:
        result[key] = settled(result[key], stamps)
        if result[key] is ABSENT:
            del result[key]
    return result


def settled_list(live: Iterable[Any], stamps: Collection[int]) -> List[Any]:
    """The same for a list."""
    return [value for value in (settled(slot, stamps) for slot in live) if value is not ABSENT]


def settled_errors(spec: Any, stamps: Collection[int]) -> Any:
    """The same for error handlers."""
    result = spec.copy()
    for scope, codes in list(spec.items()):
        result[scope] = codes.copy()
        for code, handlers in list(codes.items()):
            left = settled_dict(handlers, stamps)
            waiting = any(isinstance(value, Pinned) for value in left.values())
            result[scope][code] = Handlers(left) if waiting else left
            if not left:
                del result[scope][code]
    return result


def _nothing(*args: Any, **kwargs: Any) -> None:
    return None


def _no_view(**kwargs: Any) -> None:
    raise NotFound()


def _same_response(response: Any) -> Any:
    return response


# What a function that is not there would have returned.
_NEUTRAL: Dict[str, Callable[..., Any]] = {
    "after_request_funcs": _same_response,
    "template_context_processors": dict,
    "shell_context_processors": dict,
}
