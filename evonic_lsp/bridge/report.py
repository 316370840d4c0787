"""Exceptions as problems: which file, which range, what else to look at.

A traceback's columns are zero-based **byte** offsets (``code.co_positions()``, PEP 657); those of a
``SyntaxError`` are one-based **character** offsets. Both become zero-based character columns here. Lines are
read from the snapshot that ran, not from the disk, which may have moved on.
"""

from __future__ import annotations

import builtins
import importlib
import itertools
import linecache
import os
import traceback
from types import TracebackType
from typing import Callable, Iterator, List, Optional, Tuple

from .wire import Place, Problem, Related

# Frames of ours and of the import system tell the author nothing.
_MACHINERY = (
    "<frozen importlib",
    os.path.dirname(os.path.abspath(__file__)) + os.sep,
    os.path.dirname(importlib.__file__) + os.sep,
)
_MOST_FRAMES = 50
_MOST_CAUSES = 10

# (relative path in the plugin) -> text that ran, or None
Sources = Callable[[str], Optional[str]]


class Reporter:
    """Turns exceptions raised by one plugin's code into problems.

    `folder` is the plugin's folder as the host names it, `plugins_dir` and `root` those of the host.
    """

    def __init__(self, plugin: str, plugins_dir: str, root: str, sources: Sources) -> None:
        self.plugin = plugin
        self.plugins_dir = plugins_dir
        self.root = root
        self.sources = sources

    def problem(self, error: BaseException) -> Problem:
        """`error` as a problem at the innermost frame inside the plugin."""
        places = [(name, place) for name, place in self._frames(error.__traceback__)]
        wrong = self._syntax_place(error)
        chosen = wrong if wrong is not None and wrong.plugin == self.plugin else self._innermost(places)
        related = [Related(f"in {name}", place) for name, place in reversed(places) if place != chosen]
        if wrong is not None and wrong != chosen:  # in another plugin, or in no file at all
            related.insert(0, Related(describe(error), wrong))
        for how, cause in [*_chain(error), *_members(error)]:
            found = self._syntax_place(cause) or self._innermost(list(self._frames(cause.__traceback__)))
            related.append(Related(f"{how} {describe(cause)}", found))
            if chosen is None and found is not None and found.plugin == self.plugin:
                chosen = found
        return Problem(
            code=type(error).__name__,
            message=describe(error),
            place=chosen,
            related=related[: _MOST_FRAMES + _MOST_CAUSES],
            traceback=_text(error),
        )

    def locate(self, filename: str) -> Tuple[Optional[str], str]:
        """(plugin, relative path) of a file; the plugin is None outside of the plugins folder."""
        path = os.path.abspath(filename)
        own = os.path.realpath(os.path.join(self.plugins_dir, self.plugin))
        for folder, plugin in ((os.path.join(self.plugins_dir, self.plugin), self.plugin), (own, self.plugin)):
            if path.startswith(folder + os.sep):
                return plugin, _posix(os.path.relpath(path, folder))
        if path.startswith(self.plugins_dir + os.sep):
            head, _, rest = _posix(os.path.relpath(path, self.plugins_dir)).partition("/")
            if rest:
                return head, rest
        if path.startswith(self.root + os.sep):
            return None, _posix(os.path.relpath(path, self.root))
        return None, os.path.basename(path)

    def place(
        self, filename: str, start: int, column: Optional[int], end: Optional[int], end_column: Optional[int]
    ) -> Place:
        """A place from one-based lines and zero-based **byte** columns; without columns, the line's text."""
        plugin, file = self.locate(filename)
        first = self._line(filename, plugin, file, start)
        last = first if end in (None, start) else self._line(filename, plugin, file, end or start)
        if column is None or end_column is None or end is None:
            return whole_line(file, start - 1, first, plugin)
        return Place(
            file, start - 1, characters(first, column), end - 1, characters(last, end_column), plugin, first, last
        )

    def _frames(self, tb: Optional[TracebackType]) -> Iterator[Tuple[str, Place]]:
        """(function, place) of every frame outside of ours and of the import system, outermost first."""
        frames = []
        while tb is not None:
            code = tb.tb_frame.f_code
            if not code.co_filename.startswith(_MACHINERY):
                frames.append((code, tb.tb_lasti, tb.tb_lineno))
            tb = tb.tb_next
        for code, lasti, lineno in frames[-_MOST_FRAMES:]:
            start: Optional[int] = lineno
            end: Optional[int] = None
            column: Optional[int] = None
            end_column: Optional[int] = None
            if hasattr(code, "co_positions"):
                start, end, column, end_column = next(
                    itertools.islice(code.co_positions(), lasti // 2, None), (lineno, None, None, None)
                )
            place = self.place(code.co_filename, start or lineno or 1, column, end, end_column)
            yield getattr(code, "co_qualname", code.co_name), place

    def _innermost(self, places: List[Tuple[str, Place]]) -> Optional[Place]:
        mine = [place for _, place in places if place.plugin == self.plugin]
        return mine[-1] if mine else None

    def _line(self, filename: str, plugin: Optional[str], file: str, number: int) -> str:
        text = self.sources(file) if plugin == self.plugin else None
        if text is None:
            return linecache.getline(filename, number).rstrip("\r\n")
        lines = split_lines(text)
        return lines[number - 1] if 0 < number <= len(lines) else ""

    def _syntax_place(self, error: BaseException) -> Optional[Place]:
        if not isinstance(error, SyntaxError) or not error.filename or not error.lineno:
            return None
        plugin, file = self.locate(error.filename)
        start, end = error.lineno, getattr(error, "end_lineno", None) or error.lineno
        first = self._line(error.filename, plugin, file, start)
        last = self._line(error.filename, plugin, file, end)
        column = max((error.offset or 1) - 1, 0)
        end_column = (getattr(error, "end_offset", None) or 0) - 1
        if end == start and end_column <= column:
            end_column = max(column + 1, len(first) if column >= len(first) else column + 1)
        return Place(file, start - 1, min(column, len(first)), end - 1, max(end_column, 0), plugin, first, last)


def describe(error: BaseException) -> str:
    """``NameError: name 'x' is not defined``, with the notes (PEP 678) on lines of their own."""
    try:
        text = error.msg if isinstance(error, SyntaxError) else str(error)
    except Exception as broken:  # the plugin's own __str__
        text = f"<its __str__ raised {type(broken).__name__}>"
    head = f"{type(error).__name__}: {text}" if text else type(error).__name__
    notes = [str(note) for note in getattr(error, "__notes__", None) or []]
    return "\n".join([head, *notes])[:4000]


def split_lines(text: str) -> List[str]:
    """Lines as Python and LSP count them: ``\\n``, ``\\r\\n`` and ``\\r`` only."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def characters(line: str, offset: int) -> int:
    """A UTF-8 byte offset into `line` as a character column."""
    return len(line.encode("utf-8", "surrogatepass")[:offset].decode("utf-8", "ignore"))


def whole_line(file: str, line: int, text: str, plugin: Optional[str]) -> Place:
    """The text of a zero-based line, without its indentation."""
    indent = len(text) - len(text.lstrip())
    return Place(file, line, indent, line, max(len(text.rstrip()), indent), plugin, text, text)


def _chain(error: BaseException) -> Iterator[Tuple[str, BaseException]]:
    """The causes and contexts of `error`, nearest first, as Python's own traceback shows them (PEP 3134)."""
    seen = {id(error)}
    for _ in range(_MOST_CAUSES):
        if error.__cause__ is not None:
            how, following = "caused by", error.__cause__
        elif error.__context__ is not None and not error.__suppress_context__:
            how, following = "while handling", error.__context__
        else:
            return
        if id(following) in seen:
            return
        seen.add(id(following))
        yield how, following
        error = following


def _members(error: BaseException) -> Iterator[Tuple[str, BaseException]]:
    """What is in an exception group (PEP 654), groups in it opened, with its causes."""
    left = [error]
    for _ in range(_MOST_CAUSES):
        group = left.pop(0)
        for member in getattr(group, "exceptions", None) or () if _is_group(group) else ():
            if _is_group(member):
                left.append(member)
                continue
            yield "in the group:", member
            for how, cause in _chain(member):
                yield f"in the group: {describe(member).splitlines()[0]} {how}", cause
        if not left:
            return


def _is_group(error: BaseException) -> bool:
    kind = getattr(builtins, "BaseExceptionGroup", None)  # new in Python 3.11
    return kind is not None and isinstance(error, kind)


def _text(error: BaseException) -> str:
    """The traceback from the first frame that is not ours on."""
    tb = error.__traceback__
    while tb is not None and tb.tb_frame.f_code.co_filename.startswith(_MACHINERY):
        tb = tb.tb_next
    try:
        return "".join(traceback.format_exception(type(error), error, tb))[-20000:]
    except Exception as broken:  # an exception whose own methods raise
        return f"{type(error).__name__} (its traceback cannot be shown: {type(broken).__name__})"


def _posix(path: str) -> str:
    return path.replace(os.sep, "/")
