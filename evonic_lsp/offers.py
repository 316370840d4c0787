"""What the editor is asked, once each: to switch hot reload on for a plugin, to install or upgrade the bridge."""

from __future__ import annotations

import asyncio
import enum
import logging
from pathlib import Path
from typing import Callable, Optional, Set, Tuple

from .bridge import wire
from .bridge.client import NoHost
from .bridge.wire import HostStatus, PluginInfo, WireError
from .editor import ERROR, Editor, Status
from .hosts import ENDPOINT, Hosts
from .roots import NotEvonic
from .settings import ALWAYS, ASK

logger = logging.getLogger(__name__)
ENABLE, NOT_NOW, NEVER = "Enable", "Not now", "Never"
RUN, CANCEL = "Run", "Cancel"
INSTALL, UPGRADE = "Install the bridge", "Upgrade the bridge"


class Bridge(enum.Enum):
    """What is on the disk of an Evonic. OTHER: of another version than this package; UNKNOWN: not on this machine."""

    ABSENT, SAME, OTHER, UNKNOWN = range(4)


class Offers:
    """`enabled(root, plugin)` is called when hot reload was switched on here."""

    def __init__(self, editor: Editor, hosts: Hosts, enabled: Callable[[str, str], None]) -> None:
        self._editor = editor
        self._hosts = hosts
        self._enabled = enabled
        self._saved: Set[Tuple[str, str]] = set()
        self._asked: Set[Tuple[str, str]] = set()
        self._replayed: Set[Tuple[str, str, Optional[str]]] = set()

    def may_ask(self, root: str, plugin: str) -> None:
        """A person has saved this plugin: they may be asked about it."""
        self._saved.add((root, plugin))

    def is_persons(self, root: str, plugin: str) -> bool:
        """Whether a person has saved this plugin."""
        return (root, plugin) in self._saved

    async def opt_in(self, root: str, plugin: str, how: str) -> None:
        """A save was refused by the host. If that is for want of consent, gets it as the setting `optIn` (`how`)
        says. Whoever has decided before, anywhere, is not asked again."""
        link = self._hosts.link(root)
        try:
            status = await link.status()
            if not _undecided(status, plugin):
                return
            if how == ALWAYS:
                await link.switch(True, plugin)
                self._enabled(root, plugin)
            elif how == ASK and (root, plugin) in self._saved and (root, plugin) not in self._asked:
                self._asked.add((root, plugin))
                question = f"Reload the plugin {plugin} in the running Evonic whenever one of its files is saved?"
                answer = await self._editor.ask(question, ENABLE, NOT_NOW, NEVER)
                if answer in (ENABLE, NEVER):
                    await link.switch(answer == ENABLE, plugin)
                if answer == ENABLE:
                    self._enabled(root, plugin)
        except (NoHost, WireError) as error:
            self._editor.status(Status("idle", str(error), plugin))

    async def may_replay(self, root: str, plugin: str, handler: Optional[str]) -> bool:
        """Whether a handler may run once more: it may send messages to people. Asks once for each."""
        if (root, plugin, handler) in self._replayed:
            return True
        which = f"The handler {handler} of {plugin}" if handler else f"The handler of {plugin} with the newest event"
        question = f"{which} will run again on the last event that it got. What it sends or changes, it will again."
        if await self._editor.ask(question, RUN, CANCEL) != RUN:
            return False
        self._replayed.add((root, plugin, handler))
        return True

    async def bridge_if_missing(self, root: str, plugins_dir: Optional[Path]) -> None:
        """No host answers for this root. Offers to install the bridge if it is not there."""
        if bridge_in(root, plugins_dir) is not Bridge.ABSENT:
            return
        question = f"The Evonic at {root} cannot reload plugins on save: the evonic-lsp bridge is not installed in it."
        await self._install(root, question, INSTALL)

    async def upgrade(self, root: str, why: str) -> None:
        """The host speaks another protocol."""
        await self._install(root, why, UPGRADE)

    async def _install(self, root: str, question: str, action: str) -> None:
        if (root, action) in self._asked:
            return
        self._asked.add((root, action))
        if root.startswith(ENDPOINT):
            self._editor.show(question, ERROR)
            return
        if await self._editor.ask(question, action, NOT_NOW) == action:
            await self.install(root)

    async def install(self, root: str) -> None:
        """Installs or upgrades the bridge, and tells what comes next."""
        from .install import InstallError, install

        try:
            done = await asyncio.to_thread(install, Path(root))
        except (InstallError, NotEvonic, OSError) as error:
            self._editor.show(str(error), ERROR)
        else:
            self._editor.show(done.following)


def bridge_in(root: str, plugins_dir: Optional[Path]) -> Bridge:
    """What is installed in an Evonic on this machine."""
    if root.startswith(ENDPOINT) or plugins_dir is None:
        return Bridge.UNKNOWN
    from .install import version_in

    version = version_in(plugins_dir / wire.BRIDGE_ID)
    return Bridge.ABSENT if version is None else Bridge.SAME if version == wire.VERSION else Bridge.OTHER


def _undecided(status: HostStatus, plugin: str) -> bool:
    info: Optional[PluginInfo] = next((each for each in status.plugins if each.id == plugin), None)
    return bool(status.enabled and info and info.enabled and not info.hotreload and not info.decided)
