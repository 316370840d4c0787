"""A full disk, more to say than fits, and a clock that jumps."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import time

import hosts
import pytest
from faults import faulty
from faults.faulty import heals, value

from evonic_lsp.bridge import rendezvous, wire
from evonic_lsp.bridge.client import Client, NoHost, find
from evonic_lsp.bridge.listener import Listener
from evonic_lsp.bridge.wire import PluginInfo

# ── A full disk ──


@pytest.fixture
def full(tmp_path):
    """A disk of 64 KiB, full."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0755", "none", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a file system cannot be mounted here: a full disk was NOT tested, only a limit on file sizes")
    try:
        with open(folder / "ballast", "wb", buffering=0) as stream:
            while stream.write(b"x" * 4096) == 4096:
                if os.statvfs(folder).f_bavail == 0:
                    break
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_below_the_root_costs_only_that_announcement(full, runtime_dir):
    made = Listener(str(full), "", lambda method, params: None)
    made.start()
    try:
        assert find(full).pid == os.getpid()
        assert not list(full.rglob("host-*.json"))
    finally:
        made.stop()
    assert not list(full.rglob("host-*"))
    assert not list(runtime_dir.glob("host-*"))


def test_where_nothing_can_be_announced_nothing_is_left(full, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(full))
    made = Listener(str(full), "", lambda method, params: None)
    with pytest.raises(OSError, match="No space"):
        made.start()
    assert not list(full.rglob("host-*"))
    with pytest.raises(NoHost):
        find(full)


async def test_without_a_bell_the_server_works_all_the_same(host, window, monkeypatch):
    """A path too long for a socket, or a full disk."""

    def fail(folder):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("evonic_lsp.hosts.Bell", fail)
    evonic = host()
    folder = evonic.plugin("p")
    evonic.start()
    editor = await window(evonic.root, options={"debounce": 0})
    await editor.state("idle")
    editor.save(folder / "handler.py")
    await editor.state("ok", "p")


def test_a_limit_on_files_does_not_tear_an_announcement(runtime_dir, tmp_path):
    """What was cut by the limit (RLIMIT_FSIZE) is not left for a reader."""
    code = (
        "import os, resource, signal, sys\nfrom pathlib import Path\nfrom evonic_lsp.bridge import rendezvous\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))\n"
        "a = rendezvous.Announcement(1, '0', os.getpid(), '/r', '', 'unix:/x', 1.0)\n"
        "try: rendezvous.announce(a, [Path(sys.argv[1])])\nexcept OSError as error: print(error.strerror)\n"
    )
    folder = rendezvous.private_folder(runtime_dir)
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, timeout=30)
    assert done.stdout == "File too large\n", done.stderr
    assert list(folder.iterdir()) == []
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


# ── Too much to say, and the clock ──


def test_a_plugin_with_more_errors_than_a_message_holds(probe, client):
    made = probe("verbose")
    long = "x = " + "1 + " * 300_000 + ")\n"
    for number in range(12):
        (made.folder / f"long{number}.py").write_text(long)
    outcome = made.reload()
    assert (outcome.status, value(made)) == (wire.REJECTED, 1)
    assert {problem.place.file for problem in outcome.problems} == {f"long{number}.py" for number in range(12)}
    with Client(find(made.host.root), "newcomer") as newcomer:
        info = next(each for each in newcomer.status().plugins if each.id == "verbose")
    assert info.outcome.failed
    for number in range(12):
        (made.folder / f"long{number}.py").unlink()
    heals(made, 2)


def test_a_status_of_hundreds_of_failures_fits_into_a_message():
    place = wire.Place("handler.py", 0, 0, 0, 1, "p", "é" * 900, "é" * 900)
    problem = wire.Problem("E", "m" * 3000, "error", place, [wire.Related("r" * 500, place)] * 2, "t" * 10_000)
    plugins = [
        PluginInfo(
            f"p{n}", "p", "1", True, True, outcome=faulty.outcome(f"p{n}", wire.REJECTED, "m", problems=[problem] * 3)
        )
        for n in range(300)
    ]
    line = wire.response(1, wire.HostStatus("/r", "/r/plugins", "1", "1", 1, True, plugins))
    got = wire.from_json(wire.HostStatus, wire.decode(line)["result"])
    assert [each.id for each in got.plugins] == [f"p{n}" for n in range(300)]
    assert all(each.outcome.failed for each in got.plugins)


