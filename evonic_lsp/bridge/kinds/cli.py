"""Command-line commands: the host reads them from the manifest whenever it needs them."""

from __future__ import annotations

from typing import Iterator, Optional

from ..generation import Generation
from ..manifest import NAME, place
from ..wire import Problem
from .base import Kind, Undo


class CliCommands(Kind):
    """Nothing to commit: only the functions are checked for."""

    name = "cli_commands"

    def declare(self, generation: Generation) -> Iterator[Problem]:
        text = generation.snapshot.text(NAME) or ""
        for number, command in enumerate(generation.snapshot.manifest().get("cli_commands", [])):
            for place_in, sub in enumerate(command.get("subcommands") or []):
                handler = sub.get("handler") if isinstance(sub, dict) else None
                if isinstance(handler, str) and not callable(getattr(generation.handler, handler, None)):
                    message = f"the command-line function {handler} is not in handler.py"
                    path = (self.name, number, "subcommands", place_in, "handler")
                    yield Problem("manifest", message, "warning", place(generation.plugin, text, path))

    def commit(self, plugin: str, old: Optional[Generation], new: Optional[Generation]) -> Undo:
        return lambda: None
