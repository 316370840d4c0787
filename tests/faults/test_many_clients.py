"""Clients of a running host: many at once, slow ones, and those that never read."""

from __future__ import annotations

import random
import threading

import pytest
from faults import faulty
from faults.faulty import Wire, value
from faults.test_stdio import linux

from evonic_lsp.bridge import listener as listeners
from evonic_lsp.bridge import wire
from evonic_lsp.bridge.client import Client, find

MB = 1024 * 1024
OURS = ["evonic-lsp answer_0", "evonic-lsp answer_1", "evonic-lsp listener", "evonic-lsp reload"]


def ours(host):
    """The threads of the bridge."""
    return [name for name in host.inspect("threads") if name.startswith("evonic-lsp")]


@pytest.fixture
def own(own_sandbox):
    """A sandbox for one test, and its gate."""
    host = own_sandbox()
    return host, faulty.Gate(host)


def hung_up(connection):
    """Reads to the end."""
    try:
        while connection.socket.recv(MB):
            pass
    except ConnectionResetError:
        pass  # the same
    connection.close()


@linux
def test_a_client_that_reads_slowly_gets_everything_in_order_and_costs_no_memory(listener, root):
    """40 MB, of which a good part of what may wait for one client is always waiting."""
    ahead, size = listeners._MOST_UNREAD // 2, 64 * 1024
    room = threading.Semaphore(ahead // size)
    with Client(find(root), "slow") as slow:
        told = slow.notifications()
        before = faulty.memory_of()
        got = []

        def read():
            for _ in range(640):
                got.append(int(next(told)[1].strip()))
                room.release()

        reader = threading.Thread(target=read)
        reader.start()
        for number in range(640):
            assert room.acquire(timeout=faulty.LIMIT), f"the client has got no more than {len(got)}"
            listener.notify("plugin/log", str(number).ljust(size))
        reader.join(faulty.LIMIT)
        assert got == list(range(640))
        assert faulty.memory_of() - before < ahead + 24 * MB


@linux
def test_those_who_never_read_are_let_go_and_the_memory_comes_back(own):
    """At the limit as it is, in a host that has little else to do."""
    host, gate = own
    process = host.process.pid
    with Client(find(host.root), "reader") as reader:
        threading.Thread(target=lambda: [None for _ in reader.notifications()], daemon=True).start()
        gate.tell(20, 100_000)
        files, before, most = faulty.files_of(process), faulty.memory_of(process), 0
        for _ in range(3):
            never = [Wire(host.root) for _ in range(4)]
            for _ in range(15):
                gate.tell(20, 100_000)
                most = max(most, faulty.memory_of(process) - before)
            faulty.until(lambda: faulty.files_of(process) <= files)
            for each in never:
                hung_up(each)
    print(f"{most / MB:.0f} MB at most")
    assert most < len(never) * listeners._MOST_UNREAD + 48 * MB
    assert host.get("/api/health")["status"] == "ok"


@pytest.mark.parametrize("character", ["x", "é", "😋"], ids=ascii)
def test_a_burst_of_long_lines_does_not_cut_off_a_client_that_reads(gate, sandbox, character):
    name = f"chatty{ord(character)}"
    with Wire(sandbox.root) as connection:
        logging = threading.Thread(target=gate.log, args=(name, 20, 200_000, character))
        logging.start()
        got = []
        while len(got) < 20:
            message = connection.receive()
            if message.get("method") == "plugin/log" and message["params"]["plugin"] == name:
                got.append(int(message["params"]["message"].split()[0]))
        logging.join(faulty.LIMIT)
        assert got == list(range(20))


@linux
def test_fifty_clients_come_and_go_while_plugins_are_reloaded(probe, client, sandbox):
    """Each asks for whatever it likes, leaves whenever it likes, and some without waiting for what they asked."""
    plugins = [probe(f"busy{number}") for number in range(3)]
    process = sandbox.process.pid
    client.status()
    files = faulty.files_of(process)
    start, failed, saving = threading.Barrier(50), [], threading.Lock()
    outcomes: list[str] = []

    def visit(number):
        dice = random.Random(number)
        try:
            start.wait(faulty.LIMIT)
            for _ in range(3):
                with Client(find(sandbox.root), f"client {number}", timeout=faulty.LIMIT) as visitor:
                    for _ in range(dice.randrange(4)):
                        busy = dice.choice(plugins)
                        if dice.random() < 0.5:
                            with saving:
                                busy.write(db=f"VALUE = {dice.random()}\n")
                            outcomes.append(visitor.reload(busy.id).status)
                        else:
                            assert busy.id in {each.id for each in visitor.status().plugins}
                    if dice.random() < 0.3:
                        visitor._socket.sendall(wire.request(99, "plugin/reload", {"plugin": plugins[0].id}))
        except BaseException as error:
            failed.append(error)

    visitors = [threading.Thread(target=visit, args=(number,)) for number in range(50)]
    for each in visitors:
        each.start()
    for each in visitors:
        each.join(30)
    assert failed == []
    assert not any(each.is_alive() for each in visitors)
    assert len(outcomes) > 50
    assert set(outcomes) == {wire.RELOADED}
    for number, each in enumerate(plugins):
        each.write(db=f"VALUE = {number}\n")
        assert each.reload().status == wire.RELOADED
        assert value(each) == number
    faulty.until(lambda: client.status() and faulty.files_of(process) == files)
    faulty.until(lambda: ours(sandbox) == OURS)
