"""Slash commands: what a user types as ``/name arguments`` in a chat."""

from typing import Callable, Dict, List, Optional, Tuple

# (session_id, agent_id, external_user_id, channel_id, args) -> answer
Handler = Callable[[str, str, str, Optional[str], str], str]


class SlashCommand:
    """A command and what runs it."""

    def __init__(self, name: str, handler: Handler, description: str = "") -> None:
        self.name = name
        self.handler = handler
        self.description = description


class SlashCommandRegistry:
    """The commands by name; who registers a name later takes it over."""

    def __init__(self) -> None:
        self._commands: Dict[str, SlashCommand] = {}

    def register(self, name: str, handler: Handler, description: str = "") -> None:
        """Adds a command."""
        self._commands[name] = SlashCommand(name, handler, description)

    def get(self, name: str) -> Optional[SlashCommand]:
        """The command of this name."""
        return self._commands.get(name)

    def list_commands(self) -> List[Tuple[str, str]]:
        """(name, description) of each."""
        return [(command.name, command.description) for command in self._commands.values()]


command_registry = SlashCommandRegistry()


def execute_command(
    cmd_name: str,
    args: str,
    session_id: str,
    agent_id: str,
    external_user_id: str,
    channel_id: Optional[str] = None,
) -> Optional[str]:
    """The answer of a command, None if there is none of this name. What its handler raises is raised."""
    command = command_registry.get(cmd_name)
    if command is None:
        return None
    return command.handler(session_id, agent_id, external_user_id, channel_id, args)


def _help(session_id: str, agent_id: str, external_user_id: str, channel_id: Optional[str], args: str) -> str:
    return "\n".join(f"/{name}: {description}" for name, description in command_registry.list_commands())


command_registry.register("help", _help, "Lists the commands")
