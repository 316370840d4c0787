"""One load of a plugin: its own package, its own imports, and what it registered.

Two generations of a plugin live side by side while one is staged, so neither can use the names that the host
uses. Each has a package of its own, filled from its snapshot, and a ``__builtins__`` of its own whose
``__import__`` leads ``plugins.<id>`` and everything below to that package. At the commit the host's names in
``sys.modules`` are pointed at the new generation (``kinds/modules.py``).
"""

from __future__ import annotations

import builtins
import functools
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import itertools
import logging
import sys
import threading
import time
from contextlib import contextmanager
from types import CodeType, ModuleType
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

from .snapshot import Snapshot, compile_file
from .wire import Problem

HANDLER = "handler"
ROUTES = "routes"
# What the names of all packages of ours begin with.
PACKAGES = "evonic_plugin_"
_numbers = itertools.count(1)


class Generation:
    """A load of a plugin. `number` 0 is what the host loaded itself.

    `entries` holds, by kind, what this load registered; `namespaces` the globals of its modules, by identity:
    whatever is called in one of them belongs to this generation. Not `complete`: the host failed to load it.
    `warnings` is what was worth a word about its load.
    """

    def __init__(self, plugin: str, number: int, snapshot: Snapshot) -> None:
        self.plugin = plugin
        self.number = number
        self.snapshot = snapshot
        self.codes: Dict[str, CodeType] = {}
        self.loaded_at = time.time()
        self.modules: Dict[str, ModuleType] = {}
        self.entries: Dict[str, List[Any]] = {}
        self.handlers: Dict[str, Callable[..., Any]] = {}
        self.blueprint: Any = None
        self.complete = True
        self.warnings: List[Problem] = []

    @property
    def handler(self) -> Optional[ModuleType]:
        """The module of ``handler.py``."""
        return self.modules.get(HANDLER)

    def names(self) -> List[str]:
        """The modules that have been imported so far, by their names below the plugin's package."""
        return [name for name in self.modules if name]

    def add(self, kind: str, entry: Any) -> None:
        """Notes that this load registered `entry`."""
        self.entries.setdefault(kind, []).append(entry)

    def of(self, kind: str) -> List[Any]:
        """What this load registered of a kind, in order."""
        return self.entries.get(kind, [])

    def owns(self, value: Any) -> bool:
        """Whether a callable's code, or an object's class, lives in one of this generation's modules."""
        namespaces = {id(vars(module)) for module in self.modules.values()}
        names = {module.__name__ for module in self.modules.values()}
        for _ in range(16):  # partials of methods of wrappers of …
            if id(getattr(value, "__globals__", None)) in namespaces:
                return True
            inner = getattr(value, "func", None) if isinstance(value, functools.partial) else None
            inner = inner or getattr(value, "__func__", None) or getattr(value, "__wrapped__", None)
            if inner is None:
                break
            value = inner
        kind = value if isinstance(value, type) else type(value)
        return kind.__module__ in names


