"""What plugins under test have done. It lies in the host's root, so that no reload of a plugin touches it."""

import threading

LIMIT = 15.0
handled = []  # what each event's handler noted
gates = {}  # where calls wait, by name
_changed = threading.Condition()


class Gate:
    """A place where a call waits until a test lets it go on."""

    def __init__(self):
        self.entered = threading.Event()
        self.opened = threading.Event()

    def wait(self):
        self.entered.set()
        if not self.opened.wait(LIMIT):
            raise TimeoutError("nobody opened the gate")


def note(entry):
    with _changed:
        handled.append(entry)
        _changed.notify_all()


def wait(count):
    """Whether `count` entries have come, and that is all."""
    with _changed:
        return _changed.wait_for(lambda: len(handled) >= count, LIMIT)
