"""After hundreds of reloads the server is as it was after the first."""

from __future__ import annotations

import statistics

import pytest
from engine.conftest import Observed, show

RELOADS = 500
EVERY = 20
# KiB a reload, over the second half. One generation kept alive costs some hundred.
SLOPE = 4.0
# The one that serves, the one before, whose requests may still come in, and what undoing the last commit would need.
GENERATIONS = 3


@pytest.fixture
def fresh(kind, watched_root):
    """A host of its own: what others leave behind must not count."""
    running = Observed(watched_root(kind)).start()
    yield running
    running.stop()


def ask(observed, plugin):
    """Uses what the plugin has registered: what is imported, compiled or cached late comes to be, too."""
    if plugin == "everything":
        for path in ("", "item/5", "child/", "more/3/x"):
            assert observed.host.status_of(f"/plugin/everything/{path}") == 200
        assert observed.host.status_of("/plugin/everything/fail") == 418
        observed.host.inspect("slash", command="everything")
    else:
        observed.host.status_of("/api/kanban/tasks")
        observed.host.status_of("/board/kanban")
    observed.host.inspect("card_results")
    observed.host.inspect("context")
    observed.host.inspect("guard", tool="everything")


def test_hundreds_of_reloads_leave_nothing_behind(kind, fresh):
    if kind == "sandbox":
        plugin, edited = "everything", fresh.add("everything") / "db.py"
    else:
        plugin, edited = "kanban", fresh.folder("kanban") / "db.py"
        assert fresh.host.inspect("toggle", plugin="kanban", enabled=True)
    text = edited.read_text()
    times, memory = [], []
    for number in range(1, RELOADS + 1):
        edited.write_text(f"{text}\nEDIT = {number}\n")
        times.append(fresh.reload(plugin).duration_ms)
        fresh.observe("watch", plugin=plugin)
        if number == 1:
            ask(fresh, plugin)
            before = fresh.observe("contents", plugin=plugin)
            threads = fresh.observe("threads"), fresh.observe("numbered_threads")
        if number % EVERY == 0:
            ask(fresh, plugin)
            memory.append(fresh.observe("resident"))
    alive = fresh.observe("alive")
    half = memory[len(memory) // 2 :]
    slope = statistics.linear_regression(range(len(half)), half).slope / EVERY if None not in half else 0.0
    show(
        kind,
        plugin=plugin,
        reloads=RELOADS,
        alive=alive,
        threads=len(threads[0]),
        resident_kib=[memory[0], half[0], memory[-1]],
        slope_kib_a_reload=round(slope, 2),
        first_ms=times[0],
        median_ms=statistics.median(times),
        last_hundred_ms=statistics.median(times[-100:]),
    )
    after = fresh.observe("contents", plugin=plugin)
    assert {name: those for name, those in after.items() if those != before[name]} == {}
    assert fresh.observe("threads") == threads[0]
    assert fresh.observe("numbered_threads") <= threads[1]
    assert alive["generations"] <= GENERATIONS
    assert alive["blueprints"] <= GENERATIONS
    assert slope < SLOPE
    # Nothing gets slower, as what is searched in each reload would if it grew.
    assert statistics.median(times[-100:]) < 2 * statistics.median(times[:100])
