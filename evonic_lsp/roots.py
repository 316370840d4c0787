"""What is the root of an Evonic, on disk."""

from __future__ import annotations

import os
from pathlib import Path

_MARKS = ("evonic", "app.py", "backend/plugin_manager.py", "plugins")


class NotEvonic(Exception):
    """The folder is no Evonic root; the text says why, and what to name instead."""


def check_root(root: Path) -> Path:
    """The Evonic at `root`, by its real path; of a release layout, the current release. Raises :class:`NotEvonic`."""
    current = root / "current"
    candidates = [current, root] if current.is_symlink() else [root]
    for candidate in candidates:
        if not _missing(candidate):
            return Path(os.path.realpath(candidate))
    if not root.is_dir():
        raise NotEvonic(f"{root} is not a folder; name the folder that holds Evonic's `evonic` and `app.py`")
    lacking = ", ".join(_missing(root))
    raise NotEvonic(f"{root} is not an Evonic: it has no {lacking}. Name the folder that holds `evonic` and `app.py`")


def find_root(start: Path) -> Path | None:
    """The Evonic that `start` lies in; None if it lies in none."""
    for folder in (start, *start.parents):
        try:
            return check_root(folder)
        except NotEvonic:
            continue
    return None


def _missing(root: Path) -> list[str]:
    return [name for name in _MARKS if not (root / name).exists()]
