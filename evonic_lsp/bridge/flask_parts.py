"""What one blueprint puts into an application: noted on a twin of it, or found where the host put it."""

from __future__ import annotations

import copy
import functools
import inspect
import os
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any, Collection, Dict, Iterable, Iterator, List, Mapping, MutableMapping, Optional, Set, Tuple

from flask import Blueprint, Flask
from werkzeug.routing import Map, Rule

from .flask_maps import Recorder, rules_of
from .flask_versions import ABSENT, ErrorKey, newest

# Flask's registries {scope: [functions]}; a scope is a blueprint's name, or None for the application.
SCOPED = (
    "url_value_preprocessors",
    "before_request_funcs",
    "after_request_funcs",
    "teardown_request_funcs",
    "template_context_processors",
    "url_default_functions",
)
# The same without scopes.
PLAIN = ("teardown_appcontext_funcs", "url_build_error_handlers", "shell_context_processors")
JINJA = ("filters", "tests", "globals")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")
_VARIABLE = re.compile(r"<(?:([a-zA-Z_]\w*)(\(.*?\))?:)?[a-zA-Z_]\w*>")

Place = Tuple[str, Optional[str]]


class RouteConflict(Exception):
    """A plugin wants a URL rule, an endpoint or a blueprint name that somebody else has."""


@dataclass
class Part:
    """What one blueprint has put into an application."""

    names: Dict[str, Any] = field(default_factory=dict)
    rules: List[Rule] = field(default_factory=list)
    views: Dict[str, Any] = field(default_factory=dict)
    functions: Dict[Place, List[Any]] = field(default_factory=dict)
    errors: Dict[ErrorKey, Any] = field(default_factory=dict)
    values: Dict[Tuple[str, str], Any] = field(default_factory=dict)
    converters: Dict[str, Any] = field(default_factory=dict)
    # The same object for all versions of a plugin's blueprint: those whose predecessors may still be needed.
    lineage: Set[int] = field(default_factory=set)

    @property
    def endpoints(self) -> Set[str]:
        """The endpoints of its views and rules."""
        return {*self.views, *(rule.endpoint for rule in self.rules)}


def values(app: Flask) -> Dict[str, MutableMapping[str, Any]]:
    """The registries of an application that map a name to a value."""
    jinja: Any = app.jinja_env
    cli: Any = app.cli
    named = {name: getattr(jinja, name) for name in JINJA}
    return {**named, "config": app.config, "extensions": app.extensions, "commands": cli.commands}


def register(app: Flask, was: Part, blueprint: Optional[Blueprint]) -> Tuple[Part, Flask]:
    """What `blueprint` would put into `app` if `was` were gone; and the twin that it was registered on."""
    recorder = Recorder(app.url_map, was.endpoints, swapped(app.url_map, was.converters, {}))
    twin = _twin(app, was, recorder.map)
    before = {name: dict(those) for name, those in values(twin).items()}
    converters = dict(recorder.map.converters)
    try:
        if blueprint is not None:
            twin.register_blueprint(blueprint)
    finally:
        recorder.close()
    part = Part(dict(twin.blueprints), recorder.rules, dict(twin.view_functions), lineage=was.lineage)
    part.functions = {place: list(those) for place, those in _functions(twin) if those}
    part.errors = dict(_errors(twin))
    for name, those in values(twin).items():
        part.values.update({(name, key): value for key, value in _changed(before[name], those)})
    part.converters = dict(_changed(converters, recorder.map.converters))
    return part, twin


def adopt(app: Flask, blueprint: Blueprint) -> Part:
    """What the host's own registration of `blueprint` put into `app`, without running any of it again."""
    roots = [name for name, each in app.blueprints.items() if each is blueprint]
    names = {name: each for name, each in app.blueprints.items() if _below(name, roots)}
    mine = _Noted(names.values())
    part = Part(names)
    part.rules = [rule for rule in app.url_map.iter_rules() if _below(str(rule.endpoint), names, strict=True)]
    part.views = {key: newest(view) for key, view in app.view_functions.items() if _below(key, names, strict=True)}
    for place, functions in _functions(app):
        those = [each for each in map(newest, functions) if place[1] in names or each in mine]
        if those:
            part.functions[place] = those
    part.errors = {key: fn for key, fn in _errors(app) if key[0] in names or fn in mine}
    for name, registry in values(app).items():
        part.values.update({(name, key): newest(slot) for key, slot in registry.items() if newest(slot) in mine})
    return part


