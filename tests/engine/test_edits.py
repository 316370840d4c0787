"""Whatever the pace of the edits: what serves in the end is what is on the disk."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evonic_lsp.bridge import wire

EDITS = 40
EVERY = 0.05
FIRST = 10000
SAVE = {"askedBy": wire.SAVE}


def paced(edits: int):
    """Counts to `edits`, one each 50 ms."""
    started = time.monotonic()
    never = threading.Event()
    for number in range(1, edits + 1):
        yield number
        never.wait(max(0.0, started + number * EVERY - time.monotonic()))


def write(folder: Path, value: int, slow: float = 0.0) -> None:
    """Two files that must agree, always of the same size; the import takes `slow` seconds."""
    (folder / "helper.py").write_text(f"import time\nVALUE = {FIRST + value}\ntime.sleep({slow:.3f})\n")
    (folder / "handler.py").write_text(f"from . import helper\nVALUE = {FIRST + value}\n")


@pytest.fixture
def edited(observed):
    folder = observed.folder("edited")
    folder.mkdir(exist_ok=True)
    (folder / "plugin.json").write_text('{"id": "edited", "name": "edited", "version": "1"}')
    write(folder, 0)
    assert observed.host.inspect("toggle", plugin="edited", enabled=True)
    observed.client.switch(True, "edited")
    yield observed
    observed.host.inspect("toggle", plugin="edited", enabled=False)


@pytest.mark.parametrize("slow", [0.0, 0.07], ids=["quick", "slower-than-the-edits"])
def test_edits_every_50_ms_end_with_what_is_on_disk(edited, slow):
    def save() -> wire.Outcome:
        with edited.host.client() as client:
            params = {"plugin": "edited", **SAVE}
            return wire.from_json(wire.Outcome, client.call("plugin/reload", params, timeout=0))

    with ThreadPoolExecutor(8) as saves:
        outcomes = []
        for number in paced(EDITS):
            write(edited.folder("edited"), number, slow)
            outcomes.append(saves.submit(save))
        statuses = {each.result(20).status for each in outcomes}
    assert statuses <= {wire.RELOADED, wire.UNCHANGED}
    for module in ("handler", "helper"):
        value = edited.host.inspect("attribute", module=f"plugins.edited.{module}", name="VALUE")
        assert value == FIRST + EDITS


async def test_the_same_from_an_editor(edited, window):
    folder = edited.folder("edited")
    editor = await window(folder, options={"debounce": 20})
    await editor.state("idle")
    for number in paced(EDITS // 2):
        write(folder, number)
        editor.save(folder / "helper.py")
        editor.save(folder / "handler.py")
    value = 0
    while value != FIRST + EDITS // 2:  # one reload may have been under way when the last save came
        await editor.state("ok", "edited")
        value = edited.host.inspect("attribute", module="plugins.edited.helper", name="VALUE")
    assert edited.host.inspect("attribute", module="plugins.edited.handler", name="VALUE") == value
