"""Who outside of a plugin still holds its old version: code that imported from it once, and keeps what it has."""

from __future__ import annotations

import gc
import sys
from types import ModuleType
from typing import Any, Dict, Iterator, List, Optional, Tuple

from .generation import Generation, finder

_MOST = 10
_PLUGINS = ("plugins.", "plugin_pkg_")
Holder = Tuple[Dict[str, Any], str, str, Optional[str]]
# A name of a module, and one in that module; None: the module itself.
Name = Tuple[str, Optional[str]]


def possible(plugin: str) -> bool:
    """Whether anybody outside can have imported from `plugin`: they do so by this name. :func:`find` takes some
    milliseconds in a big process."""
    return f"plugins.{plugin}" in sys.modules


class Search:
    """:func:`find` for a version that still serves. `found` is its result."""

    def __init__(self, serving: Generation) -> None:
        self._counts = _counts(serving.modules)  # before: whoever comes meanwhile may be found or not
        self.found = find(serving)

    def outdated(self, serving: Generation) -> bool:
        """Whether anybody can have come to hold it since, which is one more reference, or whoever was found does not
        any more."""
        for namespace, name, module_name, key in self.found:
            if namespace.get(name) is not _named(serving, module_name, key):
                return True
        return any(count > self._counts.get(name, 0) for name, count in _counts(serving.modules).items())


def find(old: Generation) -> List[Holder]:
    """(namespace, name in it, the old module it is or is from, the name there or None): each a module-level name
    of code outside the plugin that leads to `old`."""
    wanted: Dict[int, Name] = {}
    targets: List[Any] = []
    for name, value in _importable(old.modules):
        # The search takes longer with each thing that is searched for, and of most functions the count alone says
        # that nobody else holds them.
        if name[1] is None or sys.getrefcount(value) > _ALONE:
            wanted[id(value)] = name
            targets.append(value)
    own = {id(vars(module)) for module in list(old.modules.values())}
    return list(_names(targets, wanted, own))


def _importable(modules: Dict[str, ModuleType]) -> Iterator[Tuple[Name, Any]]:
    """What others can import from these: the modules, their functions and their classes."""
    for name, module in list(modules.items()):
        yield (name, None), module
        for key, value in list(vars(module).items()):
            if getattr(value, "__module__", None) == module.__name__ and callable(value):
                yield (name, key), value


def _counts(modules: Dict[str, ModuleType]) -> Dict[Name, int]:
    return {name: sys.getrefcount(value) for name, value in _importable(modules)}


def _alone() -> int:
    """The count of a function that only its module holds."""
    module = ModuleType("alone")
    exec("def function(): ...", vars(module))
    return _counts({"": module})["", "function"]


_ALONE = _alone()


def _names(targets: List[Any], wanted: Dict[int, Tuple[str, Any]], own: Any) -> Iterator[Holder]:
    for referrer in gc.get_referrers(*targets):
        if type(referrer) is not dict or id(referrer) in own or "__name__" not in referrer:
            continue
        if "__builtins__" not in referrer and "__file__" not in referrer:
            continue  # not the namespace of a module
        owner = str(referrer["__name__"])
        if owner == "plugins" or owner.startswith(_PLUGINS) or finder.owner(owner):
            continue  # of a plugin, which is reloaded after this one; or the package through which they find it
        for name, value in list(referrer.items()):
            if id(value) in wanted:
                yield (referrer, name, *wanted[id(value)])


def describe(holders: List[Holder]) -> str:
    """``skills/x.py (db, add)``, for people."""
    by_file: Dict[str, List[str]] = {}
    for namespace, name, _, _ in holders:
        by_file.setdefault(str(namespace.get("__file__") or namespace.get("__name__")), []).append(name)
    shown = [f"{file} ({', '.join(sorted(names))})" for file, names in sorted(by_file.items())]
    return "; ".join(shown[:_MOST]) + ("; …" if len(shown) > _MOST else "")


def rebind(holders: List[Holder], old: Generation, new: Generation) -> List[Holder]:
    """Points those names at the new version; returns those for which it has nothing of the kind."""
    left = []
    for namespace, name, module_name, key in holders:
        value = _named(new, module_name, key)
        if value is None:
            left.append((namespace, name, module_name, key))
        elif namespace.get(name) is _named(old, module_name, key):  # and not something else by now
            namespace[name] = value
    return left


def _named(generation: Generation, module_name: str, key: Optional[str]) -> Any:
    module = generation.modules.get(module_name)
    return module if key is None else getattr(module, key, None)
