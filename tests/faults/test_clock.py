"""A clock that jumps, in the host and on its disk."""

from __future__ import annotations

import os
import time
import urllib.error

import pytest
from faults import faulty
from faults.faulty import value

from evonic_lsp.bridge import snapshot, wire
from evonic_lsp.bridge.client import find

JUMPS = pytest.mark.parametrize("jump", [-3600.0, 3600.0, 1e9], ids=str)


@pytest.mark.parametrize("written", [-1e9, 0.0, 1e9, 4e9], ids=str)
def test_an_empty_file_of_another_time_is_not_waited_for(tmp_path, monkeypatch, written):
    """Nobody writes it now: and if the clock has jumped since it was emptied, the next save comes all the same."""
    (tmp_path / "plugin.json").write_text("{}")
    (tmp_path / "a.py").touch()
    os.utime(tmp_path / "a.py", (written, written))
    pauses = []
    monkeypatch.setattr(snapshot.time, "sleep", pauses.append)
    assert snapshot.read("p", str(tmp_path)).files["a.py"] == b""
    assert pauses == []


@JUMPS
def test_a_clock_that_jumps_while_an_emptied_file_is_waited_for(tmp_path, monkeypatch, jump):
    """It is waited for no longer than otherwise, and what is written at last is read."""
    (tmp_path / "plugin.json").write_text("{}")
    file = tmp_path / "a.py"
    file.touch()
    pauses, real = [], time.time

    def pause(seconds):
        pauses.append(seconds)
        monkeypatch.setattr(time, "time", lambda: real() + jump)
        file.write_text("x = 1\n")

    monkeypatch.setattr(snapshot.time, "sleep", pause)
    assert snapshot.read("p", str(tmp_path)).files["a.py"] == b"x = 1\n"
    assert len(pauses) == 1


@JUMPS
def test_reloads_serve_and_are_told_whatever_the_clock_says(probe, client, gate, jump):
    made = probe("timed")
    client.switch(True, made.id)
    for number, off in enumerate((0.0, jump, 0.0, -jump), 2):
        with gate.clock_off_by(off):
            made.write(db=f"VALUE = {number}\n")
            client.call("plugin/willReload", {"plugin": made.id})
            saved = client.call("plugin/reload", {"plugin": made.id, "askedBy": wire.SAVE})
            assert (saved["status"], value(made)) == (wire.RELOADED, number)
            info = next(each for each in client.status().plugins if each.id == made.id)
            assert info.outcome.at == saved["at"]
            assert abs(info.outcome.at - time.time() - off) < 60


@JUMPS
async def test_an_error_goes_with_the_reload_that_mends_it_whatever_the_clock_says(
    probe, client, gate, window, jump, sandbox
):
    """What went wrong before a clock jumped is past after a good reload, and what goes wrong after it is shown."""
    made = probe("raising")
    client.switch(True, made.id)
    editor = await window(made.folder, options={"debounce": 0})
    await editor.state("idle")
    routes = faulty.ROUTES.format(id=made.id)
    file = made.folder / "routes.py"
    uri = file.as_uri()

    async def fails_at(number):
        made.write(routes=routes.replace("return jsonify", f"raise ValueError({number})\n    return jsonify"))
        editor.save(file)
        await editor.state("ok", made.id)
        with pytest.raises(urllib.error.HTTPError):
            value(made)
        await editor.until(lambda: any(f"{number}" in each.message for each in editor.shown.get(uri, ())))

    await fails_at(1001)
    with gate.clock_off_by(jump):
        await fails_at(1002)
        assert not any("1001" in each.message for each in editor.shown[uri])
        made.write(routes=routes)
        editor.save(file)
        await editor.state("ok", made.id)
        await editor.until(lambda: not editor.shown[uri])
        assert value(made) == 1
    info = next(each for each in client.status().plugins if each.id == made.id)
    assert info.errors == []


@JUMPS
def test_a_host_of_another_time_is_found(own_sandbox, jump):
    """When it started is said to tell the newer one, and is no reason to doubt it."""
    host = own_sandbox()
    with faulty.Gate(host).clock_off_by(jump):
        for enabled in (False, True):  # the bridge stops to listen, and starts again
            host.inspect("toggle", plugin=wire.BRIDGE_ID, enabled=enabled)
        assert abs(find(host.root).started - time.time() - jump) < 60
        with host.client() as client:
            assert client.reload("inspector").status == wire.RELOADED
