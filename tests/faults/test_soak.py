"""An hour of work, compressed: nothing grows, nothing is lost, nothing is done twice."""

from __future__ import annotations

import gc
import os
import random
import time

import hosts
import pytest
from e2e.test_editor import ROUTES
from faults import faulty
from lsp.test_saves import Clock

from evonic_lsp.bridge import wire
from evonic_lsp.saves import Saves, State

SAVES = 100_000
# Seconds, and saves, on real time: whatever is reached first.
BUDGET, MOST = 8.0, 2000


def test_a_hundred_thousand_saves_on_fake_time():
    """Twenty plugins, bursts and pauses, reloads of any length that overlap: each last save is followed by the begin
    of a reload, no plugin has two at once, and in the end nothing is kept."""
    clock, dice = Clock(), random.Random(2026)
    running: set[int] = set()
    unserved: set[int] = set()
    begun = [0] * 20

    def begin(key):
        assert key not in running
        running.add(key)
        unserved.discard(key)
        begun[key] += 1

    saves = Saves(begin, lambda key: None, clock.call_later, 0.05)
    for number in range(SAVES):
        key = int(dice.triangular(0, 19.99, 0))
        unserved.add(key)
        saves.saved(key)
        clock.advance(dice.choice((0, 0, 0.001, 0.01, 0.06, 0.3)))
        if running and dice.random() < 0.5:
            ended = dice.choice(sorted(running))
            running.discard(ended)
            saves.ended(ended)
        if number % 10_000 == 0:
            saves.delay = dice.choice((0, 0.05, 1.0))
    while running or unserved:
        clock.advance(2)
        for key in sorted(running):
            running.discard(key)
            saves.ended(key)
    clock.advance(2)
    assert running == set()
    assert saves._machines == {}
    assert all(saves.state(key) is State.IDLE for key in range(20))
    assert 20 < sum(begun) <= SAVES
    assert clock._timers == []


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is measured on Linux only")
async def test_as_many_real_saves_as_fit(plugin, client, sandbox, window):
    """Every save of an editor is code that serves when the editor says so; neither host nor server grows."""
    made = plugin("soaked", handler="from . import db\n", db="VALUE = 0\n", routes=ROUTES.format(id="soaked"))
    client.switch(True, "soaked")
    editor = await window(made.folder, options={"debounce": 0})
    await editor.state("idle")
    file = made.folder / "db.py"
    host = sandbox.process.pid

    async def save(number):
        broken = number % 10 == 9
        file.write_text(f"VALUE = {number}\n" + "boom\n" * broken)
        uri = editor.save(file)
        await editor.state("failed" if broken else "ok", "soaked")
        assert bool(editor.shown.get(uri)) == broken
        if number % 20 == 0:
            assert sandbox.get("/plugin/soaked/value") == number
        editor.logged.clear()
        editor.published.clear()
        editor.progress.clear()

    number, end = 1, time.monotonic() + BUDGET
    while number <= 150:
        await save(number)
        number += 1
    gc.collect()
    before = faulty.memory_of(host), faulty.threads_of(host), faulty.memory_of()
    files = sorted(each.name for each in made.folder.rglob("*"))
    while number <= MOST and time.monotonic() < end:
        await save(number)
        number += 1
    await save(number * 10)
    gc.collect()
    print(f"{number} saves; the host grew by {(faulty.memory_of(host) - before[0]) / 1e6:.1f} MB")
    assert number > 300
    assert faulty.memory_of(host) - before[0] < 12e6
    assert faulty.threads_of(host) <= before[1] + 2
    assert faulty.memory_of() - before[2] < 25e6
    assert sorted(each.name for each in made.folder.rglob("*")) == files
    assert hosts.LIMIT
    assert client.reload("soaked").status == wire.RELOADED
