"""``./evonic``: the commands of the core, and those that enabled plugins declare."""

import argparse
import sys
from typing import Any, Callable, Dict

import config


def main() -> None:
    """Runs the command in ``sys.argv``. Whatever it is, every enabled plugin is loaded first."""
    config.configure_logging()
    from backend.plugin_manager import plugin_manager

    parser = argparse.ArgumentParser(prog="evonic", description="The sandbox host and its plugins.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _add_core(commands)
    _add_plugins(commands, plugin_manager)
    arguments = parser.parse_args()
    run = getattr(arguments, "run", None)
    if run is None:
        getattr(arguments, "parser", parser).print_help()
        sys.exit(0)
    sys.exit(run(arguments))


def _add_core(commands: Any) -> None:
    from cli import commands as core

    start = commands.add_parser("start", help="Start the server")
    start.add_argument("--host")
    start.add_argument("--port", type=int)
    start.add_argument("-d", "--daemon", action="store_true", help="In the background")
    start.set_defaults(run=lambda given: core.start(given.host, given.port, given.daemon))
    commands.add_parser("stop", help="Stop the server in the background").set_defaults(run=lambda given: core.stop())
    commands.add_parser("status", help="Is there one?").set_defaults(run=lambda given: core.status())

    plugin = commands.add_parser("plugin", help="Manage plugins")
    plugin.set_defaults(parser=plugin)
    subcommands = plugin.add_subparsers(dest="plugin_command", metavar="COMMAND")

    def add(name: str, help: str, run: Callable[..., int], *names: str) -> None:
        sub = subcommands.add_parser(name, help=help)
        for argument in names:
            sub.add_argument(argument)
        sub.set_defaults(run=lambda given: run(*(getattr(given, argument) for argument in names)))

    add("list", "List all plugins", core.plugin_list)
    add("install", "Install a plugin from a zip file or a folder", core.plugin_install, "source")
    add("uninstall", "Delete a plugin", core.plugin_uninstall, "plugin_id")
    add("enable", "Switch a plugin on", lambda plugin_id: core.plugin_switch(plugin_id, True), "plugin_id")
    add("disable", "Switch a plugin off", lambda plugin_id: core.plugin_switch(plugin_id, False), "plugin_id")
    add("new", "Write a plugin to begin with", core.plugin_new)


def _add_plugins(commands: Any, manager: Any) -> None:
    """The commands of plugins. One that does not fit is left out, with a word about it."""
    for name, command in manager.get_cli_commands().items():
        if name in commands.choices:
            print(f"The command '{name}' of plugin '{command['plugin_id']}' is taken.", file=sys.stderr)
            continue
        try:
            parser = commands.add_parser(name, help=command["help"], description=command["description"])
            parser.set_defaults(parser=parser)
            subcommands = (
                parser.add_subparsers(dest=f"{name}_command", metavar="COMMAND") if command["subcommands"] else None
            )
            for sub_name, sub in command["subcommands"].items():
                _add_subcommand(subcommands, manager, sub_name, sub)
        except (TypeError, ValueError, KeyError) as error:
            print(f"The command '{name}' of plugin '{command['plugin_id']}': {error}", file=sys.stderr)


def _add_subcommand(subcommands: Any, manager: Any, name: str, sub: Dict[str, Any]) -> None:
    parser = subcommands.add_parser(name, help=sub["help"], description=sub["description"])
    keys = []
    for argument in sub["arguments"]:
        options = {key: value for key, value in argument.items() if key not in ("name", "short")}
        names = [argument["name"], argument["short"]] if argument.get("short") else [argument["name"]]
        parser.add_argument(*names, **options)
        keys.append(argument["name"].lstrip("-").replace("-", "_"))

    def run(given: argparse.Namespace) -> int:
        """Calls the plugin's function with what was given; its own ``sys.exit`` decides, else it is 0."""
        plugin_id, handler = sub["plugin_id"], sub["handler"]
        if plugin_id not in manager._modules:
            print(f"The plugin {plugin_id} could not be loaded; the log says why.")
            return 1
        function = getattr(manager._modules[plugin_id], handler, None) if handler else None
        if not callable(function):
            print(f"Error: CLI handler '{handler}' not found in plugin '{plugin_id}'.")
            return 1
        values = {key: getattr(given, key, None) for key in keys}
        function(**{key: value for key, value in values.items() if value is not None})
        return 0

    parser.set_defaults(run=run)


if __name__ == "__main__":
    main()
