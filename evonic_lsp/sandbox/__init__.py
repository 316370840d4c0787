"""The sandbox: a small host with Evonic's plugin contract, for the demo, the tests and a first try.

Its code (the tree ``host/``) is our own; ``tests/contract`` runs against it and against the real Evonic, so it
behaves as that one does wherever a plugin, or the bridge, can tell.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import stat
from pathlib import Path

_HOST = Path(__file__).parent / "host"
_LAUNCHER = "evonic"
_MARK = "+sandbox"
NEEDS_FLASK = "the sandbox needs Flask: `pipx install --force '.[demo]'` in your clone of evonic-lsp"


class NotASandbox(Exception):
    """The folder holds an application that is not a sandbox, the real Evonic perhaps."""


def is_sandbox(folder: Path) -> bool:
    """Whether `folder` is the root of a sandbox."""
    version = folder / "VERSION"
    return version.is_file() and version.read_text(encoding="utf-8", errors="replace").strip().endswith(_MARK)


def has_flask() -> bool:
    """Whether this Python has what a sandbox runs on."""
    return importlib.util.find_spec("flask") is not None


def create(folder: Path) -> Path:
    """Makes `folder` the root of a sandbox, with nothing enabled, and returns it.

    Again for one that is there: its code becomes that of this version; its plugins and its database stay. Raises
    :class:`NotASandbox` where another application lives, OSError if the folder cannot be written.
    """
    if (folder / "app.py").exists() and not is_sandbox(folder):
        raise NotASandbox(f"{folder} holds an application that is not a sandbox; choose another folder")
    folder.mkdir(parents=True, exist_ok=True)
    skipped = {"__pycache__"}
    if (folder / "plugins").exists():
        skipped.add("plugins")
    for item in sorted(_HOST.iterdir()):
        if item.name in skipped:
            continue
        if item.is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(item, folder / item.name, ignore=ignore, dirs_exist_ok=True)
        else:
            shutil.copyfile(item, folder / item.name)
    (folder / "run").mkdir(exist_ok=True)
    launcher = folder / _LAUNCHER
    os.chmod(launcher, stat.S_IMODE(launcher.stat().st_mode) | 0o111)
    return folder
