"""The links of one editor: one to each Evonic that it works with, and the bells that tell when one starts."""

from __future__ import annotations

import asyncio
import functools
import logging
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Tuple

from .bridge import client, rendezvous, wire
from .bridge.rendezvous import Announcement, Bell
from .bridge.wire import HostStatus
from .link import Link

logger = logging.getLogger(__name__)
# Where the setting `endpoint` says: the root of that host is on a machine that we may not see.
ENDPOINT = "endpoint:"


class Hosts:
    """`root` is everywhere the real path of an Evonic, or ``endpoint:`` and a configured endpoint.

    `connected(root, status)`, `heard(root, method, params)` and `lost(root)` are called as those of :class:`Link`;
    `rang()` when a host has started somewhere.
    """

    def __init__(
        self,
        connected: Callable[[str, HostStatus], None],
        heard: Callable[[str, str, Any], None],
        lost: Callable[[str], None],
        rang: Callable[[], None],
    ) -> None:
        self._connected = connected
        self._heard = heard
        self._lost = lost
        self._rang = rang
        self._links: Dict[str, Link] = {}
        self._bells: List[Tuple[Bell, asyncio.DatagramTransport]] = []

    async def listen(self) -> None:
        """Hangs the bells."""
        loop = asyncio.get_running_loop()
        for folder in rendezvous.usable_runtime_dirs():
            try:
                bell = Bell(folder)
            except OSError as error:  # a path too long for a socket, a full disk
                logger.warning(
                    "no bell can be hung in %s (%s): a host is found when a file is opened or saved", folder, error
                )
                continue
            transport, _ = await loop.create_datagram_endpoint(lambda: _Ear(self._rang), sock=bell.socket)
            self._bells.append((bell, transport))

    def link(self, root: str) -> Link:
        """The link to a host; made if need be, not yet connected."""
        if root not in self._links:
            self._links[root] = Link(
                functools.partial(_announced, root),
                functools.partial(self._connected, root),
                functools.partial(self._heard, root),
                functools.partial(self._lost, root),
            )
        return self._links[root]

    def renewed(self, root: str) -> Link:
        """Hangs up, whatever is being said; a link to the same host, not yet connected."""
        self.link(root).close()
        del self._links[root]
        return self.link(root)

    def __iter__(self) -> Iterator[Tuple[str, Link]]:
        return iter(list(self._links.items()))

    def drop(self) -> None:
        """Ends every link."""
        for link in self._links.values():
            link.close()
        self._links.clear()

    def close(self) -> None:
        """Ends every link and takes down the bells; inside the event loop."""
        self.drop()
        for _, transport in self._bells:
            transport.abort()
        self.take_down_bells()

    def take_down_bells(self) -> None:
        """For the end of the process, whatever ends it: the links end with it, the bells' files would stay."""
        for bell, _ in self._bells:
            bell.close()
        self._bells.clear()


class _Ear(asyncio.DatagramProtocol):
    def __init__(self, rang: Callable[[], None]) -> None:
        self._rang = rang

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._rang()


def _announced(root: str) -> Announcement:
    if not root.startswith(ENDPOINT):
        return client.find(Path(root))
    endpoint = root[len(ENDPOINT) :]
    for host in rendezvous.hosts():
        if host.endpoint == endpoint:
            return host
    return Announcement(wire.PROTOCOL, wire.VERSION, 0, "", "", endpoint, 0.0)
