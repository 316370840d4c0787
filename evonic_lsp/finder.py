"""Which plugin a file belongs to, asked often: a checkout changes thousands of files in one message."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import Dict, Optional

from . import plugins
from .plugins import Found, Root

logger = logging.getLogger(__name__)


class Finder:
    """`known` are Evonics besides those that run. Used inside a running event loop."""

    def __init__(self) -> None:
        self.known: Dict[Path, Root] = {}
        # The answers of this turn of the event loop, by folder: in the next one the disk may be another.
        self._answers: Dict[Path, Found] = {}

    def find(self, path: Optional[Path]) -> Optional[Found]:
        """The plugin that a file belongs to."""
        if path is None:
            return None
        try:
            beside = self._answers.get(path.parent)
            if path.is_symlink():
                return self._look(path)
            if beside is None:
                return self._remembered(path)
            return replace(beside, file=beside.file.rpartition("/")[0] + "/" * ("/" in beside.file) + path.name)
        except (OSError, ValueError) as error:  # a path that this system cannot have
            logger.warning("%r: %s", path, error)
            return None

    def _remembered(self, path: Path) -> Optional[Found]:
        found = self._look(path)
        if found is not None and found.root is not None:  # its Evonic may become known at any moment
            if not self._answers:
                asyncio.get_running_loop().call_soon(self._answers.clear)
            self._answers[path.parent] = found
        return found

    def _look(self, path: Path) -> Optional[Found]:
        return plugins.find(path, self.known.values()) or plugins.find_alone(path)
