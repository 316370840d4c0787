"""One plugin's blueprint, replaced in a Flask application that is answering requests.

The new blueprint is registered on a twin of the application. What it put there is published in the live one:
first the functions, pinned together with those they follow (see `flask_versions`), then the URL map. Storing the
map is the one moment at which the new version begins. Registries are replaced and never changed, so whoever
iterates over one is safe, and undoing is storing the old ones again.
"""

from __future__ import annotations

import inspect
import threading
from contextlib import ExitStack
from typing import Any, Callable, Dict, Iterable, Optional, Set, Tuple

from flask import Blueprint, Flask
from werkzeug.routing import Map, Rule

from .flask_maps import rebuilt_map, rules_of, same_map, shared_map, shares
from .flask_parts import JINJA, PLAIN, SCOPED, Part, RouteConflict, adopt, check, register, same_plugin, swapped, values
from .flask_requests import Requests
from .flask_versions import (
    ABSENT,
    STAMP,
    Pinned,
    Pins,
    newest,
    settled_dict,
    settled_errors,
    settled_list,
    stamp_of,
)
from .templates import Templates

__all__ = ["RouteConflict", "Routes", "StagedRoutes"]

# What several plugins may set, the last one on top: ((lineage, value), …); None has what was there before.
Layers = Tuple[Tuple[Any, Any], ...]


