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
# Threads of one name that do not return, each of which costs memory, and may cost a processor.
_MOST_STUCK = 8


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
    """Runs `action` in a thread of its own. Raises what it raises, or :class:`Stuck` if it does not return within
    `limit()` seconds, or :data:`SHORTEST`; then it is told to end, which it hears when it runs Python code again."""
    errors: List[BaseException] = []
    if sum(thread.name == name for thread in threading.enumerate()) >= _MOST_STUCK:
        raise Stuck(f"{_MOST_STUCK} imports before have not returned to this day; restart Evonic to be rid of them")

    def run() -> None:
        try:
            action()
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    # The limit is in the host's database, and hardly ever needed: it is asked for when it is.
    thread.join(SHORTEST)
    if thread.is_alive():
        seconds = max(limit(), SHORTEST)
        thread.join(seconds - SHORTEST)
        if thread.is_alive():
            _end(thread)
            raise Stuck(
                f"the import did not return within {seconds:g} s and is left to itself: something at the top "
                "level of a module waits or runs for ever; fix that, and save"
            )
    if errors:
        raise errors[0]


def _end(thread: threading.Thread) -> None:
    """Has SystemExit raised in `thread`: a loop ends by it, a call into the system that does not return goes on."""
    try:
        import ctypes
    except ImportError:  # a Python that was built without
        return
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(SystemExit))


def _folder() -> Optional[str]:
    try:
        return os.getcwd()
    except OSError:  # it was removed
        return None
