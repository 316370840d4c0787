"""Who outside of a plugin still holds its old version: code that imported from it once, and keeps what it has."""

from __future__ import annotations

import gc
import sys
from typing import Any, Dict, Iterator, List, Tuple

from .generation import Generation, finder

_MOST = 10
_PLUGINS = ("plugins.", "plugin_pkg_")
Holder = Tuple[Dict[str, Any], str, str, Any]


# What the count is, in a loop like that of `find`, of a value that only its namespace holds.
_ALONE = min(sys.getrefcount(value) for _, value in {"x": object()}.items())


def possible(plugin: str) -> bool:
    """Whether anybody outside can have imported from `plugin`: they do so by this name. :func:`find` takes some
    milliseconds in a big process."""
    return f"plugins.{plugin}" in sys.modules


def find(old: Generation) -> List[Holder]:
    """(namespace, name in it, the old module it is or is from, the name there or None): each a module-level name
    of code outside the plugin that leads to `old`."""
    modules = {id(module): name for name, module in old.modules.items()}
    own = {id(vars(module)) for module in old.modules.values()}
    wanted: Dict[int, Tuple[str, Any]] = {id(module): (modules[id(module)], None) for module in old.modules.values()}
    targets: List[Any] = list(old.modules.values())
    for name, module in old.modules.items():
        for key, value in vars(module).items():
            # The search takes longer with each thing that is searched for, and of most functions the count alone says
            # that nobody else holds them.
            held = sys.getrefcount(value) > _ALONE
            if held and getattr(value, "__module__", None) == module.__name__ and callable(value):
                wanted[id(value)] = (name, key)
                targets.append(value)
    return list(_names(targets, wanted, own))


def _names(targets: List[Any], wanted: Dict[int, Tuple[str, Any]], own: Any) -> Iterator[Holder]:
    for referrer in gc.get_referrers(*targets):
        if type(referrer) is not dict or id(referrer) in own or "__name__" not in referrer:
            continue
        if "__builtins__" not in referrer and "__file__" not in referrer:
            continue  # not the namespace of a module
        if finder.owner(str(referrer["__name__"])) or str(referrer["__name__"]).startswith(_PLUGINS):
            continue  # of a plugin: it is reloaded after this one
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


def rebind(holders: List[Holder], new: Generation) -> List[Holder]:
    """Points those names at the new version; returns those for which it has nothing of the kind."""
    left = []
    for namespace, name, module_name, key in holders:
        module = new.modules.get(module_name)
        value = module if key is None else getattr(module, key, None)
        if value is None:
            left.append((namespace, name, module_name, key))
        else:
            namespace[name] = value
    return left
