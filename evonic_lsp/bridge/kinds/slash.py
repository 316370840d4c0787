"""Slash commands, from the manifest and from code."""

from __future__ import annotations

import copy
import logging
import sys
from typing import Any, Callable, Dict, Iterator, Optional

from ..generation import Generation
from ..host import Host
from ..manifest import NAME, item
from ..watch import SLASH, Watch
from ..wire import Problem
from .base import Kind, RecordingDict, Undo, recording, replace_in_dict

# The host logs errors of slash commands here; whoever listens for them finds those of ours in the same place.
_logger = logging.getLogger("backend.plugin_sdk")


class Commands(RecordingDict):
    """The registry. The host, about to run a command, sees a copy whose handler is watched; everybody else sees the
    command itself."""

    def __init__(self, watch: Watch, kind: str, items: Dict[str, Any]) -> None:
        super().__init__(kind, items)
        self._watch = watch

    def get(self, key: str, default: Any = None) -> Any:
        command = super().get(key, default)
        runner = sys._getframe(1).f_back  # of the registry's own method
        if command is None or runner is None or runner.f_code.co_name != "execute_command":
            return command
        if hasattr(command.handler, "watched") or self._watch.place(command.handler) is None:
            return command
        seen = copy.copy(command)
        seen.handler = self._watch.seen(SLASH, "/" + key, command.handler)
        return seen


class SlashCommands(Kind):
    """``command_registry``: name -> command."""

    name = "slash_commands"

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        registry = host.command_registry
        if not isinstance(registry._commands, Commands):
            registry._commands = Commands(host.watch, self.name, registry._commands)
        self.live = registry._commands

    def adopt(self, generation: Generation) -> None:
        for name, command in list(self.live.items()):
            if self._owner_is(generation, command):
                generation.add(self.name, (name, command))
                self._watch_inside(generation, name, command)

    def _watch_inside(self, generation: Generation, name: str, command: Any) -> None:
        """The host's wrapper around ``on_slash_command_<name>`` swallows what that raises: what the wrapper calls is
        watched, and the wrapper stays."""
        if generation.owns(command.handler):
            return
        for cell in getattr(command.handler, "__closure__", None) or ():
            if callable(cell.cell_contents) and self.host.watch.place(cell.cell_contents) is not None:
                cell.cell_contents = self.host.watch.seen(SLASH, "/" + name, cell.cell_contents)

    def declare(self, generation: Generation) -> Iterator[Problem]:
        for declared in generation.snapshot.manifest().get("slash_commands", []):
            name = declared.get("id", "")
            if not name:
                continue
            function = f"on_slash_command_{name}"
            found = getattr(generation.handler, function, None)
            if not callable(found):
                text = generation.snapshot.text(NAME) or ""
                yield Problem(
                    "manifest",
                    f"the slash command /{name} is declared, but handler.py has no function {function}(sdk, args)",
                    "warning",
                    item(generation.plugin, text, self.name, "id", name),
                )
                continue
            sdk = self.host.new_sdk(generation.plugin, generation.snapshot.manifest())
            with recording(generation):
                self.host.command_registry.register(
                    name, _command(self.host.watch, name, sdk, found), declared.get("description", "")
                )

    def validate(self, old: Optional[Generation], new: Generation) -> Iterator[Problem]:
        own = dict(old.of(self.name)) if old else {}
        for name, _ in new.of(self.name):
            taken = dict.get(self.live, name)
            if taken is not None and name not in own and not (old and self._owner_is(old, taken)):
                text = new.snapshot.text(NAME) or ""
                message = (
                    f"the slash command /{name} belongs to Evonic or to another plugin already; choose another name"
                )
                yield Problem("conflict", message, "error", item(new.plugin, text, self.name, "id", name))

    def commit(self, plugin: str, old: Optional[Generation], new: Optional[Generation]) -> Undo:
        gone = dict(old.of(self.name)) if old else {}
        gone.update({name: each for name, each in list(self.live.items()) if old and self._owner_is(old, each)})
        return replace_in_dict(self.live, gone, dict(new.of(self.name)) if new else {})

    def discard(self, generation: Generation) -> None:
        for name, command in list(self.live.items()):
            if generation.owns(command.handler):
                self.live.pop(name, None)

    def _owner_is(self, generation: Generation, command: Any) -> bool:
        """Whether a live command is this generation's: its code is, or the SDK that registered it spoke for the
        plugin (what that one calls is the first function of the name in any plugin)."""
        handler = command.handler
        if generation.owns(handler):
            return True
        names = getattr(getattr(handler, "__code__", None), "co_freevars", ())
        cells = getattr(handler, "__closure__", None) or ()
        sdk = next((cell.cell_contents for name, cell in zip(names, cells) if name == "self"), None)
        return isinstance(sdk, self.host.sdk) and getattr(sdk, "plugin_id", None) == generation.plugin


def _command(watch: Watch, name: str, sdk: Any, function: Callable[[Any, str], Any]) -> Callable[..., str]:
    """The host's calling convention around ``on_slash_command_<name>(sdk, args)``."""

    def command(
        session_id: str, agent_id: str, external_user_id: str, channel_id: Optional[str] = None, args: str = ""
    ) -> str:
        try:
            answer = watch.call(SLASH, "/" + name, function, sdk, args)
        except Exception as error:
            _logger.error("Slash command '/%s' of plugin '%s' failed: %s", name, sdk.plugin_id, error, exc_info=True)
            return f"Error: {error}"
        return "" if answer is None else str(answer)

    command.watched = True  # type: ignore[attr-defined]  # within
    command.__wrapped__ = function  # type: ignore[attr-defined]  # whose command it is shows in its code
    return command
