"""What could be wrong between an editor and a running Evonic, each with what to type."""

from __future__ import annotations

import os
import platform
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import install, versions
from .bridge import rendezvous, text, wire
from .bridge.client import Client, NoAnswer
from .bridge.rendezvous import Announcement
from .bridge.wire import HostStatus, Outcome, PluginInfo, WireError
from .roots import NotEvonic, check_root

OK = "ok"
WARN = "warn"
FAIL = "fail"


@dataclass(frozen=True)
class Check:
    """One finding. `mark`: ``ok``, ``warn`` or ``fail``; `fix`: what to type or do, empty if nothing.

    `no_host`: this is why no host was reached.
    """

    mark: str
    what: str
    fix: str = ""
    no_host: bool = False


def checks(root: Path | None) -> Iterator[Check]:
    """Every check, as it is done. `root`: the Evonic in question; without one, the only one that runs."""
    yield from _versions()
    yield from _runtime_dirs()
    hosts = rendezvous.hosts(root)
    roots = sorted({host.root for host in hosts})
    if root is None and len(roots) == 1:
        try:
            root = check_root(Path(roots[0]))
        except NotEvonic as error:
            yield Check(WARN, f"a host runs at {roots[0]}, but {error}")
    if root is not None:
        yield Check(OK, f"Evonic at {root}")
        yield from _installed(root)
        yield from _socket_path(root)
    elif len(roots) > 1:
        several = f"several Evonics are running: {', '.join(map(text.one_line, roots))}"
        yield Check(FAIL, several, "evonic-lsp doctor --evonic ROOT", no_host=True)
        return
    elif not hosts:
        yield Check(WARN, "no Evonic named, and none around this folder", "evonic-lsp doctor --evonic ROOT")
    yield from _host(root, hosts)


def _named(root: Path | None) -> str:
    """A root as one types it in a shell."""
    return shlex.quote(str(root)) if root else "ROOT"


# ── This side ──


def _versions() -> Iterator[Check]:
    yield Check(OK, f"evonic-lsp {wire.VERSION}, protocol {wire.PROTOCOL}, Python {platform.python_version()}")
    libraries = versions.libraries()
    absent = [name for name, version in libraries.items() if version is None]
    if absent:
        yield Check(FAIL, f"not installed beside evonic-lsp: {', '.join(absent)}", wire.UPGRADE)
    if len(absent) < len(libraries):
        yield Check(OK, ", ".join(f"{name} {version}" for name, version in libraries.items() if version is not None))


def _runtime_dirs() -> Iterator[Check]:
    usable = 0
    for folder in rendezvous.runtime_dirs():
        wrong = _wrong_with(folder)
        usable += not wrong
        if wrong:
            yield Check(WARN, f"the runtime directory cannot be used: {wrong}", f"ls -ld {shlex.quote(str(folder))}")
        else:
            yield Check(OK, f"runtime directory {folder}")
    if not usable:
        fix = "export XDG_RUNTIME_DIR=… to a folder of yours, for the editor and for Evonic alike"
        yield Check(FAIL, "no runtime directory: a host is found by its root only", fix)


def _wrong_with(folder: Path) -> str:
    """Why a folder cannot be private and ours; empty if it is, or can be made so."""
    try:
        found = os.lstat(folder)
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077:
            return "" if os.access(folder, os.W_OK | os.X_OK) else f"{folder} cannot be written"
    except OSError:
        pass  # not there yet
    try:
        rendezvous.private_folder(folder)
    except OSError as error:
        return str(error)
    return ""


# ── The Evonic on disk ──


def _installed(root: Path) -> Iterator[Check]:
    put_in = f"evonic-lsp install {_named(root)}"
    folder = install.folder_of(root)
    version = install.version_in(folder)
    if hasattr(os, "getuid") and root.stat().st_uid not in (os.getuid(), 0):
        yield Check(WARN, f"{root} belongs to another user: only a host of your own user is seen")
    if version is None:
        broken = "is not complete" if os.path.lexists(folder) else "is not installed"
        yield Check(FAIL, f"the bridge {broken} in {folder}", put_in)
        return
    link = " (a link)" if folder.is_symlink() else ""
    if version != wire.VERSION:
        yield Check(FAIL, f"the bridge in {folder}{link} is version {version}, this is {wire.VERSION}", put_in)
    elif not install.is_same(folder):
        yield Check(WARN, f"the bridge in {folder}{link} is not that of this evonic-lsp {version}", put_in)
    else:
        yield Check(OK, f"bridge {version} in {folder}{link}")
    yield _enabled(root)


