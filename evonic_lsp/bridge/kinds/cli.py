"""Command-line commands: the host reads them from the manifest whenever it needs them."""

from __future__ import annotations

from typing import Iterator, Optional

from ..generation import Generation
from ..manifest import NAME, mention
from ..wire import Problem
from .base import Kind, Undo


class CliCommands(Kind):
    """Nothing to commit: only the functions are checked for."""

    name = "cli_commands"

    def declare(self, generation: Generation) -> Iterator[Problem]:
        text = generation.snapshot.text(NAME) or ""
        for command in generation.snapshot.manifest().get("cli_commands", []):
            for sub in command.get("subcommands") or []:
                handler = sub.get("handler") if isinstance(sub, dict) else None
                if isinstance(handler, str) and not callable(getattr(generation.handler, handler, None)):
                    message = f"the command-line function {handler} is not in handler.py"
                    yield Problem("manifest", message, "warning", mention(generation.plugin, text, handler))

    def commit(self, plugin: str, old: Optional[Generation], new: Optional[Generation]) -> Undo:
        return lambda: None
