"""What may happen between the moment in which a reload is prepared and the reload."""

from __future__ import annotations

import shutil
import threading
import time

import hosts
import pytest
from faults import faulty
from faults.faulty import Wire, heals, value
from faults.test_stdio import linux

from evonic_lsp.bridge import wire

SAVE = {"askedBy": wire.SAVE}
GET = "VALUE = {}\ndef get():\n    return VALUE\n"


@pytest.fixture
def saving(probe, client, sandbox):
    """saving() -> (a plugin whose save was announced and prepared, what asks for its reload)."""
    barrier = probe("barrier")
    connections = []

    def make(id="saved", text="VALUE = 2\n"):
        made = probe(id)
        client.switch(True, id)
        connections.append(Wire(sandbox.root))
        made.write(db=text)
        prepare(connections[-1], made)

        def reload():
            connections[-1].send("plugin/reload", {**SAVE, "plugin": id}, 9)
            return wire.from_json(wire.Outcome, wire.result_of(connections[-1].answer(9)))

        return made, reload

    def prepare(connection, made):
        connection.send("plugin/willReload", {"plugin": made.id})
        connection.send("hotreload/status", {}, 1)
        connection.answer(1)
        barrier.reload()  # it waits in the same queue, behind the preparation

    make.prepare = prepare
    yield make
    client.switch(True)
    for each in connections:
        each.close()


def test_nothing(saving):
    made, reload = saving()
    assert (reload().status, value(made)) == (wire.RELOADED, 2)
    assert (reload().status, value(made)) == (wire.UNCHANGED, 2)


def test_a_file_is_changed(saving):
    made, reload = saving()
    made.write(db="VALUE = 3\n")
    assert (reload().status, value(made)) == (wire.RELOADED, 3)


def test_a_file_is_changed_back(saving):
    made, reload = saving()
    made.write(db="VALUE = 1\n")
    assert (reload().status, value(made)) == (wire.UNCHANGED, 1)


def test_a_file_is_broken_and_another_comes(saving):
    made, reload = saving()
    made.write(db="VALUE = )\n", more="x = 1\n")
    outcome = reload()
    assert (outcome.status, [each.place.file for each in outcome.problems], value(made)) == (
        wire.REJECTED,
        ["db.py"],
        1,
    )
    heals(made, 3)


def test_a_broken_file_is_mended(saving):
    made, reload = saving(text="VALUE = )\n")
    made.write(db="VALUE = 3\n")
    assert (reload().status, value(made)) == (wire.RELOADED, 3)


@pytest.mark.parametrize("how", ["deleted", "unreadable", "a folder"])
def test_a_file_is_there_no_more(saving, how):
    made, reload = saving()
    file = made.folder / "db.py"
    file.unlink()
    if how == "unreadable":
        file.symlink_to(file.name)
    elif how == "a folder":
        file.mkdir()
    outcome = reload()
    assert (outcome.status, value(made)) == (wire.REJECTED, 1)
    assert any(each.severity == "error" for each in outcome.problems)
    file.rmdir() if how == "a folder" else file.unlink(missing_ok=True)
    heals(made, 3)


def test_the_whole_folder_is_there_no_more(saving):
    made, reload = saving()
    shutil.rmtree(made.folder)
    assert reload().status == wire.UNLOADED
    assert made.host.status_of(f"/plugin/{made.id}/value") == 404
    heals(made, 3)


def test_the_plugin_is_switched_off_on_the_web_page(saving, sandbox):
    made, reload = saving()
    assert sandbox.inspect("toggle", plugin=made.id, enabled=False)
    outcome = reload()
    assert outcome.status == wire.DISABLED
    assert "switched off" in outcome.message
    assert sandbox.status_of(f"/plugin/{made.id}/value") == 404


def test_the_plugin_was_reloaded_for_somebody_else(saving):
    made, reload = saving()
    made.write(db="VALUE = 3\n")
    assert made.reload().status == wire.RELOADED
    assert (reload().status, value(made)) == (wire.UNCHANGED, 3)