class StagedGeneration(Generation):
    """A load from a snapshot, into a package of its own."""

    def __init__(self, snapshot: Snapshot, codes: Dict[str, CodeType], number: int) -> None:
        super().__init__(snapshot.plugin, number, snapshot)
        self.codes = codes
        self.package = f"{PACKAGES}{next(_numbers)}_{snapshot.plugin}"
        self.builtins = dict(vars(builtins), __import__=self._import)
        self._files = set(snapshot.modules)
        self._initialised = False
        self._init_lock = threading.RLock()
        self._closed = False
        self._reopened = 0
        self._reopening = threading.Lock()
        finder.add(self)
        root = self._load_package()
        self.modules[""] = root

    def import_all(self, again: List[str]) -> None:
        """What the host does: ``handler.py``; then ``create_blueprint``, from there or else from ``routes.py``.

        Then `again`, the modules that had been imported since, in the middle of some request: in this version they fail
        here, where the old one still serves, or not at all.
        """
        handler = self.load(HANDLER) if self.has(HANDLER) else None
        create = getattr(handler, "create_blueprint", None)
        if not callable(create) and self.has(ROUTES):
            create = getattr(self.load(ROUTES), "create_blueprint", None)
        if callable(create):
            self.blueprint = create()
        for name in again:
            if self.has(name):
                self.load(name)

    def load(self, name: str) -> ModuleType:
        """Imports a module of the plugin: ``handler``, ``sub.module``, or ``""`` for the package itself."""
        module = importlib.import_module(f"{self.package}.{name}" if name else self.package)
        if not name:
            self.initialise()
        return module

    def has(self, name: str) -> bool:
        """Whether the snapshot has a module of this name."""
        path = name.replace(".", "/")
        return f"{path}.py" in self._files or f"{path}/__init__.py" in self._files

    def initialise(self) -> None:
        """Runs the plugin's ``__init__.py``, once. The host does so only for ``import plugins.<id>``; so do we."""
        with self._init_lock:
            if self._initialised or "__init__.py" not in self._files:
                return
            self._initialised = True
            self._execute("__init__.py", self.modules[""])

    def close(self) -> None:
        """Lets go of the package: nobody can import from it any more, but its own code that still runs."""
        self._closed = True
        finder.remove(self)
        # `logging` keeps a logger for each name that was ever asked for, and nobody will ask for those again.
        registries: Tuple[Dict[str, Any], ...] = (sys.modules, logging.Logger.manager.loggerDict)
        for registry in registries:
            near = [name for name in list(registry) if name.startswith(self.package)]  # of thousands, a few
            for name in near:
                if split(name, self.package)[0]:
                    registry.pop(name, None)

    @contextmanager
    def _reopen(self) -> Iterator[None]:
        """Within, a closed package can be imported from."""
        with self._reopening:
            self._reopened += 1
            finder.add(self)
            sys.modules.update({f"{self.package}.{name}".rstrip("."): each for name, each in self.modules.items()})
        try:
            yield
        finally:
            with self._reopening:
                self._reopened -= 1
                if not self._reopened:
                    self.close()

    # ── Import system ──

    def find(self, name: str, fullname: str) -> Optional[importlib.machinery.ModuleSpec]:
        """The spec of a module below the package (importlib.abc.MetaPathFinder)."""
        path = name.replace(".", "/")
        for file, is_package in ((f"{path}/__init__.py", True), (f"{path}.py", False)):
            if file in self._files:
                return self._spec(fullname, file, is_package)
        if any(file.startswith(path + "/") for file in self._files):
            return self._spec(fullname, None, True, path)
        return None  # an extension module, say: the ordinary finders look into the folder

    def _spec(
        self, fullname: str, file: Optional[str], is_package: bool, folder: str = ""
    ) -> importlib.machinery.ModuleSpec:
        origin = self.snapshot.path(file) if file else None
        spec = importlib.machinery.ModuleSpec(fullname, _Loader(self, file), origin=origin, is_package=is_package)
        if origin:
            spec.has_location = True
        if is_package:
            spec.submodule_search_locations = [self.snapshot.path((file or folder + "/x").rpartition("/")[0])]
        return spec

    def _load_package(self) -> ModuleType:
        module = ModuleType(self.package)
        module.__path__ = [self.snapshot.folder]
        module.__package__ = self.package
        module.__file__ = self.snapshot.path("__init__.py")
        sys.modules[self.package] = module
        return module

    def execute(self, file: Optional[str], module: ModuleType) -> None:
        """Runs the code of `file` in `module`."""
        self.modules[module.__name__[len(self.package) + 1 :]] = module
        if file:
            self._execute(file, module)

    def _execute(self, file: str, module: ModuleType) -> None:
        vars(module)["__builtins__"] = self.builtins
        code = self.codes.get(file)
        if code is None:
            code = self.codes[file] = compile_file(self.snapshot, file)
        exec(code, vars(module))

    def _import(
        self,
        name: str,
        globals: Optional[Dict[str, Any]] = None,
        locals: Optional[Dict[str, Any]] = None,
        fromlist: Sequence[str] = (),
        level: int = 0,
    ) -> Any:
        """``__import__`` as this generation's modules see it."""
        if self._closed and (level or name.partition(".")[0] in ("plugins", self.package)):
            with self._reopen():
                return self._find_own(name, globals, locals, fromlist, level)
        return self._find_own(name, globals, locals, fromlist, level)

    def _find_own(
        self,
        name: str,
        globals: Optional[Dict[str, Any]],
        locals: Optional[Dict[str, Any]],
        fromlist: Sequence[str],
        level: int,
    ) -> Any:
        own = "plugins." + self.plugin
        if level == 0 and (name == own or name.startswith(own + ".")):
            self.initialise()
            target = self.package + name[len(own) :]
            if fromlist:
                return builtins.__import__(target, globals, locals, fromlist, 0)
            importlib.import_module(target)
            return _PluginsView(self)
        if level == 0 and name == "plugins" and (not fromlist or self.plugin in fromlist):
            others = [each for each in fromlist or () if each != self.plugin]
            builtins.__import__(name, globals, locals, others, 0)
            return _PluginsView(self)
        return builtins.__import__(name, globals, locals, fromlist, level)


