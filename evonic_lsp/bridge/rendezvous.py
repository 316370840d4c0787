"""How a host and its clients find each other on one machine, with nobody polling.

A host *announces* itself: one small JSON file (mode 0600) named after its process, in ``<root>/run/evonic-lsp/``
and in the user's runtime directory. A client that finds no host *hangs a bell*: a datagram socket in the
runtime directory; a host that starts rings every bell that it finds there, and the client looks again.

Folders are made with mode 0700 and refused when somebody else owns them or can write to them.
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import stat
import struct
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, List, Optional

from . import wire

# sockaddr_un.sun_path holds 108 bytes on Linux, 104 on macOS and the BSDs, the final NUL included.
_LONGEST_SOCKET_PATH = 103
_RUN = "evonic-lsp"
# Where there are none, clients connect to 127.0.0.1 and prove with a token that they can read our files.
UNIX_SOCKETS = hasattr(socket, "AF_UNIX")


@dataclass(frozen=True)
class Announcement:
    """Where a host listens. `endpoint`: ``unix:PATH`` or ``tcp:127.0.0.1:PORT``, the latter with a `token`."""

    protocol: int
    version: str
    pid: int
    root: str
    plugins_dir: str
    endpoint: str
    started: float
    token: Optional[str] = None


def private_folder(path: Path) -> Path:
    """`path`, made if need be with mode 0700; PermissionError unless it is a real folder that only we can use."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        raise PermissionError(f"{path} is not a folder (a link planted by somebody?); remove it")
    if hasattr(os, "getuid"):
        if found.st_uid != os.getuid():
            raise PermissionError(f"{path} belongs to another user; remove it or set XDG_RUNTIME_DIR")
        if found.st_mode & 0o077:
            os.chmod(path, 0o700)
    return path


def runtime_dirs() -> List[Path]:
    """Where hosts and clients of this user meet, best first; a host uses them all, as the environment of an
    editor and of a service differ."""
    dirs = []
    if os.environ.get("XDG_RUNTIME_DIR"):
        dirs.append(Path(os.environ["XDG_RUNTIME_DIR"]) / _RUN)
    else:
        uid = os.getuid() if hasattr(os, "getuid") else 0
        if os.path.isdir(f"/run/user/{uid}"):
            dirs.append(Path(f"/run/user/{uid}") / _RUN)
        dirs.append(Path(tempfile.gettempdir()) / f"{_RUN}-{uid}")
    return dirs


def usable_runtime_dirs() -> List[Path]:
    """Those of :func:`runtime_dirs` that exist, or can be made, and are ours alone."""
    usable = []
    for folder in runtime_dirs():
        try:
            usable.append(private_folder(folder))
        except OSError:
            continue  # another one will do; `doctor` tells
    return usable


def run_dir(root: Path) -> Path:
    """The folder below an Evonic root for what its running server says of itself."""
    return root / "run" / _RUN


def alive(pid: int) -> bool:
    """Whether a process of this number exists."""
    if pid <= 0:
        return False
    if os.name == "nt":  # there os.kill(pid, 0) would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    except OverflowError:  # no system has so high a number
        return False
    return True


# ── Announcements ──


def announce(announcement: Announcement, folders: Iterable[Path]) -> List[Path]:
    """Writes the announcement into each of `folders` (made private first) that takes it; returns the files.

    Raises OSError if none does.
    """
    written: List[Path] = []
    failed: Optional[OSError] = None
    for folder in folders:
        file = folder / f"host-{announcement.pid}.json"
        try:
            _write(private_folder(folder), file, json.dumps(wire.to_json(announcement)))
        except OSError as error:  # a full disk, say: one place is enough to be found
            failed = error
        else:
            written.append(file)
    if failed is not None and not written:
        raise failed
    return written


