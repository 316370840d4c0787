"""Whatever a host says that fits its messages, or does not: the language server takes it in, or refuses it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import os
from typing import Any

import pytest
from faults import faulty
from hypothesis import given, settings
from hypothesis import strategies as st
from pygls.protocol import default_converter

from evonic_lsp import commands, lenses, shown
from evonic_lsp.bridge import wire
from evonic_lsp.bridge.messages import Details, Handler, Replayed
from evonic_lsp.bridge.wire import Failure, HostStatus, LogEntry, Place, PluginInfo, Problem, Related
from evonic_lsp.session import Session
from evonic_lsp.where import Ref

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=6,
)
PLACES = st.builds(
    Place,
    st.text(max_size=9),
    *[st.integers(-(2**40), 2**40)] * 4,
    plugin=st.none() | st.text(max_size=9),
    first=st.text(max_size=9),
    last=st.text(max_size=9),
)
PROBLEMS = st.builds(
    Problem,
    st.text(max_size=9),
    st.text(max_size=20),
    st.text(max_size=9),
    st.none() | PLACES,
    st.lists(st.builds(Related, st.text(max_size=9), st.none() | PLACES), max_size=2),
    st.text(max_size=30),
)
OUTCOMES = st.builds(
    lambda **values: wire.Outcome(**values),
    plugin=st.text(max_size=9) | st.sampled_from(["p", "..", "/", "a/b"]),
    status=st.sampled_from([*wire.FAILED, wire.RELOADED, "x"]),
    message=st.text(max_size=20),
    asked_by=st.text(max_size=5),
    duration_ms=st.floats(),
    problems=st.lists(PROBLEMS, max_size=3),
)
CONVERTER = default_converter()
NUMBERS = st.integers(-(2**70), 2**70)
FAILURES = st.builds(
    Failure,
    plugin=st.sampled_from(["p", "q", ".."]),
    key=st.text(max_size=3),
    trigger=st.text(max_size=9),
    name=st.text(max_size=9),
    problem=PROBLEMS,
    count=NUMBERS,
    first_at=st.floats(),
    last_at=st.floats(),
    generation=NUMBERS,
)
TOLD = st.one_of(
    OUTCOMES.map(lambda outcome: wire.notification("plugin/outcome", outcome)),
    FAILURES.map(lambda failure: wire.notification("plugin/error", failure)),
    st.tuples(
        st.sampled_from(["plugin/outcome", "plugin/error", "plugin/log", "hotreload/changed", "plugin/cleared", "x"]),
        JSON,
    ).map(lambda each: wire.notification(*each)),
)
INFOS = st.builds(
    PluginInfo,
    st.just("p") | st.text(max_size=5),
    *[st.text(max_size=5)] * 2,
    *[st.booleans()] * 3,
    generation=st.none() | NUMBERS,
    loaded_at=st.none() | st.floats(),
    outcome=st.none() | OUTCOMES,
    errors=st.lists(FAILURES, max_size=3),
)
HANDLERS = st.builds(
    Handler,
    *[st.text(max_size=9)] * 3,
    place=st.none()
    | PLACES
    | st.builds(lambda place: dataclasses.replace(place, file="handler.py", plugin="p"), PLACES),
    calls=NUMBERS,
    errors=NUMBERS,
    last_ms=st.none() | st.floats(),
    last_at=st.none() | st.floats(),
    replay=st.booleans(),
)
LOG = st.lists(st.builds(LogEntry, *[st.text(max_size=9)] * 4), max_size=3)
ANSWERS = {
    "plugin/details": st.builds(Details, INFOS, st.lists(HANDLERS, max_size=3)) | JSON,
    "plugin/replay": st.builds(
        Replayed, *[st.text(max_size=9)] * 4, seq=st.none() | NUMBERS, duration_ms=st.floats(), log=LOG,
        problem=st.none() | PROBLEMS
    ) | JSON,
    "plugin/logs": LOG | JSON,
    "hotreload/status": st.builds(
        HostStatus, *[st.text(max_size=9)] * 4, NUMBERS, st.booleans(), plugins=st.lists(INFOS, max_size=2)
    ) | JSON,
}  # fmt: skip


class Quiet:
    """An editor that takes everything; what it is handed is made, as for a real one."""

    shows_related, refreshes_lenses = True, False

    def measure(self, text):
        return len(text.encode("utf-16-le", "surrogatepass")) // 2

    def publish(self, uri, diagnostics):
        for each in diagnostics:
            json.dumps(CONVERTER.unstructure(shown.diagnostic(each)))

    async def follow_code(self):
        pass

    def __getattr__(self, name):
        return lambda *values, **more: None


class Talk:
    """A session and a host in threads of their own, for Hypothesis, which needs a function that returns.

    What is in `told` is said before the next answer; `answers` are those of methods.
    """

    def __init__(self, evonic):
        self.told: list[bytes] = []
        self.answers: dict[str, Any] = {}
        self.host = faulty.ScriptedHost(evonic.root, os.getppid(), self._script)
        self.root = str(evonic.root)
        self.loop = asyncio.new_event_loop()
        self.session = self.run(self._start(evonic.root))

    def _script(self, number, connection):
        for asked in self.host.greet(connection, plugins=[PluginInfo("p", "p", "1", True, True, True)]):
            answer = self.answers.get(asked["method"], self.host.status())
            connection.sendall(b"".join(self.told) + wire.response(asked["id"], answer))
            self.told.clear()

    async def _start(self, root):
        session = Session(Quiet())
        await session.start([root])
        await session.hosts.link(self.root).connect()
        return session

    def run(self, work):
        return self.loop.run_until_complete(asyncio.wait_for(work, 15))

    def lasts(self):
        """The host is heard, over the connection of the beginning."""
        assert self.run(self.session.hosts.link(self.root).call("x"))["version"] == "9"
        assert self.host.connections == 1

    def close(self):
        async def closed():
            self.session.close()
            await asyncio.sleep(0)

        self.run(closed())
        self.host.close()
        self.loop.close()


@pytest.fixture
def talk(evonic):
    made = Talk(evonic)
    yield made
    made.close()


def nothing_failed(caplog):
    """No message has led to an exception that nobody had thought of."""
    wrong = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert not wrong, "\n".join(f"{each.getMessage()} {each.exc_text or each.exc_info}" for each in wrong)


def test_whatever_is_told_the_connection_lasts(talk, caplog):
    @settings(max_examples=60)
    @given(st.lists(TOLD, min_size=1, max_size=4))
    def told(lines):
        talk.told += lines
        talk.lasts()
        nothing_failed(caplog)

    told()


@pytest.mark.parametrize("method", ANSWERS)
def test_whatever_is_answered_the_connection_lasts(talk, evonic, caplog, method):
    uri, ref = (evonic.folder / "handler.py").as_uri(), Ref(talk.root, "p")

    async def ask():
        if method == "plugin/details":
            return await lenses.of(talk.session, uri)
        talk.session.offers._replayed.add((ref.root, ref.plugin, None))  # the person has said yes
        name = method.rpartition("/")[2] if method in ("plugin/logs", "plugin/replay") else "status"
        return await commands.execute(talk.session, name, ("p",))

    @settings(max_examples=60)
    @given(ANSWERS[method])
    def answered(answer):
        talk.answers[method] = answer
        try:
            got = talk.run(ask())
        except (wire.WireError, commands.CommandFailed):
            pass
        else:
            json.dumps(CONVERTER.unstructure(got))
        talk.lasts()
        nothing_failed(caplog)

    answered()
