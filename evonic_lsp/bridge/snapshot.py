"""A plugin's bytes at one moment, and what is wrong with them before anything runs.

Every file is read once. What is checked is what is compiled, and what is compiled is what runs: an
ordinary import may run a stale ``.pyc``, or a file that changed between two reads.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import io
import math
import os
import re
import time
import tokenize
from dataclasses import dataclass, field
from types import CodeType
from typing import Any, BinaryIO, Callable, Dict, FrozenSet, Iterator, List, Optional, Sequence, Set, Tuple, Union

from . import manifest
from .report import Reporter, split_lines, whole_line
from .wire import Place, Problem

SUFFIXES = (".py", ".json", ".yaml", ".yml", ".md", ".html", ".htm", ".jinja", ".jinja2", ".j2")
TEMPLATES = "templates/"
# Served from the disk as it is.
_STATIC = "static/"
_IMPORTS = re.compile(
    rb"^[ \t]*(?:from|import)[ \t]+plugins\.([A-Za-z0-9_-]+)|import_module\([ \t]*['\"]plugins\.([A-Za-z0-9_-]+)",
    re.MULTILINE,
)
_NAMES = re.compile(rb"^[ \t]*from[ \t]+plugins[ \t]+import[ \t]+\(?([A-Za-z0-9_, \t]+)", re.MULTILINE)
# Plugins keep caches and results in their own folder: data this big is watched by its digest alone.
_BIG = 1024 * 1024
# A plugin holds less than this; a link to a folder of the system, or an environment that lies in it, holds more.
_MOST_ENTRIES = 50_000
_MOST_BYTES = 64 * _BIG
# Seconds between looks at a file that has just been emptied.
_WRITING = (0.002, 0.008, 0.03, 0.06, 0.2)


@dataclass(frozen=True)
class Snapshot:
    """What is in a plugin's folder: `files` by relative path, `digests` of all of them, those `unreadable`."""

    plugin: str
    folder: str
    files: Dict[str, bytes] = field(repr=False)
    digests: Dict[str, bytes] = field(repr=False)
    unreadable: Dict[str, OSError] = field(default_factory=dict, repr=False)
    # Why not all of it was read.
    excess: str = ""

    def same_as(self, other: Optional[Snapshot]) -> bool:
        """Whether both hold the same bytes under the same names."""
        return other is not None and self.digests == other.digests and not (self.unreadable or self.excess)

    def path(self, file: str) -> str:
        """Where `file` is on the disk, as the host would name it."""
        return os.path.join(self.folder, *file.split("/"))

    def text(self, file: str) -> Optional[str]:
        """A file's text, decoded as Python does (PEP 263); None if there is no such file."""
        data = self.files.get(file)
        if data is None:
            return None
        try:
            encoding = tokenize.detect_encoding(io.BytesIO(data).readline)[0] if file.endswith(".py") else "utf-8"
            return data.decode(encoding, "replace")
        except (SyntaxError, LookupError):  # an encoding that there is not, or one that is none of text
            return data.decode("utf-8", "replace")

    def manifest(self) -> Dict[str, Any]:
        """``plugin.json``, parsed; empty if there is none or it is invalid."""
        return manifest.parse(self.files.get(manifest.NAME, b"{}"))

    @property
    def modules(self) -> List[str]:
        """The relative paths of the Python files."""
        return sorted(file for file in self.files if file.endswith(".py"))

    @functools.cached_property
    def imports(self) -> FrozenSet[str]:
        """The other plugins whose modules this one imports, wherever in its code."""
        found: Set[str] = set()
        for file in self.modules:
            # Few lines say it, and the expressions are slow on those that do not.
            said = b"\n".join(line for line in self.files[file].split(b"\n") if b"plugins" in line)
            found.update(name.decode("ascii") for match in _IMPORTS.findall(said) for name in match if name)
            for names in _NAMES.findall(said):
                found.update(name.split()[0].decode("ascii", "ignore") for name in names.split(b",") if name.split())
        return frozenset(found - {self.plugin})

    @property
    def templates(self) -> List[str]:
        """The names of the templates, as ``render_template`` takes them."""
        return sorted(file[len(TEMPLATES) :] for file in self.digests if file.startswith(TEMPLATES))


# A snapshot, and the code of its files by relative path.
Compiled = Tuple[Snapshot, Dict[str, CodeType]]


