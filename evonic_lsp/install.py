"""Puts the bridge into an Evonic and takes it out again.

Not by Evonic's own ``plugin install``: that refuses to replace what is there, so it cannot upgrade, and it enables
nothing. Its ``plugin uninstall`` leaves the plugin enabled for whatever comes next under that id.
"""

from __future__ import annotations

import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import bridge
from .bridge import rendezvous, text, wire
from .roots import check_root

SOURCE = Path(bridge.__file__).parent
_VERSION = re.compile(r'^VERSION = "([^"]+)"', re.MULTILINE)
_logger = logging.getLogger("evonic_lsp")
# Seconds: Evonic's command line loads every enabled plugin before it does anything. What takes longer than patience
# is told, by the log: a command line without a log shows it on stderr.
_LIMIT = 120.0
_PATIENCE = 3.0


class InstallError(Exception):
    """It could not be done; the text says what happened, where, and what to do."""


@dataclass(frozen=True)
class Installed:
    """What :func:`install` did. `state`: ``installed``, ``upgraded``, ``refreshed`` (the same version, other files),
    ``unchanged`` or ``linked`` (a link to these very files, left alone). `restart`: whether a running Evonic must be
    restarted to use it; `following`: what to do now."""

    folder: Path
    state: str
    version: str
    previous: str | None
    restart: bool
    following: str


@dataclass(frozen=True)
class Uninstalled:
    """What :func:`uninstall` did. `removed`: whether there was a bridge that is gone now."""

    folder: Path
    removed: bool
    following: str


def server_pid(root: Path) -> int | None:
    """The process that Evonic's own PID file names, if it lives."""
    app_root = root.parent.parent if root.parent.name == "releases" else root
    for file in (app_root / "shared" / "run" / "evonic.pid", root / "run" / "evonic.pid"):
        try:
            pid = int(file.read_text("ascii"))
        except (OSError, ValueError):
            continue
        if rendezvous.alive(pid):
            return pid
    return None


def evonic(root: Path, *arguments: str) -> str:
    """The output of ``./evonic …``; :class:`InstallError` with that output if it fails."""
    shown = " ".join(["./evonic", *arguments])
    # The sandbox has no environment of its own and takes this one; the real Evonic does not read the variable.
    environment = {"EVONIC_PYTHON": sys.executable, **os.environ}
    try:
        with subprocess.Popen(
            [str(root / "evonic"), *arguments],
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            try:
                output = _patiently(process, f"`{shown}` in {root}")
            except BaseException:
                process.kill()
                raise
    except subprocess.TimeoutExpired:
        message = f"`{shown}` in {root} did not end within {_LIMIT:g} s: does a plugin wait when it is loaded?"
        raise InstallError(message) from None
    except OSError as error:
        hint = f"; run `chmod +x {_typed(root / 'evonic')}`" if isinstance(error, PermissionError) else ""
        raise InstallError(f"{root / 'evonic'} cannot be run: {error.strerror or error}{hint}") from error
    if process.returncode != 0:
        raise InstallError(f"`{shown}` in {root} failed with exit status {process.returncode}{_told(root, output)}")
    return output


def _patiently(process: subprocess.Popen[bytes], shown: str) -> str:
    try:
        said, _ = process.communicate(timeout=min(_PATIENCE, _LIMIT))
    except subprocess.TimeoutExpired:
        _logger.warning("waiting for %s, which loads every plugin first (for %g s at most) …", shown, _LIMIT)
        said, _ = process.communicate(timeout=max(_LIMIT - _PATIENCE, 0))
    return said.decode("utf-8", "replace")


def _typed(path: Path) -> str:
    """A path as one types it in a shell."""
    return shlex.quote(str(path))


def _told(root: Path, output: str) -> str:
    lines = text.clean(output).strip().splitlines()[-12:]
    said = ":\n" + "\n".join(f"    {line}" for line in lines) if lines else " and said nothing"
    if "No module named" in output or "no Python interpreter" in output or "Missing required dependency" in output:
        said += (
            "\nEvonic's Python environment is not complete. Run: "
            f"cd {_typed(root)} && python3 -m venv .venv && .venv/bin/pip install -r requirements.txt"
        )
    return said


def _switch(root: Path, word: str) -> None:
    output = evonic(root, "plugin", word, wire.BRIDGE_ID)
    # A plugin that calls sys.exit() when it is loaded ends this command before it did anything, with any status.
    if wire.BRIDGE_ID not in output:
        message = f"`./evonic plugin {word} {wire.BRIDGE_ID}` in {root} ended without doing it"
        raise InstallError(f"{message}{_told(root, output)}\nDoes a plugin end the process when it is loaded?")


# ── What is installed ──


def folder_of(root: Path) -> Path:
    """Where the bridge of `root` lies, through a plugins folder that is a link."""
    return Path(os.path.realpath(root / "plugins")) / wire.BRIDGE_ID


def version_in(folder: Path) -> str | None:
    """The version of the bridge in `folder`; None if there is none."""
    try:
        found = _VERSION.search((folder / "wire.py").read_text("utf-8", "replace"))
    except OSError:
        return None
    return found.group(1) if found else None


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a bridge, without what Python and tools leave there."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in _files(folder)}


def _files(folder: Path) -> list[Path]:
    found = []
    for here, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != "__pycache__" and not name.startswith("."))
        found += [Path(here, name) for name in sorted(names) if not name.startswith(".") and not name.endswith(".pyc")]
    return found


def is_same(folder: Path) -> bool:
    """Whether the bridge in `folder` is ours to the byte."""
    try:
        return contents(folder) == contents(SOURCE)
    except OSError:
        return False