class Routes:
    """The routes of a live application. `degraded` says what is slower because private names have changed."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.degraded: Optional[str] = None
        if not shares(app.url_map, app.url_rule_class):
            self.degraded = "Werkzeug's URL map has changed: each reload with routes compiles all URL rules again"
        # The parts that serve, and what lies under the values and error handlers of more than one of them.
        self.parts: Dict[Blueprint, Part] = {}
        self.layers: Dict[Any, Layers] = {}
        self.requests = Requests(app)
        # An old version may be retired, by its last request, while a new one is published.
        self.lock = threading.RLock()
        self._stamp = stamp_of(app.url_map) or 0
        setattr(app.url_map, STAMP, self._stamp)

    def stage(self, old: Optional[Blueprint], new: Optional[Blueprint]) -> StagedRoutes:
        """Register `new` on a twin of the application, without touching anything live.

        Raises RouteConflict for what belongs to others. What the registration itself raises is not caught.
        """
        old = self._serving(old)
        was = Part() if old is None else self.parts.get(old) or adopt(self.app, old)
        part, twin = register(self.app, was, new)
        check(self.app, was, part)
        return StagedRoutes(self, new, was, part, twin)

    def next_stamp(self) -> int:
        """A number for the next version."""
        # Somebody else may have numbered maps too: a second bridge, say, after this one was reloaded.
        self._stamp = max(self._stamp, stamp_of(self.app.url_map) or 0) + 1
        return self._stamp

    def _serving(self, blueprint: Optional[Blueprint]) -> Optional[Blueprint]:
        if blueprint is None or blueprint in self.parts or blueprint in self.app.blueprints.values():
            return blueprint
        # The host's own reload makes a blueprint that it never registers: what serves is the one before.
        other: Any = self.app.blueprints.get(blueprint.name)
        return other if other is not None and same_plugin(blueprint, other) else None


class StagedRoutes:
    """A blueprint that is ready to be published."""

    def __init__(self, routes: Routes, blueprint: Optional[Blueprint], was: Part, part: Part, twin: Flask) -> None:
        self._routes, self._blueprint, self._was, self._part, self._twin = routes, blueprint, was, part, twin
        self._basis, self._map = routes.app.url_map, self._next_map()
        self._stamp = 0
        self._undo: Optional[ExitStack] = None

    @property
    def names(self) -> Set[str]:
        """The blueprints whose requests may be of this version, or of the one before while that is needed."""
        return {*self._part.names, *self._was.names}

    def commit(self) -> Callable[[], None]:
        """Publish; returns a function that puts back what was. It does nothing after `retire`."""
        with self._routes.lock:
            undo = self._commit()

        def back() -> None:
            with self._routes.lock:
                undo.close()

        return back

    def _commit(self) -> ExitStack:
        app = self._routes.app
        if app.url_map is not self._basis:
            self._basis, self._map = app.url_map, self._next_map()
        self._stamp = self._routes.next_stamp()
        setattr(self._map, STAMP, self._stamp)
        undo = ExitStack()
        try:
            self._publish(app, Pins(app, self._stamp), undo)
        except BaseException:
            undo.close()
            raise
        self._undo = undo
        # A callback may have kept `state.app`: from here on that is the live application in all but identity.
        vars(self._twin)["jinja_env"].__dict__ = vars(app.jinja_env)
        self._twin.__dict__ = vars(app)
        return undo

    def retire(self) -> None:
        """Drop what only requests of the version before still needed. To be called when they are gone."""
        with self._routes.lock:
            self._retire()

    def _retire(self) -> None:
        if self._undo is None:
            return
        self._undo.pop_all()
        self._undo = None
        # Earlier versions, too: the plugin may have been removed before their turn came.
        stamps = {stamp for stamp in self._part.lineage if stamp <= self._stamp}
        _settle(self._routes.app, stamps)
        self._part.lineage.difference_update(stamps)
        self._was, self._basis = Part(), self._map

    def _next_map(self) -> Map:
        live, was, part = self._routes.app.url_map, self._was, self._part
        gone, converters = was.endpoints, swapped(live, was.converters, part.converters)
        before = set(map(id, rules_of(live, gone)))
        if before == set(map(id, part.rules)) and list(map(_name, part.rules)) == list(map(_name, was.rules)):
            return same_map(live, converters)
        return (rebuilt_map if self._routes.degraded else shared_map)(live, gone, part.rules, converters)

    # ── Publishing ──

    def _publish(self, app: Flask, pins: Pins, undo: ExitStack) -> None:
        was, part = self._was, self._part
        undo.callback(self._forget)
        part.lineage.add(self._stamp)
        self._publish_values(app, pins, undo)
        _store(undo, app, "view_functions", pins.views(app.view_functions, was.views, part.views))
        self._publish_functions(app, pins, undo)
        handlers = {key: self._on_top(undo, key, was.errors, part.errors, _handler(app, key)) for key in self._errors()}
        if handlers:
            _store(undo, app, "error_handler_spec", pins.errors(app.error_handler_spec, handlers))
        _store(undo, app, "blueprints", _in_place(app.blueprints, was.names, part.names))
        others = {key: each for key, each in self._routes.parts.items() if each is not was}
        _store(undo, self._routes, "parts", others if self._blueprint is None else {**others, self._blueprint: part})
        # The version begins here. Undone before all else, too: nothing that it needs may go before it has ended.
        _store(undo, app, "url_map", self._map)
        self._refresh_templates(app)
        undo.callback(self._refresh_templates, app)

    def _publish_functions(self, app: Flask, pins: Pins, undo: ExitStack) -> None:
        old, new = self._was.functions, self._part.functions
        changed: Dict[str, Any] = {}
        for place in {**old, **new}:
            registry, scope = place
            live = changed.setdefault(registry, getattr(app, registry).copy())
            functions = live if registry in PLAIN else live.get(scope, ())
            functions = pins.functions(registry, functions, old.get(place, ()), new.get(place, ()))
            if registry in PLAIN:
                changed[registry] = functions
            else:
                live[scope] = functions
        for registry, functions in changed.items():
            _store(undo, app, registry, functions)

    def _publish_values(self, app: Flask, pins: Pins, undo: ExitStack) -> None:
        old, new = self._was.values, self._part.values
        for key in {**old, **new}:
            registry, name = key
            live = values(app)[registry]
            slot = live.get(name, ABSENT)
            value = self._on_top(undo, key, old, new, newest(slot))
            if value is newest(slot):
                continue
            if registry in JINJA and _functions_only(newest(slot), value):
                value = pins.pin(slot, value, _missing)
            _put(undo, app, registry, name, value)

    def _on_top(self, undo: ExitStack, key: Any, old: Dict[Any, Any], new: Dict[Any, Any], live: Any) -> Any:
        """What is to be seen in a place that `live` is in, when this plugin's layer is exchanged."""
        layers = list(self._routes.layers.get(key, ()))
        if live is not ABSENT and live is not (layers[-1][1] if layers else old.get(key, ABSENT)):
            layers.append((None, live))
        lineage, value = self._part.lineage, new.get(key, ABSENT)
        index = next((index for index, layer in enumerate(layers) if layer[0] is lineage), len(layers))
        layers[index : index + 1] = [] if value is ABSENT else [(lineage, value)]
        kept = {name: each for name, each in self._routes.layers.items() if name != key}
        # A single layer is what is seen: nothing to remember.
        _store(undo, self._routes, "layers", {**kept, key: tuple(layers)} if len(layers) > 1 else kept)
        return layers[-1][1] if layers else ABSENT

    def _errors(self) -> Iterable[Any]:
        return {**self._was.errors, **self._part.errors}

    def _refresh_templates(self, app: Flask) -> None:
        if any(registry in JINJA for registry, _ in {**self._was.values, **self._part.values}):
            Templates(app).clear()
        else:
            Templates(app).evict({*self._was.names.values(), *self._part.names.values()})

    def _forget(self) -> None:
        self._undo = None
        self._part.lineage.discard(self._stamp)