def counts(file: str) -> bool:
    """Whether a change of this relative path is a change of the plugin."""
    parts = file.split("/")
    if any(part.startswith(".") or part == "__pycache__" for part in parts):
        return False
    return file.startswith(TEMPLATES) or (file.endswith(SUFFIXES) and not file.startswith(_STATIC))


def changed(before: Optional[Snapshot], after: Optional[Snapshot]) -> List[str]:
    """The files that differ, are new or are gone."""
    one, other = before.digests if before else {}, after.digests if after else {}
    return sorted(file for file in {**one, **other} if one.get(file) != other.get(file))


def read(plugin: str, folder: str, until: float = math.inf) -> Snapshot:
    """The plugin's files as they are now. A file that goes away meanwhile is not there; links are followed
    once; one that somebody is writing at this moment is waited for.

    What was written after `until` (seconds since the epoch) is the same as no other: whoever loaded the plugin around
    then may have read what was there before.
    """
    files: Dict[str, bytes] = {}
    digests: Dict[str, bytes] = {}
    unreadable: Dict[str, OSError] = {}
    excess, size = "", 0
    try:
        for file, path in _walk(folder, unreadable):
            try:
                digest, data, written = _contents(path, file.endswith(".py"))
            except FileNotFoundError:
                continue
            except OSError as error:
                unreadable[file] = error
                continue
            digests[file] = digest if written <= until else b""
            size += len(data or b"")
            if size > _MOST_BYTES or (data is None and file.endswith(".py")):
                raise _Excess(f"its files have more than {_MOST_BYTES // _BIG} MB together, the last is {file}")
            if data is not None:
                files[file] = data
    except _Excess as error:
        excess = str(error)
    return Snapshot(plugin, folder, files, digests, unreadable, excess)


class _Excess(Exception):
    """This is no plugin."""


