"""Which versions have to get along here: this package, the bridges, the editors' extensions."""

from __future__ import annotations

import importlib.metadata
import platform
import re
from collections.abc import Iterator
from pathlib import Path

from .bridge import rendezvous, wire
from .install import folder_of, version_in

NEEDS = ("pygls", "lsprotocol", "click", "rich")
# Where VS Code, its relatives and its remote servers keep their extensions.
_VSCODE = (".vscode", ".vscode-insiders", ".vscode-oss", ".vscode-server", ".cursor")
_EXTENSION = re.compile(r"evonic\.evonic-lsp-(\d+\.\d+\.\d+)")


def libraries() -> dict[str, str | None]:
    """The version of each library that this package needs; None for one that is not installed."""
    found: dict[str, str | None] = dict.fromkeys(NEEDS)
    for name in NEEDS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def of_all(root: Path | None) -> Iterator[str]:
    """A line for each part: this package, the bridge in the Evonic at `root`, the bridges that run, and the extensions
    that are installed for this user."""
    needs = ", ".join(f"{name} {version or 'is missing'}" for name, version in libraries().items())
    yield f"evonic-lsp, version {wire.VERSION}"
    yield f"protocol {wire.PROTOCOL}, Python {platform.python_version()}, {needs}"
    if root is not None:
        yield f"bridge {version_in(folder_of(root)) or 'not installed'} in {root}"
    for host in rendezvous.hosts():
        yield f"bridge {host.version} runs in {host.root} (pid {host.pid})"
    for editor in _VSCODE:
        for folder in sorted((Path.home() / editor / "extensions").glob("evonic.evonic-lsp-*")):
            version = _EXTENSION.match(folder.name)
            if version:
                yield f"VS Code extension {version.group(1)} in {folder}"
