"""Which functions ``handler.py`` has, without running it.

Follows imports from the plugin's own files. In doubt a name may be there, and a function may take anything: an
alarm must be true.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Set, Tuple, Union

from ..bridge.report import characters, split_lines

HANDLER = "handler.py"
Def = Union[ast.FunctionDef, ast.AsyncFunctionDef]
# Whoever does such things may define any name.
_MAGIC = re.compile(r"\b(?:globals|locals|vars|setattr|exec|eval)\s*\(|__dict__|sys\.modules")


@dataclass(frozen=True)
class Function:
    """A name of a module: where it is defined (a file below the plugin's folder; zero-based line, columns in code
    points), and the definition if it is one that can be judged by its looks."""

    file: str
    name: str
    line: int
    start: int
    end: int
    node: Optional[Def] = field(default=None, compare=False)


@dataclass
class Scope:
    """The names of a module. `open`: there may be more. `used`: names that its code mentions. `text` of the file."""

    file: str
    text: str = ""
    names: Dict[str, Function] = field(default_factory=dict)
    open: bool = False
    used: Set[str] = field(default_factory=set)

    def has(self, name: str) -> bool:
        """Whether the module has `name`, or may have it."""
        return self.open or name in self.names


def read(folder: Path, plugin: str) -> Optional[Scope]:
    """The names of ``handler.py``; None if there is none, or none that can be read."""
    return _Reader(folder, plugin).module(HANDLER)


class _Reader:
    def __init__(self, folder: Path, plugin: str) -> None:
        self.folder = folder
        self.plugin = plugin
        self.scopes: Dict[str, Optional[Scope]] = {}

    def module(self, file: str) -> Optional[Scope]:
        if file in self.scopes:
            return self.scopes[file]
        # In a circle of imports nothing is certain.
        self.scopes[file] = Scope(file, open=True)
        self.scopes[file] = self._read(file)
        return self.scopes[file]

    def _read(self, file: str) -> Optional[Scope]:
        try:
            data = (self.folder / file).read_bytes()
            text = data.decode(tokenize.detect_encoding(io.BytesIO(data).readline)[0])
            tree = ast.parse(text)
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            return None
        scope = Scope(file, text, open=bool(_MAGIC.search(text)))
        lines = split_lines(text)
        for statement in tree.body:
            self._statement(scope, lines, statement)
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                scope.used.add(node.id)
            elif isinstance(node, ast.Global):
                for name in node.names:
                    scope.names.setdefault(name, Function(file, name, node.lineno - 1, 0, 0))
        scope.open = scope.open or "__getattr__" in scope.names
        return scope

    def _statement(self, scope: Scope, lines: List[str], node: ast.AST) -> None:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            self._define(scope, lines, node)
        elif isinstance(node, ast.ImportFrom):
            self._import(scope, lines, node)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                scope.names[name] = Function(scope.file, name, node.lineno - 1, 0, 0)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)):
            start = characters(lines[node.lineno - 1], node.col_offset)
            scope.names[node.id] = Function(scope.file, node.id, node.lineno - 1, start, start + len(node.id))
        elif not isinstance(node, ast.Lambda):
            for child in ast.iter_child_nodes(node):
                self._statement(scope, lines, child)

    def _define(self, scope: Scope, lines: List[str], node: Union[Def, ast.ClassDef]) -> None:
        line = node.lineno - 1
        found = re.compile(r"\b(?:def|class)\s+(\w+)").search(lines[line], characters(lines[line], node.col_offset))
        start, end = found.span(1) if found else (0, len(lines[line]))
        plain = not isinstance(node, ast.ClassDef) and not node.decorator_list and node.name not in scope.names
        judged = node if plain and not isinstance(node, ast.ClassDef) else None
        scope.names[node.name] = Function(scope.file, node.name, line, start, end, judged)

    def _import(self, scope: Scope, lines: List[str], node: ast.ImportFrom) -> None:
        target = next((each for each in map(self.module, self._files(scope.file, node)) if each), None)
        for alias in node.names:
            if alias.name == "*":
                self._import_all(scope, target)
                continue
            name = alias.asname or alias.name
            unknown = Function(scope.file, name, node.lineno - 1, 0, len(lines[node.lineno - 1]))
            scope.names[name] = (target.names.get(alias.name) if target else None) or unknown

    def _import_all(self, scope: Scope, target: Optional[Scope]) -> None:
        if target is None or "__all__" in target.names:
            scope.open = True
        if target is not None:
            scope.open = scope.open or target.open
            scope.names.update({name: each for name, each in target.names.items() if not name.startswith("_")})

    def _files(self, file: str, node: ast.ImportFrom) -> Iterator[str]:
        """The files of this plugin that ``from … import`` may mean."""
        parts: Tuple[str, ...] = tuple((node.module or "").split(".")) if node.module else ()
        if node.level:
            here = file.split("/")[:-1]
            if node.level - 1 > len(here):
                return
            parts = (*here[: len(here) - node.level + 1], *parts)
        elif parts[:2] == ("plugins", self.plugin):
            parts = parts[2:]
        else:
            return
        if parts:
            yield "/".join(parts) + ".py"
        yield "/".join([*parts, "__init__.py"])


# ── Signatures ──


def refuses(node: Def, count: int) -> Optional[str]:
    """Why the function cannot be called with `count` positional arguments; None if it can."""
    given = node.args
    positional = len(given.posonlyargs) + len(given.args)
    required = positional - len(given.defaults)
    if count < required or (count > positional and not given.vararg):
        takes = f"{required} to {positional}" if given.defaults else str(positional)
        return f"it takes {takes} argument{'' if takes == '1' else 's'}, Evonic gives it {count}"
    needed = [each.arg for each, default in zip(given.kwonlyargs, given.kw_defaults) if default is None]
    return f"it needs {needed[0]} by keyword, which Evonic does not give" if needed else None


def refuses_keywords(node: Def, always: Set[str], perhaps: Set[str]) -> Optional[str]:
    """Why the function cannot be called with these keyword arguments; None if it can."""
    given = node.args
    plain = [*given.posonlyargs, *given.args]
    optional = {each.arg for each in plain[len(plain) - len(given.defaults) :]}
    optional |= {each.arg for each, default in zip(given.kwonlyargs, given.kw_defaults) if default is not None}
    named = {each.arg for each in (*given.args, *given.kwonlyargs)}
    if given.kwarg is None:
        for name in sorted((always | perhaps) - named):
            return f"it has no parameter {name}, which is declared as an argument"
    for each in (*plain, *given.kwonlyargs):
        if each.arg in optional or each.arg in always:
            continue
        if each.arg in perhaps and each.arg in named:
            return (
                f"it needs {each.arg}, which is not given where it is left out on the command line: give it a default"
            )
        return f"it needs {each.arg}, which is not among the declared arguments"
    return None