def _settle(app: Flask, stamps: Set[int]) -> None:
    """Drop what the versions `stamps` have replaced."""
    app.view_functions = settled_dict(app.view_functions, stamps)
    for registry in SCOPED:
        live = getattr(app, registry).copy()
        waiting = {scope: functions for scope, functions in live.items() if Pinned in map(type, functions)}
        live.update({scope: settled_list(functions, stamps) for scope, functions in waiting.items()})
        setattr(app, registry, _without_strangers(app, live))
    for registry in PLAIN:
        setattr(app, registry, settled_list(getattr(app, registry), stamps))
    app.error_handler_spec = _without_strangers(app, settled_errors(app.error_handler_spec, stamps))
    for registry in JINJA:
        live = getattr(app.jinja_env, registry)
        if any(isinstance(value, Pinned) for value in live.values()):
            setattr(app.jinja_env, registry, settled_dict(live, stamps))
            # What an old request has compiled since the commit may hold results of old filters.
            Templates(app).clear()


def _name(rule: Rule) -> Tuple[Any, str]:
    return rule.endpoint, rule.rule


def _store(undo: ExitStack, holder: Any, attribute: str, value: Any) -> None:
    undo.callback(setattr, holder, attribute, getattr(holder, attribute))
    setattr(holder, attribute, value)


def _put(undo: ExitStack, app: Flask, registry: str, name: str, value: Any) -> None:
    live = values(app)[registry]
    if registry in JINJA:
        left = {key: each for key, each in live.items() if key != name or value is not ABSENT}
        _store(undo, app.jinja_env, registry, left if value is ABSENT else {**left, name: value})
        return
    # Others hold on to these containers themselves.
    undo.callback(_assign, live, name, live.get(name, ABSENT))
    _assign(live, name, value)


def _assign(live: Any, name: str, value: Any) -> None:
    if value is ABSENT:
        live.pop(name, None)
    else:
        live[name] = value


def _handler(app: Flask, key: Any) -> Any:
    scope, code, kind = key
    handlers: Any = app.error_handler_spec.get(scope, {}).get(code, {})
    return newest(dict.get(handlers, kind, ABSENT))


def _functions_only(*those: Any) -> bool:
    return all(each is ABSENT or inspect.isroutine(each) for each in those)


def _missing(*args: Any, **kwargs: Any) -> Any:
    raise LookupError("the plugin that had this template filter, test or function has been removed")


def _in_place(live: Dict[str, Any], old: Dict[str, Any], new: Dict[str, Any]) -> Dict[str, Any]:
    """`live` with `new` in the place of `old`: the order of blueprints decides whose templates are found."""
    result: Dict[str, Any] = {}
    for name, blueprint in live.items():
        if name in old:
            result.update(new)
        else:
            result[name] = blueprint
    return {**result, **new}


def _without_strangers(app: Flask, registry: Any) -> Any:
    """`registry` without the empty places of blueprints that are gone."""
    for scope in [scope for scope, content in registry.items() if scope is not None and not content]:
        if scope not in app.blueprints:
            del registry[scope]
    return registry
