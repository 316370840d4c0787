"""Hosts to measure in: the sandbox, or a copy of a real Evonic; with the bridge, or without it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import hosts
import plugins

from evonic_lsp.demo import copy_evonic
from evonic_lsp.install import install
from evonic_lsp.sandbox import create

PROBE = Path(__file__).parent / "probe"


class _Running(hosts.RunningHost):
    """Looked at more often than the tests do: how long the start takes is measured."""

    def _wait_for_http(self) -> None:
        end = time.monotonic() + hosts.LIMIT
        while time.monotonic() < end:
            assert self.process is not None
            assert self.process.poll() is None, self.log()
            with contextlib.suppress(OSError):
                self.get("/api/health")
                return
            time.sleep(0.003)
        raise AssertionError("the host did not start\n" + self.log())


class World:
    """A host that runs, in a folder that goes away with it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.running = _Running(root)

    @property
    def pid(self) -> int:
        """Its process."""
        assert self.running.process is not None
        return self.running.process.pid

    def text(self, path: str) -> str:
        """The body of a GET; empty if it is an error."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.running.port}{path}", timeout=hosts.LIMIT) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    def probe(self, call: str) -> str:
        """What the probe plugin answers."""
        return self.text(f"/plugin/probe/{call}")

    def start(self) -> float:
        """Starts the host; seconds until it answers HTTP."""
        began = time.perf_counter()
        self.running.start()
        return time.perf_counter() - began


@contextlib.contextmanager
def runtime_dir() -> Iterator[Path]:
    """Ours alone, for all of a run: no host and no editor of the person who measures is met."""
    folder = Path(tempfile.mkdtemp(prefix="evonic-lsp-bench-"))
    before = dict(os.environ)
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    try:
        yield folder
    finally:
        os.environ.clear()
        os.environ.update(before)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def world(
    source: Path | None = None, bridge: bool = True, write: Callable[[Path], list[str]] | None = None
) -> Iterator[World]:
    """A running host: a copy of `source`, or the sandbox. `write(root)` makes plugins and names those to enable."""
    folder = Path(tempfile.mkdtemp(prefix="world-", dir=os.environ["XDG_RUNTIME_DIR"]))
    made = World(prepare(folder / "root", source, bridge, write))
    try:
        made.start()
        yield made
    finally:
        made.running.stop()
        shutil.rmtree(folder, ignore_errors=True)


def prepare(root: Path, source: Path | None, bridge: bool, write: Callable[[Path], list[str]] | None) -> Path:
    """The root of a host that was not started yet."""
    if source is None:
        create(root)
    else:
        copy_evonic(source, root)
    shutil.copytree(PROBE, root / "plugins" / "probe")
    enabled = ["probe", *(write(root) if write else [])]
    if bridge:
        install(root)
    plugins.switch_on(root, *enabled)
    return root
