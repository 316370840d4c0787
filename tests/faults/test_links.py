"""Plugins whose folders lead elsewhere, or are gone while they are needed."""

from __future__ import annotations

import shutil
import threading

import pytest
from faults import faulty
from faults.faulty import heals, value

from evonic_lsp.bridge import wire
from evonic_lsp.bridge.client import Client, find

# Seconds in which there is an answer, whatever the folder leads to.
ANSWER = 8.0


@pytest.fixture
def big_tree(tmp_path):
    """A folder with six thousand small files of the kinds that count."""
    folder = tmp_path / "big"
    for number in range(60):
        (folder / f"{number}").mkdir(parents=True)
        for file in range(100):
            (folder / f"{number}" / f"m{file}.py").write_text("x = 1\n")
    return folder


def answered(host, plugin):
    """The outcome of a reload; TimeoutError if there is none in time."""
    with Client(find(host.root), "waiting", timeout=ANSWER) as client:
        given = client.call("plugin/reload", {"plugin": plugin, "askedBy": wire.MANUAL}, timeout=ANSWER)
    return wire.from_json(wire.Outcome, given)


def test_a_link_to_a_big_tree_is_answered_in_time(probe, sandbox, big_tree):
    """Whether it is taken for a part of the plugin or refused: then with the link's name."""
    made = probe("linked")
    (made.folder / "vendored").symlink_to(big_tree)
    outcome = answered(sandbox, made.id)
    if outcome.failed:
        assert "vendored" in " ".join(each.message + str(each.place) for each in outcome.problems)
    assert value(made) == 1
    (made.folder / "vendored").unlink()
    heals(made, 2)


def test_a_link_to_everything_is_answered_in_time_with_what_is_wrong(own_sandbox):
    host = own_sandbox()
    inspector = host.root / "plugins" / "inspector"
    (inspector / "everything").symlink_to("/")
    try:
        outcome = answered(host, "inspector")
        assert outcome.status == wire.REJECTED
        assert any(each.severity == "error" for each in outcome.problems)
        assert host.inspect("loaded", prefix="json")
        (inspector / "everything").unlink()
        assert answered(host, "inspector").status == wire.RELOADED
    finally:
        host.process.kill()


def test_a_plugin_may_lose_its_handler(probe, client):
    made = probe("headless")
    (made.folder / "handler.py").unlink()
    outcome = made.reload()
    assert (outcome.status, value(made)) == (wire.RELOADED, 1)  # its routes are all that it has now
    info = next(each for each in client.status().plugins if each.id == made.id)
    assert (info.generation, info.outcome.failed) == (outcome.generation, False)
    heals(made, 2)


@pytest.mark.parametrize("step", [
    "snapshot:check", "generation:StagedGeneration.import_all", "kinds.modules:Modules.commit",
    "snapshot:forget_bytecode",
])  # fmt: skip
@pytest.mark.parametrize("gone", ["", "handler.py"], ids=["folder", "handler"])
def test_what_is_deleted_during_a_reload(probe, client, gate, step, gone):
    """What was read is what serves; the next reload finds out what is left."""
    made = probe("vanishing")
    made.write(db="VALUE = 2\n")
    outcomes = []
    with gate.waits_at(step) as reached:
        reloading = threading.Thread(target=lambda: outcomes.append(made.reload()))
        reloading.start()
        reached()
        (made.folder / gone).unlink() if gone else shutil.rmtree(made.folder)
    reloading.join(faulty.LIMIT)
    assert [each.status for each in outcomes] == [wire.RELOADED]
    assert value(made) == 2
    listed = {each.id: each for each in client.status().plugins}
    assert ("vanishing" in listed) == bool(gone)
    again = made.reload()
    assert again.status == (wire.RELOADED if gone else wire.UNLOADED)
    assert made.host.status_of("/plugin/vanishing/value") == (200 if gone else 404)
    assert ("vanishing" in {each.id for each in client.status().plugins}) == bool(gone)
    heals(made, 3)