@pytest.mark.parametrize("jump", [-1e9, -3600.0, 1e9])
async def test_a_clock_that_jumps_delays_nothing(host, window, monkeypatch, jump):
    evonic = host()
    folder = evonic.plugin("p")
    evonic.outcome = lambda plugin, asked_by: wire.Outcome(plugin, wire.RELOADED, "m", asked_by, 1.0, 1, time.time())
    evonic.start()
    editor = await window(evonic.root, options={"debounce": 20})
    await editor.state("idle")
    real = time.time
    editor.save(folder / "handler.py")
    monkeypatch.setattr(time, "time", lambda: real() + jump)
    started = time.monotonic()
    await editor.state("ok", "p")
    assert time.monotonic() - started < 3
    editor.save(folder / "handler.py")
    await editor.state("ok", "p")


def test_files_from_the_future_and_from_before_the_epoch_are_read_by_their_bytes(probe):
    made = probe("dated")
    for number, moment in ((2, 4e9), (3, 0), (4, -1e9), (5, 4e9)):
        made.write(db=f"VALUE = {number}\n")
        os.utime(made.folder / "db.py", (moment, moment))
        assert (made.reload().status, value(made)) == (wire.RELOADED, number)


# ── A disk that fills up while the host runs ──


@pytest.fixture
def filling(full, own_sandbox, sandbox_root):
    """A running sandbox with its database on a disk that is full, and what makes room on it."""
    data = sandbox_root / "data"
    ballast = full / "ballast"
    size = ballast.stat().st_size
    subprocess.run(["mount", "-o", "remount,size=4m", str(full)], check=True)
    shutil.copytree(data, full / "data")
    shutil.rmtree(data)
    data.symlink_to(full / "data")
    host = own_sandbox()
    hosts.write_plugin(host.root, "p", handler="")
    assert host.inspect("toggle", plugin="p", enabled=True)

    reader = sqlite3.connect(full / "data" / "db" / "evonic.db", isolation_level=None)

    def fill() -> None:
        reader.execute("BEGIN")  # while somebody reads, what is written needs room of its own
        reader.execute("SELECT count(*) FROM app_settings").fetchall()
        with open(ballast, "ab", buffering=0) as stream:
            while os.statvfs(full).f_bavail and stream.write(b"x" * 4096) == 4096:
                pass

    yield host, fill, lambda: os.truncate(ballast, size)
    host.stop()
    reader.close()


@pytest.mark.parametrize(("plugin", "enabled"), [("p", True), (None, False)], ids=["on for one", "off for all"])
def test_a_switch_that_cannot_be_kept_stays_what_it_was_and_says_why(filling, plugin, enabled):
    host, fill, make_room = filling
    with Client(find(host.root), "other") as other, host.client() as client:
        before = client.status()
        fill()
        with pytest.raises(wire.WireError, match="disk"):
            client.switch(enabled, plugin)
        after = client.status()  # the connection goes on
        assert (after.enabled, after.plugins) == (before.enabled, before.plugins)
        assert client.reload("p").status == wire.RELOADED  # which needs no room
        make_room()
        assert client.switch(enabled, plugin).enabled == (enabled or plugin is not None)
        heard = other.notifications()
        while (told := next(heard))[0] != "hotreload/changed":
            pass
        assert told[1] == {"enabled": enabled, "plugin": plugin}  # once, and not when it failed


def test_the_command_line_says_that_the_disk_is_full(filling):
    host, fill, _ = filling
    fill()
    command = [sys.executable, "-m", "evonic_lsp", "hotreload-enable", "p", "--evonic", str(host.root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode not in (0, 2)
    assert "disk" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_switch_that_cannot_be_kept_is_no_fault_of_the_bridge(filling):
    host, fill, _ = filling
    with host.client() as client:
        fill()
        with pytest.raises(wire.WireError, match="disk is full") as told:
            client.switch(True, "p")
    assert not told.value.message.startswith("the bridge failed")