def _contents(path: str, always: bool) -> Tuple[bytes, Optional[bytes], float]:
    """The digest of a file, what is in it (of a big one only if it is kept `always`), and when it was written.

    Most programs empty a file before they write it, and an empty module is a valid one: a reload in between, asked for
    by the save of another file, would make a plugin serve that has nothing in it.
    """
    pauses = list(_WRITING)
    while True:
        with open(path, "rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            if size >= (_MOST_BYTES if always else _BIG):
                return _digest(stream), None, os.fstat(stream.fileno()).st_mtime
            data = stream.read()
            written = os.fstat(stream.fileno()).st_mtime
        if data or not pauses or abs(time.time() - written) > sum(_WRITING):
            return hashlib.blake2b(data, digest_size=16).digest(), data, written
        time.sleep(pauses.pop(0))


def _digest(stream: BinaryIO) -> bytes:
    digest = hashlib.blake2b(digest_size=16)
    for data in iter(lambda: stream.read(_BIG), b""):
        digest.update(data)
    return digest.digest()


def _walk(folder: str, unreadable: Dict[str, OSError]) -> Iterator[Tuple[str, str]]:
    """(relative path, path) of every file that counts. Raises :class:`_Excess`."""
    seen: Set[Tuple[int, int]] = set()
    waiting = [("", folder)]
    left = _MOST_ENTRIES
    while waiting:
        below, here = waiting.pop()
        try:
            real = os.stat(here)
            with os.scandir(here) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
        except OSError as error:
            # A module that is missing fails when it is imported; a template that is missing only when it is needed.
            if below.startswith(TEMPLATES) and not isinstance(error, FileNotFoundError):
                unreadable[below[:-1]] = error
            continue
        if (real.st_dev, real.st_ino) in seen:  # a circle of links
            continue
        seen.add((real.st_dev, real.st_ino))
        left -= len(entries)
        if left < 0:
            raise _Excess(f"it holds more than {_MOST_ENTRIES} files, the last in {below or folder}")
        folders = []
        for entry in entries:
            if _is(entry.is_dir, otherwise=False):
                if not entry.name.startswith(".") and entry.name != "__pycache__":
                    folders.append((f"{below}{entry.name}/", entry.path))
            elif counts(below + entry.name) and _is(entry.is_file, otherwise=True):
                yield below + entry.name, entry.path
        waiting += reversed(folders)


def _is(kind: Callable[[], bool], otherwise: bool) -> bool:
    try:
        return kind()
    except OSError:  # a link to itself, or into a folder without rights: read as a file, it will tell
        return otherwise


# ── The check ──


@dataclass
class Checked:
    """What compiled, and everything that did not. `codes` by relative path."""

    codes: Dict[str, CodeType]
    problems: List[Problem]

    @property
    def failed(self) -> bool:
        """Whether anything is an error."""
        return any(problem.severity == "error" for problem in self.problems)


def check(snapshot: Snapshot, reporter: Reporter, known: Sequence[Compiled] = ()) -> Checked:
    """Compiles every Python file and reads the manifest; executes nothing and touches nothing.

    `known` are former snapshots: files that are as they were in one of them are not compiled again.
    """
    if snapshot.excess:
        reason = f"this is too much for a plugin: {snapshot.excess}; move what is not its own code into a hidden folder"
        return Checked({}, [Problem("excess", reason)])
    checked = Checked({}, manifest.check(snapshot.plugin, snapshot.files.get(manifest.NAME)))
    for file, error in snapshot.unreadable.items():
        place = whole_line(file, 0, "", snapshot.plugin)
        reason = f"{type(error).__name__}: {error.strerror}: the file cannot be read; check its permissions"
        checked.problems.append(Problem(type(error).__name__, reason, place=place))
    for file in snapshot.modules:
        try:
            checked.codes[file] = _known(snapshot, file, known) or compile_file(snapshot, file)
        except (SyntaxError, ValueError, LookupError, RecursionError, MemoryError, OverflowError) as error:
            checked.problems.append(_compile_problem(snapshot, file, error, reporter))
    return checked


def _known(snapshot: Snapshot, file: str, known: Sequence[Compiled]) -> Optional[CodeType]:
    for before, codes in known:
        if file in codes and before.digests.get(file) == snapshot.digests[file]:
            return codes[file]
    return None


def compile_file(snapshot: Snapshot, file: str) -> CodeType:
    """The code of one file. Raises what the compiler raises."""
    data = snapshot.files[file]
    try:
        # From text: compiling bytes, Python before 3.13 gives the offsets of a SyntaxError in bytes.
        source: Union[str, bytes] = importlib.util.decode_source(data)
    except (SyntaxError, UnicodeDecodeError, LookupError):
        source = data  # whose encoding is wrong: let the compiler say so in its own words
    # dont_inherit: or this module's own __future__ imports would apply to the plugin.
    return compile(source, snapshot.path(file), "exec", dont_inherit=True)


def _compile_problem(snapshot: Snapshot, file: str, error: BaseException, reporter: Reporter) -> Problem:
    problem = reporter.problem(error)
    place = _undecodable(snapshot, file) or problem.place or whole_line(file, 0, "", snapshot.plugin)
    return Problem(problem.code, problem.message, place=place, traceback=problem.traceback)


def _undecodable(snapshot: Snapshot, file: str) -> Optional[Place]:
    """The first NUL byte, or the first byte that the file's encoding cannot read: the compiler names no column."""
    data = snapshot.files[file]
    offset = data.find(b"\0")
    if offset < 0:
        try:
            data.decode(tokenize.detect_encoding(io.BytesIO(data).readline)[0])
            return None
        except UnicodeDecodeError as error:
            offset = error.start
        except (SyntaxError, LookupError):  # an unknown encoding, or a first line that is not UTF-8
            try:
                data.decode("utf-8")
                return whole_line(file, 0, split_lines(snapshot.text(file) or "")[0], snapshot.plugin)
            except UnicodeDecodeError as error:
                offset = error.start
    before = data[:offset].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    line = before.count(b"\n")
    lines = split_lines(data.decode("utf-8", "replace"))
    text = lines[line] if line < len(lines) else ""
    start = before.rfind(b"\n") + 1
    column = len(before[start:].decode("utf-8", "replace"))
    return Place(file, line, column, line, column + 1, snapshot.plugin, text, text)


def forget_bytecode(snapshot: Snapshot) -> None:
    """Removes the ``.pyc`` files of the plugin: with an equal size and second, the next start of the host would
    run old code from them."""
    modules = {os.path.splitext(snapshot.path(file))[0] for file in snapshot.modules}
    for folder in {os.path.dirname(module) for module in modules}:
        try:
            cache = os.path.dirname(importlib.util.cache_from_source(os.path.join(folder, "x.py")))
            names = os.listdir(cache)
        except (OSError, NotImplementedError):
            continue  # none there
        for name in names:
            if os.path.join(folder, name.partition(".")[0]) in modules:
                try:
                    os.unlink(os.path.join(cache, name))
                except OSError:
                    continue  # not ours to remove