def outdated(root: Path) -> list[rendezvous.Announcement]:
    """The running hosts of `root` that started before the bridge on disk was written."""
    files = _files(folder_of(root))
    written = max((file.stat().st_mtime for file in files), default=0.0)
    return [host for host in rendezvous.hosts(root) if host.started < written or host.version != wire.VERSION]


# ── Install ──


def install(root: Path) -> Installed:
    """Copies the bridge into `root`, replacing an older one, and enables it.

    Raises NotEvonic, :class:`InstallError`.
    """
    root = check_root(root)
    folder = folder_of(root)
    previous = version_in(folder)
    with _explained(folder):
        state = _place(folder, previous)
    try:
        _switch(root, "enable")
    except InstallError as error:
        run = f"`evonic-lsp install {_typed(root)}`"
        again = f"The bridge lies in {folder}, but is not enabled; then run {run} again."
        raise InstallError(f"{error}\n{again}") from error
    restart, following = _following(root)
    return Installed(folder, state, wire.VERSION, previous, restart, following)


def _place(folder: Path, previous: str | None) -> str:
    if folder.is_symlink():
        if rendezvous.same_file(folder, SOURCE):
            return "linked"
        raise InstallError(
            f"{folder} is a link to {os.readlink(folder)}: a developer's, so it is left alone. "
            f"Remove the link to install a copy: `rm {_typed(folder)}`"
        )
    if folder.exists() and not folder.is_dir():
        raise InstallError(f"{folder} is in the way: it is not a folder. Remove it and try again")
    if is_same(folder):
        return "unchanged"
    with _holder(folder.parent) as holder:
        new = holder / "new"
        for name, data in contents(SOURCE).items():
            file = new / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        _swap(folder, new, holder / "old")
    if previous is None:
        return "installed"
    return "refreshed" if previous == wire.VERSION else "upgraded"


def _swap(folder: Path, new: Path, old: Path) -> None:
    """Two renames: there is no moment with half a bridge in place, and a failure puts the old one back."""
    replaced = folder.exists()
    if replaced:
        os.rename(folder, old)
    try:
        os.rename(new, folder)
    except OSError:
        if replaced:
            os.rename(old, folder)
        raise


@contextmanager
def _holder(plugins: Path) -> Iterator[Path]:
    """A folder on the same file system that Evonic does not take for a plugin, as its ``plugin.json`` lies deeper."""
    for left in plugins.glob(f".{wire.BRIDGE_ID}-*"):
        pid = left.name.rpartition("-")[2]
        if pid.isdecimal() and not rendezvous.alive(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    holder = plugins / f".{wire.BRIDGE_ID}-{os.getpid()}"
    holder.mkdir(mode=0o755)
    try:
        yield holder
    finally:
        shutil.rmtree(holder, ignore_errors=True)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        hint = "run this as the user that Evonic runs as" if isinstance(error, PermissionError) else "then try again"
        raise InstallError(f"{where}: {error.strerror or error}; {hint}. Nothing was changed") from error


def _following(root: Path) -> tuple[bool, str]:
    hosts = rendezvous.hosts(root)
    old = outdated(root)
    if old:
        pids = ", ".join(str(host.pid) for host in old)
        return True, f"restart Evonic: the one that runs (pid {pids}) keeps the bridge that it started with"
    if hosts:
        return False, f"nothing: Evonic runs with this bridge (pid {hosts[0].pid})"
    pid = server_pid(root)
    if pid is not None:
        return True, (
            f"restart Evonic, which runs without the bridge (pid {pid}), or switch "
            f"{wire.BRIDGE_ID} off and on on its web page"
        )
    return False, "start Evonic (restart it if it runs), then `evonic-lsp hotreload-enable ID` for a plugin of yours"


# ── Uninstall ──


def uninstall(root: Path) -> Uninstalled:
    """Disables the bridge of `root` and removes its files; what was opted in stays in Evonic's settings.

    Raises NotEvonic, :class:`InstallError`.
    """
    root = check_root(root)
    folder = folder_of(root)
    if not os.path.lexists(folder):
        _sweep(root)
        return Uninstalled(folder, False, "nothing: it was not there")
    if (folder / "plugin.json").is_file():
        try:
            _switch(root, "disable")
        except InstallError as error:
            by_hand = f"Nothing was removed; `rm -r {_typed(folder)}` removes the bridge by hand."
            raise InstallError(f"{error}\n{by_hand}") from error
    if folder.is_symlink():
        by_hand = f"`rm {_typed(folder)}`: it is disabled, but the link is a developer's, so it stays"
        return Uninstalled(folder, False, by_hand)
    with _explained(folder), _holder(folder.parent) as holder:
        os.rename(folder, holder / "old")
    _sweep(root)
    hosts = rendezvous.hosts(root)
    if hosts:
        return Uninstalled(folder, True, f"restart Evonic (pid {hosts[0].pid}), which keeps the bridge until it ends")
    return Uninstalled(folder, True, "nothing")


def _sweep(root: Path) -> None:
    """Removes what dead hosts left in ``run/``."""
    rendezvous.hosts(root)
    folder = rendezvous.run_dir(root)
    if folder.is_symlink() or not folder.is_dir():
        return
    for file in folder.glob("host-*"):
        pid = file.stem.rpartition("-")[2]
        if pid.isdecimal() and not rendezvous.alive(int(pid)):
            file.unlink(missing_ok=True)
    try:
        folder.rmdir()
    except OSError:
        pass  # a host lives there