def _write(folder: Path, file: Path, text: str) -> None:
    part = file.with_suffix(".part")
    _forget(part)
    try:
        handle = os.open(str(part), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(part, file)  # a reader sees all of it or nothing
    except OSError:
        _forget(part)
        raise


def read_announcement(file: Path) -> Optional[Announcement]:
    """The announcement in `file`; None if it is not one, not ours alone, or of a dead process (then it is removed)."""
    try:
        found = os.lstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_size > 65536 or not _ours_alone(file.parent, found):
            return None
        announcement = wire.from_json(Announcement, json.loads(file.read_text("utf-8")))
        if not _believable(announcement):
            return None
    except (OSError, ValueError, RecursionError, wire.WireError):
        return None
    if not alive(announcement.pid):
        _forget(file)
        if announcement.endpoint.startswith("unix:"):
            stale = Path(announcement.endpoint[5:])
            if stale.name == f"host-{announcement.pid}.sock" and stale.parent in (file.parent, *runtime_dirs()):
                _forget(stale)
        return None
    return announcement


def _ours_alone(folder: Path, file: os.stat_result) -> bool:
    """Whether a host of ours can have written this file. Modes are what a repository that somebody cloned, with such
    a file in it, cannot have: git keeps none of them."""
    if not hasattr(os, "getuid"):
        return True
    around = os.lstat(folder)
    return stat.S_ISDIR(around.st_mode) and all(
        each.st_uid == os.getuid() and not each.st_mode & 0o077 for each in (around, file)
    )


def _believable(announcement: Announcement) -> bool:
    """Whether it speaks of this machine, in paths that the system can have. Raises ValueError if it cannot."""
    kind, _, address = announcement.endpoint.partition(":")
    paths = (
        [announcement.root] + [address] * (kind == "unix") + [announcement.plugins_dir] * bool(announcement.plugins_dir)
    )
    if not all(os.path.isabs(path) and b"\0" not in os.fsencode(path) for path in paths):
        return False
    return kind == "unix" or (kind == "tcp" and address.rpartition(":")[0] == "127.0.0.1")


def hosts(root: Optional[Path] = None) -> List[Announcement]:
    """Every live host of this user, the newest first; with `root`, only those of that Evonic."""
    folders = runtime_dirs() + ([run_dir(root)] if root else [])
    found = {}
    for folder in folders:
        for file in sorted(folder.glob("host-*.json")) if os.path.isdir(folder) else []:
            announcement = read_announcement(file)
            if announcement and (root is None or same_file(announcement.root, root)):
                found[announcement.pid] = announcement
    return sorted(found.values(), key=lambda each: -each.started)


def same_file(one: str | os.PathLike[str], other: str | os.PathLike[str]) -> bool:
    """Whether two paths lead to one place, through any links."""
    return os.path.realpath(one) == os.path.realpath(other)


def _forget(file: Path) -> None:
    try:
        file.unlink()
    except OSError:
        pass  # gone already, or not ours to remove: it is ignored either way


# ── Bells ──


class Bell:
    """A datagram socket in `folder` that becomes readable when a host starts.

    Where there are no Unix sockets it is a UDP socket on 127.0.0.1, and the file holds the port.
    """

    _numbers = itertools.count()

    def __init__(self, folder: Path) -> None:
        self.path = private_folder(folder) / f"bell-{os.getpid()}-{next(self._numbers)}"
        _forget(self.path)
        if UNIX_SOCKETS:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.socket.bind(str(self.path))
            os.chmod(self.path, 0o600)
        else:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.bind(("127.0.0.1", 0))
            self.path.write_text(str(self.socket.getsockname()[1]), "ascii")
        self.socket.setblocking(False)

    def heard(self) -> None:
        """Takes in every ring so far."""
        try:
            while self.socket.recv(16):
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        """Takes the bell down."""
        self.socket.close()
        _forget(self.path)


def ring_bells(folders: Iterable[Path]) -> int:
    """Rings every bell in `folders`, never waiting; removes those that nobody listens to. Returns how many rang."""
    rung = 0
    with socket.socket(socket.AF_UNIX if UNIX_SOCKETS else socket.AF_INET, socket.SOCK_DGRAM) as hand:
        hand.setblocking(False)
        for folder in folders:
            for path in folder.glob("bell-*"):
                try:
                    hand.sendto(b"!", str(path) if UNIX_SOCKETS else ("127.0.0.1", int(path.read_text("ascii"))))
                    rung += 1
                except BlockingIOError:
                    rung += 1  # full of rings that were not heard yet
                except (OSError, ValueError):
                    _forget(path)
    return rung


# ── Sockets ──


def socket_paths(folders: Iterable[Path], pid: int) -> List[Path]:
    """Every ``host-PID.sock`` below `folders` that the platform's limit on socket paths allows. OSError if none is."""
    candidates = [folder / f"host-{pid}.sock" for folder in folders]
    short = [path for path in candidates if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH]
    if not short:
        raise OSError(f"every possible socket path is too long for this platform: {', '.join(map(str, candidates))}")
    return short


def peer_uid(connection: socket.socket) -> Optional[int]:
    """The user at the other end of a Unix socket; None where the platform does not tell."""
    if hasattr(socket, "SO_PEERCRED"):  # struct ucred: pid, uid, gid
        return int(struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1])
    if hasattr(socket, "LOCAL_PEERCRED"):  # struct xucred: version, uid, …
        return int(struct.unpack_from("2I", connection.getsockopt(0, socket.LOCAL_PEERCRED, 76))[1])
    return None


def check_peer(connection: socket.socket) -> None:
    """PermissionError if the other end of a Unix socket is another user than us (or root)."""
    uid = peer_uid(connection) if connection.family != socket.AF_INET else None
    if uid is not None and uid not in (0, os.getuid()):
        raise PermissionError(f"the other end of this socket is user {uid}, not us: connection refused")
