"""A plugin's ``templates/``: rendered from what was committed, never from a file that is being edited.

The host collects the template folders of all plugins once, when it starts. Its loader for them is replaced by one
that keeps their order, serves a plugin's templates from the snapshot that was committed last, and knows plugins that
came later.
"""

from __future__ import annotations

import os
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from jinja2 import BaseLoader, ChoiceLoader, FileSystemLoader, TemplateNotFound, TemplateSyntaxError

from .. import snapshot as snapshots
from ..generation import Generation
from ..host import Host
from ..report import split_lines, whole_line
from ..snapshot import Snapshot
from ..templates import Templates
from ..wire import Problem
from .base import Kind, Undo


class TemplateFiles(Kind):
    """Templates by name, from the snapshots of the plugins that serve."""

    name = "templates"

    def __init__(self, host: Host, app: Any) -> None:
        super().__init__(host)
        self._app = app
        self._loader = _installed(app, host.plugins_dir)

    def adopt(self, generation: Generation) -> None:
        self._loader.serving[generation.plugin] = generation.snapshot

    def check(self, before: Optional[Snapshot], snapshot: Snapshot) -> Iterator[Problem]:
        for name in snapshot.templates:
            file = snapshots.TEMPLATES + name
            data = snapshot.files.get(file)
            if data is None or b"\0" in data or (before and before.digests.get(file) == snapshot.digests[file]):
                continue
            try:
                self._app.jinja_env.parse(data.decode("utf-8"), name, file)
            except UnicodeDecodeError as error:
                line = data.count(b"\n", 0, error.start)
                yield self._problem(snapshot, file, line, "UnicodeDecodeError", str(error))
            except TemplateSyntaxError as error:
                yield self._problem(snapshot, file, error.lineno - 1, type(error).__name__, error.message or "")
            except RecursionError as error:
                yield self._problem(snapshot, file, 0, "RecursionError", str(error))

    def commit(self, plugin: str, old: Optional[Generation], new: Optional[Generation]) -> Undo:
        return self.replace(plugin, new.snapshot if new else None)

    def replace(self, plugin: str, snapshot: Optional[Snapshot]) -> Undo:
        """Serves the templates of `snapshot` from now on."""
        before = self._loader.serving.get(plugin)
        names = snapshots.changed(before, snapshot)
        changed = [name[len(snapshots.TEMPLATES) :] for name in names if name.startswith(snapshots.TEMPLATES)]

        def put(serve: Optional[Snapshot]) -> None:
            if serve is None:
                self._loader.serving.pop(plugin, None)
            else:
                self._loader.serving[plugin] = serve
            Templates(self._app).evict_names(changed)

        put(snapshot)
        return lambda: put(before)

    def _problem(self, snapshot: Snapshot, file: str, line: int, code: str, message: str) -> Problem:
        lines = split_lines(snapshot.text(file) or "")
        text = lines[line] if 0 <= line < len(lines) else ""
        return Problem(code, f"{code}: {message}", place=whole_line(file, line, text, snapshot.plugin))


def _installed(app: Any, plugins_dir: str) -> PluginTemplates:
    """Our loader in the place of the host's own, or behind the application's where the host has none."""
    found = app.jinja_loader
    if isinstance(found, PluginTemplates):
        return found
    loaders = list(found.loaders) if isinstance(found, ChoiceLoader) else [found] if found is not None else []
    for index, loader in enumerate(loaders):
        if isinstance(loader, PluginTemplates):
            return loader
        if isinstance(loader, FileSystemLoader) and _all_below(loader.searchpath, plugins_dir):
            ours = PluginTemplates(plugins_dir, loader)
            loaders[index] = ours
            break
    else:
        ours = PluginTemplates(plugins_dir, FileSystemLoader([]))
        loaders.append(ours)
    app.jinja_loader = ChoiceLoader(loaders)
    return ours


def _all_below(folders: List[str], plugins_dir: str) -> bool:
    return all(os.path.dirname(os.path.dirname(str(folder))) == plugins_dir for folder in folders)


class PluginTemplates(BaseLoader):
    """What the host's `loader` for the template folders of plugins does, but for `serving` plugins."""

    def __init__(self, plugins_dir: str, loader: FileSystemLoader) -> None:
        self.serving: Dict[str, Snapshot] = {}
        self._plugins_dir = plugins_dir
        self._folders = [str(folder) for folder in loader.searchpath]

    def get_source(self, environment: Any, template: str) -> Tuple[str, Optional[str], Optional[Callable[[], bool]]]:
        for folder in self._order():
            snapshot = self.serving.get(os.path.basename(os.path.dirname(folder)))
            text = snapshot.text(snapshots.TEMPLATES + template) if snapshot is not None else None
            if text is not None:
                return text, os.path.join(folder, *template.split("/")), lambda: True
            if snapshot is None or snapshots.TEMPLATES + template in snapshot.digests:  # one too big to be kept
                try:
                    return FileSystemLoader(folder).get_source(environment, template)
                except TemplateNotFound:
                    continue
        raise TemplateNotFound(template)

    def list_templates(self) -> List[str]:
        found = set(FileSystemLoader(self._order()).list_templates())
        return sorted(found.union(*(snapshot.templates for snapshot in list(self.serving.values()))))

    def _order(self) -> List[str]:
        """The host's folders in the host's order, then those of plugins that came later."""
        later = [os.path.join(self._plugins_dir, plugin, "templates") for plugin in list(self.serving)]
        return list(dict.fromkeys([*self._folders, *later]))
