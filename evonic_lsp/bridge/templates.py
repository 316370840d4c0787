"""Templates that Jinja has compiled from files which have changed since."""

from __future__ import annotations

import os
from typing import Any, Iterable, Set

from flask import Blueprint, Flask


class Templates:
    """The compiled templates of an application."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def evict(self, blueprints: Iterable[Blueprint]) -> None:
        """Forgets what came from the folders of `blueprints`, and what they would now provide instead of others."""
        cache = self._cache()
        if cache is None:
            return
        blueprints = list(blueprints)
        names = {name for blueprint in blueprints for name in _provided(blueprint)}
        folders = tuple(folder + os.sep for folder in map(_folder, blueprints) if folder)
        for key in list(cache.keys()):
            template = cache.get(key)
            file = getattr(template, "filename", None)
            if template is None or template.name in names or (file and os.path.realpath(file).startswith(folders)):
                _drop(cache, key)

    def evict_names(self, names: Iterable[str]) -> None:
        """Forgets the templates of these names."""
        cache, wanted = self._cache(), set(names)
        for key in list(cache.keys()) if cache is not None and wanted else ():
            template = cache.get(key)
            if template is None or template.name in wanted:
                _drop(cache, key)

    def clear(self) -> None:
        """Forgets all: a template holds results and calling conventions of the filters that it was compiled with."""
        cache = self._cache()
        if cache is not None:
            cache.clear()

    def _cache(self) -> Any:
        # Not `app.jinja_env`: that makes one.
        return getattr(vars(self._app).get("jinja_env"), "cache", None)


def _provided(blueprint: Blueprint) -> Set[str]:
    try:
        return set(blueprint.jinja_loader.list_templates()) if blueprint.jinja_loader is not None else set()
    except (TypeError, OSError):  # a loader of the plugin's own that cannot list
        return set()


def _folder(blueprint: Blueprint) -> str:
    folder = blueprint.template_folder
    return os.path.realpath(os.path.join(blueprint.root_path, folder)) if folder else ""


def _drop(cache: Any, key: Any) -> None:
    try:
        del cache[key]
    except KeyError:
        pass