def same_plugin(one: Blueprint, other: Blueprint) -> bool:
    """Whether two blueprints were made by the same code."""
    paths = {os.path.realpath(blueprint.root_path) for blueprint in (one, other)}
    return one.name == other.name and (one.import_name == other.import_name or len(paths) == 1)


def swapped(live: Map, old: Mapping[str, Any], new: Mapping[str, Any]) -> Dict[str, Any]:
    """The converters of a map, with `new` ones instead of `old`."""
    builtin: Mapping[str, Any] = live.default_converters
    left = {name: each for name, each in live.converters.items() if name not in old}
    return {**left, **{name: builtin[name] for name in old if name in builtin}, **new}


def check(app: Flask, was: Part, part: Part) -> None:
    """Raises RouteConflict if `part` has something that is neither new nor was the plugin's own before."""
    for name in part.names:
        if name in app.blueprints and name not in was.names:
            raise RouteConflict(f"the blueprint name {name!r} is taken by {_blueprint(app, name)}")
    for endpoint in sorted(part.endpoints - was.endpoints):
        if newest(app.view_functions.get(endpoint, ABSENT)) is not ABSENT or rules_of(app.url_map, [endpoint]):
            raise RouteConflict(f"the endpoint {endpoint!r} is taken by {_owner(app, endpoint)}")
    known = set(map(id, was.rules))
    fresh = [rule for rule in part.rules if id(rule) not in known]
    if fresh:  # to look at every rule of the application takes milliseconds where there are many
        _check_rules(app, was, fresh)


def _check_rules(app: Flask, was: Part, fresh: List[Rule]) -> None:
    others: Dict[Any, List[Rule]] = defaultdict(list)
    own = was.endpoints
    for rule in app.url_map.iter_rules():
        if rule.endpoint not in own and not rule.build_only:
            others[_address(rule)].append(rule)
    served: Dict[Any, Set[str]] = defaultdict(set)
    for rule in was.rules:
        served[_address(rule)] |= _methods(rule)
    for rule in fresh:
        address = _address(rule)
        for other in () if rule.build_only else others.get(address, ()):
            # What both served before is no news.
            both = (_methods(rule) & _methods(other)) - served[address]
            if both:
                owner = f"{other.endpoint!r} of {_owner(app, other.endpoint)}"
                raise RouteConflict(f"{'/'.join(sorted(both))} {rule.rule} is already served by {owner}")


def _address(rule: Rule) -> Tuple[Any, ...]:
    return rule.subdomain, rule.host, rule.websocket, _shape(rule.rule, bool(rule.merge_slashes))


@functools.lru_cache(maxsize=4096)  # asked again for each rule of the application at each reload
def _shape(path: str, merge_slashes: bool) -> str:
    path = _VARIABLE.sub(lambda match: f"<{match[1] or 'default'}{match[2] or ''}>", path)
    path = path.replace("<string>", "<default>")
    return re.sub("/{2,}", "/", path) if merge_slashes else path


def _methods(rule: Rule) -> Set[str]:
    methods = set(_METHODS if rule.methods is None else rule.methods)
    # Flask answers those for all rules of a URL together.
    return methods - {"OPTIONS"} if getattr(rule, "provide_automatic_options", False) else methods


def _blueprint(app: Flask, name: str) -> str:
    return f"blueprint {name!r} of {app.blueprints[name].import_name}"


def _owner(app: Flask, endpoint: str) -> str:
    name = endpoint.rpartition(".")[0]
    if name in app.blueprints:
        return _blueprint(app, name)
    view = newest(app.view_functions.get(endpoint))
    return f"the application ({getattr(view, '__module__', app.import_name)})"


