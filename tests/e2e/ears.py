"""Hears what a host says, while a test does something else."""

from __future__ import annotations

import threading
import time

import pytest

from evonic_lsp.bridge import wire
from evonic_lsp.bridge.messages import Details
from evonic_lsp.bridge.wire import Failure

LIMIT = 20.0


class Ear:
    """What a host says, in a thread of its own."""

    def __init__(self, host):
        self.client = host.client()
        self.heard = []
        self._changed = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for method, params in self.client.notifications():
            with self._changed:
                self.heard.append((method, params, time.monotonic()))
                self._changed.notify_all()

    def of(self, method, plugin):
        return [params for name, params, _ in list(self.heard) if name == method and params.get("plugin") == plugin]

    def errors(self, plugin):
        return [wire.from_json(Failure, params) for params in self.of("plugin/error", plugin)]

    def error(self, plugin, holds=lambda failure: True):
        """The first error of a plugin for which something holds."""
        return self.until(lambda: next((each for each in self.errors(plugin) if holds(each)), None))

    def until(self, holds):
        end = time.monotonic() + LIMIT
        with self._changed:
            while not (found := holds()):
                assert self._changed.wait(end - time.monotonic()), f"not heard; heard were {self.heard[-5:]}"
        return found


@pytest.fixture
def ear(host):
    made = Ear(host)
    yield made
    # The listening thread ends with the socket.
    made.client._socket.shutdown(2)


def details(client, plugin):
    return wire.from_json(Details, client.call("plugin/details", {"plugin": plugin}))


def errors_of(client, plugin):
    return next(each.errors for each in client.status().plugins if each.id == plugin)
