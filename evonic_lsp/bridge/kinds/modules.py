"""The names in ``sys.modules`` under which the rest of the process reaches a plugin."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Dict, Iterator, List, Optional, Tuple

from ..generation import HANDLER, ROUTES, Generation, StagedGeneration, finder, split
from .base import Kind, Undo


class Modules(Kind):
    """``plugins.<id>…``, the host's own package for it, and ``manager._modules``."""

    name = "modules"

    def commit(self, plugin: str, old: Optional[Generation], new: Optional[Generation]) -> Undo:
        staged = new if isinstance(new, StagedGeneration) else None
        aliases = list(self._aliases(plugin))
        before: Dict[str, ModuleType] = {name: sys.modules[name] for name, _ in aliases}
        current = finder.current.get(plugin)
        books = dict(self.host.manager._modules)
        package = sys.modules.get("plugins")
        attribute = vars(package).get(plugin) if package else None

        wanted = self._wanted(plugin, staged, aliases) if staged else {}
        for name in before:
            if name not in wanted:
                sys.modules.pop(name, None)
        sys.modules.update(wanted)
        self._point(plugin, staged, wanted.get("plugins." + plugin))
        self._book(plugin, new.handler if new else None)

        def undo() -> None:
            for name in wanted:
                sys.modules.pop(name, None)
            sys.modules.update(before)
            self._point(plugin, current, attribute)
            self.host.manager._modules.clear()
            self.host.manager._modules.update(books)

        return undo

    def _aliases(self, plugin: str) -> Iterator[Tuple[str, str]]:
        """(name, module within the plugin) of everything in sys.modules that is `plugin` to the host."""
        prefixes = ("plugins." + plugin, self.host.package(plugin))
        near = [name for name in list(sys.modules) if name.startswith(prefixes)]  # of thousands, a few
        for prefix in prefixes:
            for name in near:
                inside, rest = split(name, prefix)
                if inside:
                    yield name, rest

    def _wanted(self, plugin: str, staged: StagedGeneration, aliases: List[Tuple[str, str]]) -> Dict[str, ModuleType]:
        """What was reachable stays so, if the new generation has it; what the host would load is reachable by
        the host's names. The rest of ``plugins.<id>`` is found when somebody imports it."""
        wanted = {name: staged.modules[rest] for name, rest in aliases if rest in staged.modules}
        package = self.host.package(plugin)
        wanted[package] = staged.modules[""]
        for name in (HANDLER, ROUTES):
            if name in staged.modules:
                wanted[f"{package}.{name}"] = staged.modules[name]
        return wanted

    def _point(self, plugin: str, generation: Optional[StagedGeneration], module: Optional[ModuleType]) -> None:
        if generation is not None:
            finder.current[plugin] = generation
        else:
            finder.current.pop(plugin, None)
        package = sys.modules.get("plugins")
        if package is not None and module is not None:
            setattr(package, plugin, module)
        elif package is not None and plugin in vars(package):
            delattr(package, plugin)

    def _book(self, plugin: str, handler: Optional[ModuleType]) -> None:
        if handler is None:
            self.host.manager._modules.pop(plugin, None)
        else:
            self.host.manager._modules[plugin] = handler

    def retire(self, generation: Generation) -> None:
        if isinstance(generation, StagedGeneration):
            generation.close()

    discard = retire