class _Over(Dict[str, Any]):
    """A dict that seems empty, so that nothing seems taken; but whoever asks for a name finds what is `below`."""

    def __init__(self, below: Mapping[str, Any]) -> None:
        super().__init__()
        self._below = below

    def __missing__(self, key: str) -> Any:
        return newest(self._below[key])


def _twin(app: Flask, was: Part, url_map: Map) -> Flask:
    twin: Any = object.__new__(type(app))
    twin.__dict__.update(vars(app), url_map=url_map, _got_first_request=False)
    twin.blueprints = _Over({name: each for name, each in app.blueprints.items() if name not in was.names})
    own = was.endpoints
    twin.view_functions = _Over({name: view for name, view in app.view_functions.items() if name not in own})
    for registry in SCOPED:
        setattr(twin, registry, defaultdict(list))
    for registry in PLAIN:
        setattr(twin, registry, [])
    twin.error_handler_spec = defaultdict(lambda: defaultdict(dict))
    # Copies of the containers that plugins may write to; everything else is shared with the application.
    twin.config, twin.extensions = copy.copy(app.config), dict(app.extensions)
    twin.cli, twin.jinja_env = copy.copy(app.cli), copy.copy(app.jinja_env)
    twin.cli.commands = dict(twin.cli.commands)
    for registry in JINJA:
        setattr(twin.jinja_env, registry, dict(getattr(twin.jinja_env, registry)))
    for (registry, key), value in was.values.items():
        if newest(values(twin)[registry].get(key)) is value:
            del values(twin)[registry][key]
    return twin  # type: ignore[no-any-return]


def _functions(app: Flask) -> Iterator[Tuple[Place, List[Any]]]:
    for registry in SCOPED:
        for scope, functions in list(getattr(app, registry).items()):
            yield (registry, scope), functions
    for registry in PLAIN:
        yield (registry, None), getattr(app, registry)


def _errors(app: Flask) -> Iterator[Tuple[ErrorKey, Any]]:
    for scope, codes in list(app.error_handler_spec.items()):
        for code, handlers in list(codes.items()):
            for kind, function in list(handlers.items()):
                if newest(function) is not ABSENT:
                    yield (scope, code, kind), newest(function)


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> List[Tuple[str, Any]]:
    return [(key, value) for key, value in after.items() if before.get(key, ABSENT) is not value]


def _below(name: str, roots: Collection[str], strict: bool = False) -> bool:
    return any((name == root and not strict) or name.startswith(root + ".") for root in roots)


class _Noted:
    """What blueprints will give to an application, as far as the callbacks that will do so tell.

    The callbacks have the functions in their closures, mention them, or make them. Values like a string that a
    callback puts into the configuration are not found: those become known when a version is registered on a twin.
    """

    def __init__(self, blueprints: Iterable[Any]) -> None:
        self._ids: Set[int] = set()
        for blueprint in blueprints:
            self._ids.update(map(id, (blueprint.cli, *blueprint.cli.commands.values())))
            for callback in blueprint.deferred_functions:
                while callback is not None:
                    self._look_into(callback)
                    # What `record_once` was given.
                    callback = getattr(callback, "__wrapped__", None)

    def __contains__(self, value: Any) -> bool:
        return id(value) in self._ids or (inspect.isfunction(value) and id(value.__code__) in self._ids)

    def _look_into(self, callback: Any) -> None:
        if inspect.isfunction(callback):
            known = [callback.__globals__.get(name) for name in callback.__code__.co_names]
            own = [each for each in known if inspect.isfunction(each) and each.__module__ == callback.__module__]
            self._ids.update(id(each) for each in (*own, *_contents(callback)) if _is_somebodys(each))
            # Functions that are made inside of the callback: only their code exists beforehand.
            self._ids.update(id(each) for each in callback.__code__.co_consts if inspect.iscode(each))


def _contents(function: Any) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # a variable that has no value yet
            continue


def _is_somebodys(value: Any) -> bool:
    """Whether `value` belongs to whoever has it, as a function does; classes and `None` are everybody's."""
    return callable(value) and not isinstance(value, type) and not inspect.isbuiltin(value)
