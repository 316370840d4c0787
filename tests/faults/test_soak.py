"""An hour of work, compressed: nothing grows, nothing is lost, nothing is done twice."""

from __future__ import annotations

import gc
import random

from e2e.test_editor import ROUTES
from faults import faulty
from faults.test_stdio import linux
from lsp.test_saves import Clock

from evonic_lsp.bridge import wire
from evonic_lsp.saves import Saves, State

SAVES, SAVES_ON_REAL_TIME = 100_000, 2000


def test_a_hundred_thousand_saves_on_fake_time():
    """Twenty plugins, bursts and pauses, reloads of any length that overlap: each last save is followed by the begin
    of one reload, no plugin has two at once, and in the end nothing is kept."""
    clock, dice = Clock(), random.Random(2026)
    running: set[int] = set()
    unserved: set[int] = set()
    begun = [0] * 20

    def begin(key):
        assert key not in running
        assert key in unserved, "a reload too many: nothing was saved since the last one began"
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
    for _ in range(3):  # what runs, what was saved meanwhile, nothing
        clock.advance(2)
        for key in sorted(running):
            running.discard(key)
            saves.ended(key)
    assert (running, unserved) == (set(), set())
    assert saves._machines == {}
    assert all(saves.state(key) is State.IDLE for key in range(20))
    assert 20 < sum(begun) <= SAVES
    assert clock._timers == []


class Plugin:
    """A plugin that is saved again and again, and what of it may serve."""

    def __init__(self, made, dice):
        self.made, self.dice = made, dice
        self.file = made.folder / "db.py"
        self.uri = self.file.as_uri()
        self.number = 0
        self.may_serve = {1}
        self.broken = False

    def save_often(self, editor, times):
        """Writes and saves; the last of it counts."""
        for _ in range(times):
            self.number += 1
            self.broken = self.dice.random() < 0.15
            self.file.write_text(f"VALUE = {self.number}\n" + "boom\n" * self.broken)
            editor.save(self.file)
            if not self.broken:
                self.may_serve.add(self.number)
        if not self.broken:
            self.may_serve = {self.number}

    def check(self, editor, host):
        """What the host serves and what the editor shows is what is on the disk."""
        serves = host.get(f"/plugin/{self.made.id}/value")
        assert serves in self.may_serve
        self.may_serve = {serves}
        told = [each["state"] for each in editor.statuses if each["plugin"] == self.made.id]
        assert told[-1] == ("failed" if self.broken else "ok")
        assert 1 <= told.count("reloading") <= 2, f"one burst: {told}"
        assert bool(editor.shown.get(self.uri)) == self.broken


def measures(host):
    """(what is in memory, threads, files) of the host and of the language server, which is ours."""
    gc.collect()
    return [(faulty.memory_of(pid), faulty.threads_of(pid), faulty.files_of(pid)) for pid in (host, "self")]


@linux
async def test_two_thousand_real_saves(plugin, client, sandbox, window):
    """Four plugins at once, in bursts, some of them broken: after each burst the host serves, and the editor shows,
    what is on the disk; neither host nor server grows."""
    dice = random.Random(2026)
    plugins = []
    for number in range(4):
        id = f"soaked{number}"
        made = plugin(id, handler="from . import db\n", db="VALUE = 1\n", routes=ROUTES.format(id=id))
        assert made.reload().status in (wire.RELOADED, wire.UNCHANGED)
        client.switch(True, id)
        plugins.append(Plugin(made, dice))
    editor = await window(sandbox.root, options={"debounce": 10})
    await editor.state("idle")
    idle = editor.server.session.saves._machines
    files = sorted(each.name for each in plugins[0].made.folder.rglob("*"))
    left, before, host = SAVES_ON_REAL_TIME, None, sandbox.process.pid
    while left:
        for each in plugins:
            times = min(dice.randrange(1, 7), left)
            if times:
                each.save_often(editor, times)
            left -= times
            each.saved = bool(times)
        await editor.lenses("file:///nowhere.py")  # the answer follows what is done about all that was said before
        await editor.until(lambda: not idle)
        await editor.lenses("file:///nowhere.py")
        for each in plugins:
            if each.saved:
                each.check(editor, sandbox)
        for told in (editor.statuses, editor.logged, editor.published, editor.progress):
            told.clear()
        if before is None and left < SAVES_ON_REAL_TIME - 300:
            before = measures(host)
    for (memory, threads, open_files), (after, threads_after, files_after), most in zip(
        before, measures(host), (12e6, 25e6)
    ):
        assert after - memory < most
        assert threads_after <= threads + 1  # one of the host's, that answers us at this moment
        assert files_after <= open_files + 1
    for each in plugins:
        assert sorted(file.name for file in each.made.folder.rglob("*")) == files
        each.save_often(editor, 1)
        assert each.made.reload().failed == each.broken