def _enabled(root: Path) -> Check:
    try:
        listed = install.evonic(root, "plugin", "list")
    except install.InstallError as error:
        return Check(FAIL, str(error), f"cd {_named(root)} && ./evonic plugin list")
    enable = f"cd {_named(root)} && ./evonic plugin enable {wire.BRIDGE_ID}"
    for line in listed.splitlines():
        words = line.split()
        if words and words[0] == wire.BRIDGE_ID:
            if "enabled" in words:
                return Check(OK, "the bridge is enabled in Evonic")
            return Check(FAIL, "the bridge is disabled in Evonic", f"{enable}, then restart Evonic")
    put_in = f"evonic-lsp install {_named(root)}"
    return Check(FAIL, f"Evonic does not list the plugin {wire.BRIDGE_ID}", put_in)


def _socket_path(root: Path) -> Iterator[Check]:
    if not rendezvous.UNIX_SOCKETS:
        return
    own = rendezvous.run_dir(root)
    try:
        path = rendezvous.socket_paths([own, *rendezvous.runtime_dirs()], 4194304)[0]  # the longest number of a process
    except OSError as error:
        yield Check(FAIL, str(error), "export XDG_RUNTIME_DIR=… to a shorter path, for the editor and for Evonic alike")
        return
    if path.parent != own:
        yield Check(OK, f"{own} is too long a path for a socket: it goes to {path.parent}")


# ── The running host ──


def _host(root: Path | None, hosts: list[Announcement]) -> Iterator[Check]:
    if not hosts:
        pid = install.server_pid(root) if root else None
        if pid is None:
            where = f" at {root}" if root else ""
            start = f"cd {_named(root)} && ./evonic start (restart it if it runs)"
            fix = start if root else "evonic-lsp install ROOT, then start Evonic (restart it if it runs)"
            yield Check(FAIL, f"no running Evonic with the bridge{where}", fix, no_host=True)
        else:
            fix = f"restart Evonic; if that does not help, look for {wire.BRIDGE_ID} in its server.log"
            yield Check(FAIL, f"Evonic runs (pid {pid}), but without the bridge", fix, no_host=True)
        return
    if len(hosts) > 1:
        pids = ", ".join(str(host.pid) for host in hosts)
        yield Check(WARN, f"several servers of one Evonic are running (pids {pids}); the newest is asked")
    try:
        with Client(hosts[0], "doctor") as client:
            found = client.status()
    except NoAnswer as error:
        what = f"Evonic (pid {hosts[0].pid}) does not answer ({text.one_line(error.why)}): is it stopped or ending?"
        yield Check(FAIL, what, f"wait until it has ended, or restart it (pid {hosts[0].pid})", no_host=True)
    except WireError as error:
        fix = f"evonic-lsp install {_named(root)}, then restart Evonic"
        yield Check(FAIL, f"Evonic (pid {hosts[0].pid}) refuses: {text.one_line(error.message)}", fix, no_host=True)
    else:
        yield from _reached(root, found)


def _reached(root: Path | None, found: HostStatus) -> Iterator[Check]:
    yield Check(OK, f"Evonic {text.one_line(found.version)} answers (pid {found.pid}, bridge {found.bridge})")
    if root is not None and install.outdated(root):
        yield Check(WARN, "it runs the bridge that it started with, not the one installed since", "restart Evonic")
    for note in found.degraded:
        fix = f"for one that knows it: {wire.UPGRADE}; then evonic-lsp install {_named(root)} and restart Evonic"
        yield Check(WARN, f"in this Evonic: {text.one_line(note)}", fix)
    if found.enabled:
        yield Check(OK, "hot reload is on")
    else:
        yield Check(WARN, "hot reload is off for all plugins", "evonic-lsp hotreload-enable")
    chosen = [plugin.id for plugin in found.plugins if plugin.hotreload]
    if chosen:
        yield Check(OK, f"hot reload on save: {', '.join(map(text.one_line, chosen))}")
    else:
        yield Check(WARN, "no plugin is reloaded on save yet", "evonic-lsp hotreload-enable ID")
    for plugin in found.plugins:
        if plugin.hotreload and not plugin.enabled:
            yield Check(WARN, f"{plugin.id} is switched off in Evonic", f"./evonic plugin enable {plugin.id}")
        if plugin.outcome is not None and plugin.outcome.failed:
            what = f"{plugin.id} on disk is not what serves: {text.one_line(plugin.outcome.message)}"
            yield Check(WARN, what, _fix_of(plugin, plugin.outcome))


def _fix_of(plugin: PluginInfo, failed: Outcome) -> str:
    then = "and save" if plugin.hotreload else f"then evonic-lsp reload {plugin.id}"
    places = (problem.place for problem in failed.problems if problem.severity == "error")
    place = next((place for place in places if place is not None), None)
    if place is None:
        return f"fix it {then}"
    file = place.file if place.plugin in (None, plugin.id) else f"plugins/{place.plugin}/{place.file}"
    return f"fix {text.one_line(file)}:{place.start_line + 1} {then}"
