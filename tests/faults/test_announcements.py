"""Who may say where a host listens, and what is believed of it."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evonic_lsp import plugins
from evonic_lsp.bridge import rendezvous, wire
from evonic_lsp.bridge.client import Client, NoHost, connect, find
from evonic_lsp.bridge.listener import Listener
from evonic_lsp.bridge.rendezvous import Announcement, private_folder, read_announcement, run_dir

GOOD = Announcement(wire.PROTOCOL, wire.VERSION, os.getpid(), "/r", "/r/plugins", "unix:/r/host.sock", 1.0)


def write(folder, name="host-1.json", mode=0o600, **changes):
    """An announcement, true but for the `changes`."""
    file = private_folder(folder) / name
    file.write_text(json.dumps({**wire.to_json(GOOD), **changes}))
    file.chmod(mode)
    return file


@pytest.mark.parametrize(
    "changes",
    [
        {"pid": 2**70},
        {"pid": -(2**70)},
        {"pid": 0},
        {"pid": -1},
        {"root": "/r\0"},
        {"root": "/r\ud800"},
        {"root": "r"},
        {"root": ""},
        {"pluginsDir": "/r\0/plugins"},
        {"pluginsDir": "../plugins"},
        {"endpoint": "unix:/r\0"},
        {"endpoint": "unix:r.sock"},
        {"endpoint": "tcp:192.0.2.1:80", "token": "t"},
        {"endpoint": "http://127.0.0.1:80"},
        {"endpoint": ""},
        {"started": "soon"},
        {"protocol": None},
    ],
    ids=str,
)
def test_one_bad_announcement_hides_no_good_one(runtime_dir, root, listener, changes):
    write(runtime_dir, **changes)
    assert [host.pid for host in rendezvous.hosts()] == [os.getpid()]
    assert [host.root for host in rendezvous.hosts(root)] == [str(root)]
    assert [str(each.folder) for each in plugins.running()] == [os.path.realpath(root)]
    with Client(find(root), "test"):
        pass


@given(st.one_of(st.binary(max_size=200), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from([*wire.to_json(GOOD), "x"]), inner, max_size=9), max_leaves=20,
).map(lambda value: json.dumps(value).encode())))  # fmt: skip
def test_any_bytes_as_an_announcement(runtime_dir, data):
    file = private_folder(runtime_dir) / "host-7.json"
    file.write_bytes(data)
    found = read_announcement(file)
    assert found is None or os.path.isabs(found.root)
    rendezvous.hosts()
    plugins.running()


@given(st.fixed_dictionaries({}, optional={
    "pid": st.integers(), "root": st.text(max_size=9), "started": st.floats(), "endpoint": st.text(max_size=9),
    "token": st.none() | st.text(max_size=9), "protocol": st.integers(),
}))  # fmt: skip
def test_any_values_in_an_announcement(runtime_dir, changes):
    write(runtime_dir, **changes)
    for host in rendezvous.hosts():
        assert os.path.isabs(host.root)
    plugins.running()


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666, 0o644, 0o640])
def test_what_others_may_write_to_or_read_is_not_believed(runtime_dir, mode):
    assert read_announcement(write(runtime_dir)) is not None
    assert read_announcement(write(runtime_dir, mode=mode)) is None


@pytest.mark.parametrize("folder_mode", [0o755, 0o777, 0o750])
def test_what_came_with_a_repository_is_not_believed(runtime_dir, root, folder_mode):
    """Git keeps no modes: what it checks out can be read by others, and no host of ours makes such files."""
    file = write(run_dir(root), root="/proc/self/cwd", endpoint="tcp:127.0.0.1:9", started=9e99, pid=1)
    assert read_announcement(file) is not None
    run_dir(root).chmod(folder_mode)
    assert read_announcement(file) is None
    assert rendezvous.hosts(root) == []


def test_a_link_a_folder_and_a_pipe_are_no_announcements(runtime_dir, tmp_path):
    real = write(tmp_path / "elsewhere")
    private_folder(runtime_dir)
    (runtime_dir / "host-1.json").symlink_to(real)
    (runtime_dir / "host-2.json").mkdir()
    os.mkfifo(runtime_dir / "host-3.json", 0o600)  # whoever opens it to read waits for ever
    (runtime_dir / "host-4.json").symlink_to("host-4.json")
    assert rendezvous.hosts() == []


def test_a_dead_hosts_announcement_removes_its_own_socket_and_nothing_else(runtime_dir, tmp_path):
    dead = 4194305  # above Linux's highest process number
    victims = [tmp_path / "victim", private_folder(runtime_dir) / "bell-1-1", runtime_dir / "host-1.sock"]
    for victim in victims:
        victim.touch()
        assert read_announcement(write(runtime_dir, "host-9.json", pid=dead, endpoint=f"unix:{victim}")) is None
        assert victim.exists()
    climbing = f"unix:{runtime_dir}/../{tmp_path.name}/victim"
    assert read_announcement(write(runtime_dir, "host-9.json", pid=dead, endpoint=climbing)) is None
    own = runtime_dir / f"host-{dead}.sock"
    own.touch()
    file = write(runtime_dir, "host-9.json", pid=dead, endpoint=f"unix:{own}")
    assert read_announcement(file) is None
    assert not own.exists()
    assert not file.exists()


# ── Links planted ──


def test_a_link_planted_where_the_socket_goes_is_replaced_and_its_target_stays(root, tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    folder = private_folder(run_dir(root))
    for name in (f"host-{os.getpid()}.sock", f"host-{os.getpid()}.json", f"host-{os.getpid()}.part"):
        (folder / name).symlink_to(victim)
    made = Listener(str(root), "", lambda method, params: None)
    made.start()
    try:
        assert victim.read_text() == "precious"
        assert find(root).endpoint == f"unix:{folder}/host-{os.getpid()}.sock"
        assert stat.S_ISSOCK(os.lstat(folder / f"host-{os.getpid()}.sock").st_mode)
        assert stat.S_ISREG(os.lstat(folder / f"host-{os.getpid()}.json").st_mode)
    finally:
        made.stop()
    assert victim.read_text() == "precious"
    assert not list(root.rglob("host-*"))


@pytest.mark.parametrize("planted", ["host-{}.sock", "host-{}.json", "host-{}.part"])
def test_a_folder_planted_where_a_file_goes_only_costs_that_place(root, runtime_dir, planted):
    (private_folder(run_dir(root)) / planted.format(os.getpid()) / "x").mkdir(parents=True)
    made = Listener(str(root), "", lambda method, params: None)
    made.start()
    try:
        connect(find(root).endpoint).close()
    finally:
        made.stop()
    assert not list(runtime_dir.glob("host-*"))


def test_the_run_folder_may_be_a_planted_link_and_the_host_is_found_all_the_same(root, tmp_path):
    (tmp_path / "theirs").mkdir()
    run_dir(root).parent.mkdir()
    run_dir(root).symlink_to(tmp_path / "theirs")
    made = Listener(str(root), "", lambda method, params: None)
    made.start()
    try:
        assert find(root).pid == os.getpid()
        assert not list((tmp_path / "theirs").iterdir())
    finally:
        made.stop()


# ── Other users ──


def test_another_user_is_not_served(nobody, commons):
    made = Listener(str(commons), "", lambda method, params: None)
    made.start()
    try:
        path = Path(find(commons).endpoint[5:])
        # As if every folder and the socket itself had been opened to all: the check of the peer is what is left.
        for each in (path, path.parent, path.parent.parent):
            each.chmod(0o777)
        code = (
            "s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(sys.argv[1])\n"
            "try: s.sendall(wire.request(1, 'initialize', {'protocol': 1}))\nexcept OSError: pass\n"
            "try: print('said', s.recv(100))\nexcept OSError: print(\"said b''\")\n"
        )
        status, said = nobody(code, path)
        assert (status, said) == (0, "said b''\n")
    finally:
        made.stop()


def test_another_users_host_is_not_spoken_to(nobody, commons, root, runtime_dir):
    """They listen where our host did, and even our own announcement says so."""
    code = (
        "path = sys.argv[1]; s = socket.socket(socket.AF_UNIX); s.bind(path + '.new'); os.chmod(path + '.new', 0o666)\n"
        "s.listen(); os.rename(path + '.new', path); s.settimeout(20)\n"
        "c, _ = s.accept(); c.settimeout(20); print('heard', c.recv(99))\n"
    )
    path = commons / "s"
    with ThreadPoolExecutor(1) as pool:
        theirs = pool.submit(nobody, code, path)
        end = time.monotonic() + 15
        while not path.exists() and not theirs.done():  # a file has no event to wait for
            assert time.monotonic() < end
            time.sleep(0.01)
        write(runtime_dir, endpoint=f"unix:{path}", root=str(root))
        with pytest.raises(NoHost, match="user 65534, not us"):
            Client(find(root), "test")
        assert theirs.result(25) == (0, "heard b''\n")


def test_a_runtime_directory_of_another_user_is_no_accident(nobody, root, runtime_dir, listener):
    """`su` keeps XDG_RUNTIME_DIR: a folder that we may not even look into."""
    code = (
        "print(rendezvous.hosts(), rendezvous.usable_runtime_dirs())\n"
        "try: client.find()\nexcept NoHost: print('no host')\n"
    )
    assert nobody(code) == (0, "[] []\nno host\n")


def test_announcements_of_another_user_are_not_believed(nobody, commons, root, monkeypatch, listener):
    """They made the runtime directory before we came."""
    code = (
        "folder = Path(sys.argv[1]) / 'evonic-lsp'; folder.mkdir(); folder.chmod(0o777)\n"
        "a = rendezvous.Announcement(1, '0', 1, sys.argv[2], '/', 'unix:/evil', 9e9)\n"
        "(folder / 'host-1.json').write_text(json.dumps(wire.to_json(a)))\nprint('done')\n"
    )
    assert nobody(code, commons, root) == (0, "done\n")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(commons))
    assert [host.pid for host in rendezvous.hosts(root)] == [os.getpid()]
    assert rendezvous.usable_runtime_dirs() == []


# ── Two hosts, one of them long dead ──


@pytest.mark.parametrize("later", [-1e9, 0, 1e9])
def test_a_number_used_again_and_a_clock_that_jumped_hide_no_host(root, listener, runtime_dir, later):
    """A host was killed, its number is that of another process now, and its clock was ahead of ours."""
    stale = runtime_dir / "host-1.sock"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(stale))
    dead.close()
    started = find(root).started + later
    write(runtime_dir, pid=os.getppid(), root=str(root), endpoint=f"unix:{stale}", started=started)
    with Client(find(root), "test") as client:
        assert client.host.pid == os.getpid()
    write(runtime_dir, pid=os.getppid(), root="/another", endpoint=f"unix:{stale}", started=started)
    assert find().pid == os.getpid()


WRONG_ENDPOINTS = [
    *("tcp:127.0.0.1:99999", "tcp:127.0.0.1:-1", "tcp:\ud800:80", "tcp:a..b:80", "tcp:" + "é" * 99 + ":1"),
    *("unix:\ud800", "unix:\0", "unix:" + "x" * 300),
]


@pytest.mark.parametrize("endpoint", WRONG_ENDPOINTS)
def test_no_endpoint_is_more_than_no_host(endpoint):
    with pytest.raises(NoHost):
        connect(endpoint)


def test_the_announcement_is_what_the_wire_says():
    assert wire.from_json(Announcement, wire.to_json(GOOD)) == GOOD
    assert dataclasses.replace(GOOD, token="t") != GOOD
