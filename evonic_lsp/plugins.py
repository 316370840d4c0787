"""Which plugin, of which Evonic, a file belongs to.

An editor names files as it found them; a plugin may be linked into ``plugins/`` from a repository elsewhere, and
``plugins/`` itself may be a link. So what counts is where a path really leads.
"""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Iterator, List, Optional, Set, Tuple
from urllib.parse import unquote, urlsplit

from .bridge import rendezvous, wire
from .bridge.snapshot import counts
from .roots import NotEvonic, check_root

MANIFEST = "plugin.json"


@dataclass(frozen=True)
class Root:
    """An Evonic: its folder, its plugins folder, both without links; and whether it is known to be running."""

    folder: Path
    plugins_dir: Path
    live: bool = False


@dataclass(frozen=True)
class Found:
    """A file of a plugin. `root` is None where only the plugin itself is known; `folder` is the plugin's folder as
    the editor names it, and `file` the path below it, with ``/``."""

    root: Optional[Path]
    plugin: str
    folder: Path
    file: str

    @property
    def counts(self) -> bool:
        """Whether a change of this file is a change of the plugin."""
        return counts(self.file)


def path_of(uri: object) -> Optional[Path]:
    """The absolute path that a ``file:`` URI (RFC 8089) names on this machine; None for everything else."""
    if not isinstance(uri, str):
        return None
    try:
        parts = urlsplit(uri)
        text = unquote(parts.path, errors="surrogateescape")
    except ValueError:
        return None
    if parts.scheme.lower() != "file" or parts.netloc not in ("", "localhost") or "\0" in text:
        return None
    if os.name == "nt":
        text = text.lstrip("/")
    if ".." in text.split("/"):  # or what is above such a path would not be where it leads
        text = os.path.realpath(text)
    return Path(text) if os.path.isabs(text) else None


def uri_of(path: Path) -> str:
    """The ``file:`` URI of an absolute path."""
    return path.as_uri()


def evonic_at(folder: Path) -> Optional[Root]:
    """The Evonic whose root is `folder`, or None."""
    try:
        root = check_root(folder)
    except (NotEvonic, OSError):
        return None
    return Root(root, Path(os.path.realpath(root / "plugins")))


def evonics_around(folder: Path) -> List[Root]:
    """The Evonic roots that opening `folder` in an editor speaks of: one above it, itself, or right below it."""
    for each in (folder, *folder.parents):
        root = evonic_at(each)
        if root is not None:
            return [root]
    try:
        # Not the entry's own is_dir: that raises where a link leads to itself.
        below = sorted(entry.path for entry in os.scandir(folder) if os.path.isdir(entry.path))
    except OSError:
        return []
    return [root for root in map(evonic_at, map(Path, below)) if root is not None]


def running() -> List[Root]:
    """The Evonics of this user that run now, the newest first."""
    return [
        Root(Path(os.path.realpath(host.root)), Path(os.path.realpath(host.plugins_dir)), live=True)
        for host in rendezvous.hosts()
    ]


def find(path: Path, known: Iterable[Root] = ()) -> Optional[Found]:
    """The plugin that `path` belongs to, existing or not; None if it belongs to none.

    `known` are Evonics to look in besides those that run and the one that `path` itself shows. One that runs is
    preferred: where two share their plugins, it is the one to reload in.
    """
    real = Path(os.path.realpath(path))
    above = set(map(str, real.parents))
    # Following links costs a look at every folder on the way, and this is done at each save.
    named = {str(folder) if real == path else os.path.realpath(folder): folder for folder in path.parents}
    roots = {root.folder: root for root in [*known, *_above(path), *(_above(real) if real != path else ())]}
    roots.update({root.folder: root for root in running()})
    live_first = sorted(roots.values(), key=lambda each: not each.live)
    for root in live_first:
        for plugin, folder in _plugins(root, {*named, *above}):
            if folder in named:
                return Found(root.folder, plugin, named[folder], path.relative_to(named[folder]).as_posix())
            if folder in above:
                return Found(root.folder, plugin, Path(folder), real.relative_to(folder).as_posix())
    return _of_another_case(path, live_first)


def _of_another_case(path: Path, roots: Iterable[Root]) -> Optional[Found]:
    """The same where upper and lower case are one, but `path` and the folder on the disk are not of the same: macOS
    takes such a path for a real one."""
    for folder, root in itertools.product(path.parents, roots):
        if not os.path.isdir(root.plugins_dir / folder.name):
            continue
        for name in os.listdir(root.plugins_dir):
            alike = name.lower() == folder.name.lower() and is_id(name)
            if alike and os.path.samefile(root.plugins_dir / name, folder):
                return Found(root.folder, name, folder, path.relative_to(folder).as_posix())
    return None


def find_alone(path: Path) -> Optional[Found]:
    """The plugin that a file belongs to by its own account: the nearest ``plugin.json`` above it, whose ``id`` is
    the plugin's. For hosts on other machines, and for files whose Evonic is not known yet."""
    for folder in path.parents:
        if (folder / MANIFEST).is_file():
            return Found(None, _own_id(folder), folder, path.relative_to(folder).as_posix())
    return None


def _above(path: Path) -> Iterator[Root]:
    for folder in path.parents:
        root = evonic_at(folder.parent) if folder.name == "plugins" else None
        if root is not None:
            yield root


def _plugins(root: Root, among: Set[str]) -> List[Tuple[str, str]]:
    """(id, real folder) of every plugin whose real folder is `among` these, the innermost of nested ones first."""
    found = []
    try:
        for entry in os.scandir(root.plugins_dir):
            folder = os.path.realpath(entry.path) if entry.is_symlink() else entry.path
            if folder in among and is_id(entry.name):
                found.append((entry.name, folder))
    except OSError:
        return []
    return sorted(found, key=lambda each: (-len(each[1]), each[0]))


def _own_id(folder: Path) -> str:
    try:
        declared = json.loads((folder / MANIFEST).read_text("utf-8")).get("id")
    except (OSError, ValueError, AttributeError, RecursionError):
        declared = None
    return declared if isinstance(declared, str) and is_id(declared) else folder.name


def is_id(name: str) -> bool:
    """Whether a plugin can have this id, and a folder this name."""
    try:
        wire.plugin_id(name)
    except wire.WireError:
        return False
    return True