@pytest.mark.parametrize("one", [True, False], ids=["for it", "for all"])
def test_hot_reload_is_switched_off(saving, client, one):
    made, reload = saving()
    client.switch(False, made.id if one else None)
    outcome = reload()
    assert (outcome.status, value(made)) == (wire.DISABLED, 1)
    client.switch(True, made.id if one else None)
    assert (reload().status, value(made)) == (wire.RELOADED, 2)


def test_nothing_is_prepared_while_hot_reload_is_off(saving, client, sandbox):
    made, reload = saving()
    client.switch(False, made.id)
    with Wire(sandbox.root) as connection:
        saving.prepare(connection, made)
    assert (reload().status, value(made)) == (wire.DISABLED, 1)


def test_code_outside_comes_to_hold_the_version_before(saving, sandbox):
    made, reload = saving("held", GET.format(2))
    assert reload().status == wire.RELOADED
    made.write(db=GET.format(3))
    with Wire(sandbox.root) as connection:
        saving.prepare(connection, made)
        sandbox.inspect("hold", module="plugins.held.db", name="get")
        outcome = reload()
    assert outcome.status == wire.RELOADED
    assert sandbox.inspect("held", name="get") == 2
    assert [each.code for each in outcome.problems] == ["old-version"]
    assert "holder.py (get)" in outcome.problems[0].message


@linux
def test_a_flood_of_announcements_while_another_plugin_reloads(saving, probe, gate, client, sandbox):
    """Ten thousand, of plugins that there are and that there are not: others are answered meanwhile, and nothing
    of it is kept."""
    made, _ = saving("flooded")
    other, process = probe("other"), sandbox.process.pid
    other.write(db="VALUE = 2\n")
    before = faulty.memory_of(process)
    with Wire(sandbox.root) as flood, gate.waits_at("generation:StagedGeneration.import_all") as reached:
        flood.send("plugin/reload", {"plugin": "other"}, 5)
        reached()
        plugins = (made.id, "other", "nowhere", "../x", "inspector")
        sender = threading.Thread(
            target=lambda: [flood.send("plugin/willReload", {"plugin": plugins[n % 5]}) for n in range(10_000)]
        )
        sender.start()
        slowest = 0.0
        while sender.is_alive():
            asked = time.monotonic()
            client.call("plugins/list", {})
            slowest = max(slowest, time.monotonic() - asked)
        sender.join(faulty.LIMIT)
        flood.send("hotreload/status", {}, 6)
        assert flood.answer(6)["result"]
    print(f"{slowest * 1000:.0f} ms at most")
    assert slowest < 2
    assert made.reload().status == wire.RELOADED
    assert (value(made), value(other)) == (2, 2)
    assert faulty.memory_of(process) - before < 12e6


def test_the_plugin_is_switched_off_on_the_command_line(saving, sandbox):
    made, reload = saving()
    assert hosts.evonic(sandbox.root, "plugin", "disable", made.id).returncode == 0
    assert reload().status in (wire.DISABLED, wire.UNLOADED)


def test_code_outside_comes_to_hold_the_version_before_and_other_code_lets_go_of_it(saving, sandbox):
    made, reload = saving("passed", GET.format(2))
    assert reload().status == wire.RELOADED
    sandbox.inspect("hold", module="plugins.passed.db", name="get")
    made.write(db=GET.format(3))
    with Wire(sandbox.root) as connection:
        saving.prepare(connection, made)
        faulty.Gate(sandbox).pass_on("get")
        outcome = reload()
    assert outcome.status == wire.RELOADED
    assert "heir.py (get)" in outcome.problems[0].message


def test_nobody_is_named_who_holds_nothing(saving, sandbox):
    """The package through which everybody finds the plugin leads to the new version, as soon as that serves."""
    made, reload = saving("free", GET.format(2))
    assert reload().status == wire.RELOADED
    assert sandbox.inspect("attribute", module="plugins.free.db", name="VALUE") == 2
    made.write(db=GET.format(3))
    with Wire(sandbox.root) as connection:
        saving.prepare(connection, made)
        outcome = reload()
    assert sandbox.inspect("attribute", module="plugins.free.db", name="VALUE") == 3
    assert (outcome.status, outcome.problems) == (wire.RELOADED, [])
