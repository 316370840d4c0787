"""Which plugin, and where its files are: from the names on the wire to what the editor calls a file."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Optional

from . import plugins
from .bridge.wire import Place


@dataclass(frozen=True)
class Ref:
    """A plugin of a host. `root` names the host as :class:`Hosts` does."""

    root: str
    plugin: str


class Where:
    """`plugins_dirs`: of each host; `folders`: of plugins, as the editor has named them; `open`: the URI of each open
    file, by its real path."""

    def __init__(self) -> None:
        self.plugins_dirs: Dict[str, Path] = {}
        self.folders: Dict[Ref, Path] = {}
        self.open: Dict[str, str] = {}

    def folder(self, ref: Ref) -> Path:
        """The plugin's folder."""
        return self.folders.get(ref) or self.plugins_dirs.get(ref.root, Path("/")) / ref.plugin

    def uri(self, path: Path) -> str:
        """A file, as the editor names it."""
        return self.open.get(os.path.realpath(path)) or plugins.uri_of(path)

    def main_file(self, ref: Ref) -> str:
        """The URI for what has no place: ``handler.py``, or the manifest where there is none."""
        folder = self.folder(ref)
        return self.uri(folder / ("handler.py" if os.path.exists(folder / "handler.py") else plugins.MANIFEST))

    def locate(self, root: str, place: Place) -> Optional[str]:
        """The URI of a place; None if it is not known here."""
        path = self.path(root, place)
        return self.uri(path) if path is not None else None

    def path(self, root: str, place: Place) -> Optional[Path]:
        """Where the file of a place is; None if that is not known here."""
        if not is_inside(place.plugin, place.file):
            return None
        if place.plugin is not None:
            return self.folder(Ref(root, place.plugin)) / place.file
        path = self.plugins_dirs.get(root, Path(root)).parent / place.file
        return path if os.path.isfile(path) else None


def is_inside(plugin: Any, file: Any) -> bool:
    """Whether a file can be one below the folder of its plugin (any without one: below its host), by its name."""
    if not isinstance(file, str) or not (plugin is None or plugins.is_id(plugin)):
        return False
    try:
        name = os.fsencode(file)
    except ValueError:
        return False
    # The anchor: of Windows, a drive as well, and a path from its root.
    return b"\0" not in name and ".." not in re.split(r"[/\\]", file) and not Path(file).anchor