class _PluginsView(ModuleType):
    """The namespace package ``plugins`` as one generation sees it."""

    def __init__(self, generation: StagedGeneration) -> None:
        super().__init__("plugins")
        vars(self)[generation.plugin] = generation.modules[""]
        generation.initialise()

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.modules["plugins"], name)


class _Loader(importlib.abc.InspectLoader):
    """Runs a module from a generation's snapshot."""

    def __init__(self, generation: StagedGeneration, file: Optional[str]) -> None:
        self._generation = generation
        self._file = file

    def exec_module(self, module: ModuleType) -> None:
        self._generation.execute(self._file, module)

    def get_source(self, fullname: str) -> Optional[str]:
        """The text that ran (PEP 302)."""
        return self._generation.snapshot.text(self._file) if self._file else None

    def is_package(self, fullname: str) -> bool:
        return self._file is None or self._file.endswith("__init__.py")


class _Alias(importlib.abc.Loader):
    """Makes ``plugins.<id>.x``, imported by somebody outside, the current generation's ``x``."""

    def __init__(self, generation: StagedGeneration, name: str) -> None:
        self._generation = generation
        self._name = name

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> Optional[ModuleType]:
        return None

    def exec_module(self, module: ModuleType) -> None:
        # The import system takes what is in sys.modules after exec_module for the result.
        sys.modules[module.__name__] = self._generation.load(self._name)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds modules of generations, by their own names and by the host's ``plugins.<id>``."""

    def __init__(self) -> None:
        self._packages: Dict[str, StagedGeneration] = {}
        self.current: Dict[str, StagedGeneration] = {}

    def add(self, generation: StagedGeneration) -> None:
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        self._packages[generation.package] = generation

    def remove(self, generation: StagedGeneration) -> None:
        self._packages.pop(generation.package, None)

    def owner(self, name: str) -> Optional[StagedGeneration]:
        """The generation that a module of this name belongs to."""
        return self._packages.get(name.partition(".")[0])

    def find_spec(
        self, fullname: str, path: Optional[Sequence[str]] = None, target: Optional[ModuleType] = None
    ) -> Optional[importlib.machinery.ModuleSpec]:
        head, _, rest = fullname.partition(".")
        generation = self._packages.get(head)
        if generation is not None:
            return generation.find(rest, fullname) if rest else None
        if head == "plugins" and rest:
            plugin, _, name = rest.partition(".")
            current = self.current.get(plugin)
            if current is not None and (not name or current.find(name, fullname)):
                return importlib.machinery.ModuleSpec(fullname, _Alias(current, name))
        return None


finder = _Finder()


class AdoptedGeneration(Generation):
    """Generation 0: the modules that the host itself loaded, by their full names, under either `prefixes`."""

    def __init__(self, plugin: str, snapshot: Snapshot, prefixes: Tuple[str, ...]) -> None:
        super().__init__(plugin, 0, snapshot)
        self.prefixes = prefixes

    def names(self) -> List[str]:
        below = [split(name, prefix) for name in self.modules for prefix in self.prefixes]
        return list(dict.fromkeys(rest for is_below, rest in below if is_below and rest))


def adopted(plugin: str, snapshot: Snapshot, host_package: str, manager_module: Optional[ModuleType]) -> Generation:
    """What the host itself has loaded for `plugin`."""
    generation = AdoptedGeneration(plugin, snapshot, ("plugins." + plugin, host_package))
    near = [name for name in list(sys.modules) if name.startswith(generation.prefixes)]
    for prefix in generation.prefixes:
        for name in near:
            module = sys.modules.get(name)
            if module is not None and split(name, prefix)[0]:
                generation.modules[name] = module
    if manager_module is not None:
        generation.modules[HANDLER] = manager_module
    return generation


def split(name: str, prefix: str) -> Tuple[bool, str]:
    """(whether `name` is `prefix` or below it, the rest of the name)."""
    if name == prefix:
        return True, ""
    return name.startswith(prefix + "."), name[len(prefix) + 1 :]
