"""Reloads while events and requests keep coming: nothing is lost, doubled, refused or mixed."""

from __future__ import annotations

import ast
import json
import threading
import urllib.error
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from engine.conftest import Observed, show

RELOADS = 200
RATE = 1000
# What each path must answer with; those of others have no versions.
PATHS = {
    "/plugin/versioned/version": 200,
    "/plugin/versioned/item/5": 200,
    "/plugin/versioned/page": 200,
    "/plugin/versioned/fail": 418,
    "/plugin/observer/ping": 200,
    "/api/health": 200,
}


class Load(threading.Thread):
    """Asks for all paths in turn until it is stopped; notes each answer that is not as it should be."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.halt = threading.Event()
        self.answers = 0
        self.seen: set[int] = set()
        self.wrong: list[object] = []

    def run(self) -> None:
        while not self.halt.wait(0.01):  # or the load generator would have all of the processor
            for path, wanted in PATHS.items():
                try:
                    self._ask(path, wanted)
                except OSError as error:
                    self.wrong.append((path, repr(error)))

    def _ask(self, path: str, wanted: int) -> None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=20) as answer:
                status, headers, body = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            status, headers, body = error.code, error.headers, error.read()
        self.answers += 1
        if status != wanted:
            self.wrong.append((path, status, body))
        elif "/versioned/" in path:
            versions = {*json.loads(body), *ast.literal_eval(headers["X-Versions"])}
            self.seen |= versions
            if len(versions) != 1:
                self.wrong.append((path, body, headers["X-Versions"]))


def wait_for(observed: Observed, events: int) -> list[tuple[int, list[int]]]:
    """What the handlers of that many events have noted; a slow machine may have many of them waiting."""
    handled, before, stacks = 0, -1, [""]
    while handled < events:
        assert handled > before, "\n".join(stacks)
        before = handled
        handled, stacks = observed.observe("handled", count=events)
    return observed.observe("settled")


def test_nothing_is_lost_doubled_refused_or_mixed(kind, versioned):
    loads = [Load(versioned.host.port) for _ in range(3)]
    for load in loads:
        load.start()
    versioned.observe("pump", event="message_received", rate=RATE)
    times = []
    for version in range(2, RELOADS + 2):
        versioned.write("versioned", version)
        times.append(versioned.reload("versioned").duration_ms)
    sent, seconds = versioned.observe("dry")
    for load in loads:
        load.halt.set()
        load.join()
    notes = wait_for(versioned, sent)
    seen = set().union(*(load.seen for load in loads))
    handled = {versions[0] for _, versions in notes}
    show(
        kind,
        reloads=RELOADS,
        events=sent,
        events_a_second=round(sent / seconds),
        answers=sum(load.answers for load in loads),
        versions_that_answered=len(seen),
        versions_that_handled=len(handled),
        median_ms=sorted(times)[RELOADS // 2],
        longest_ms=max(times),
    )
    assert [each for load in loads for each in load.wrong] == []
    times_handled = Counter(number for number, _ in notes)
    assert [number for number in range(sent) if not times_handled[number]] == [], versioned.host.log()
    assert [number for number, times in times_handled.items() if times > 1] == []
    assert [entry for entry in notes if len(set(entry[1])) != 1] == []
    assert sent >= 0.9 * RATE * seconds
    # The load did reach what was exchanged under it.
    assert len(handled) > RELOADS / 4
    assert len(seen) > RELOADS / 4
    assert set(versioned.host.get("/plugin/versioned/version")) == {RELOADS + 1}
    assert versioned.host.status_of(f"/plugin/versioned/only/{RELOADS + 1}") == 200
    assert versioned.host.status_of(f"/plugin/versioned/only/{RELOADS}") == 404


def request(observed: Observed, gate: str) -> list[int]:
    """What the view has met, and what was called behind it."""
    with urllib.request.urlopen(
        f"http://127.0.0.1:{observed.host.port}/plugin/versioned/wait/{gate}", timeout=20
    ) as answer:
        return [*json.load(answer), *ast.literal_eval(answer.headers["X-Versions"])]


CALLS = {
    "event": lambda host, gate: host.observe("emit", event="message_received", data={"n": 0, "gate": gate})[0][1],
    "listener": lambda host, gate: host.observe("emit", event="versioned_stream", data={"n": 0, "gate": gate})[0][1],
    "request": request,
    "slash": lambda host, gate: ast.literal_eval(host.host.inspect("slash", command="versioned", args=gate)),
    "guard": lambda host, gate: host.host.inspect("guard", tool=f"versioned:{gate}")["error"],
}


@pytest.mark.parametrize("call", CALLS)
def test_a_call_in_flight_ends_on_the_version_that_it_began_with(versioned, call):
    versioned.observe("gate", name=call)
    with ThreadPoolExecutor(1) as threads:
        answer = threads.submit(CALLS[call], versioned, call)
        try:
            assert versioned.observe("entered", name=call)
            for version in (2, 3):
                versioned.write("versioned", version)
                versioned.reload("versioned")
                assert set(versioned.host.get("/plugin/versioned/version")) == {version}
                assert set(versioned.host.inspect("guard", tool="versioned")["error"]) == {version}
        finally:
            versioned.observe("release", name=call)
        assert set(answer.result(20)) == {1}
