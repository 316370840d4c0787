"""What an import can do to the process around it, taken back as far as a process can."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Callable, Dict, Iterator, List, Optional

from .generation import PACKAGES

# Seconds: no limit is shorter.
SHORTEST = 0.1


class Stuck(Exception):
    """Something did not return within its limit."""


@contextmanager
def contained() -> Iterator[None]:
    """The working directory is what it was after the block. If the block fails, so are ``sys.path`` and the modules
    of others: what a version that never came to serve has replaced there must not stay."""
    folder = _folder()
    path: List[str] = list(sys.path)
    modules: Dict[str, ModuleType] = dict(sys.modules)
    try:
        yield
    except BaseException:
        if sys.path != path:
            sys.path[:] = path
        for name, module in modules.items():
            if sys.modules.get(name) is not module and not name.startswith(PACKAGES):  # one may have been retired
                sys.modules[name] = module
        raise
    finally:
        if folder is not None and _folder() != folder:
            os.chdir(folder)


def bounded(name: str, limit: Callable[[], float], action: Callable[[], Any]) -> None:
    """Runs `action` in a thread of its own, which is left to itself if it does not return within `limit()` seconds,
    or :data:`SHORTEST`. Raises what it raises, or :class:`Stuck`."""
    errors: List[BaseException] = []
    done = threading.Event()

    def run() -> None:
        try:
            action()
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    threading.Thread(target=run, name=name, daemon=True).start()
    # The limit is in the host's database, and hardly ever needed: it is asked for when it is.
    if not done.wait(SHORTEST):
        seconds = max(limit(), SHORTEST)
        if not done.wait(seconds - SHORTEST):
            raise Stuck(
                f"the import did not return within {seconds:g} s and is left to itself: something at the top "
                "level of a module waits or runs for ever"
            )
    if errors:
        raise errors[0]


def _folder() -> Optional[str]:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return None
