"""Every command of ``evonic-lsp``, thin: the work is in `bridge.commands`, `install`, `doctor`, `server` and `demo`.

Only ``serve`` and ``demo`` may import pygls and lsprotocol, which take a fifth of a second.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from .bridge import commands, rendezvous, text, wire
from .bridge.commands import DONE, FAILED, NO_HOST, USAGE, complain, quiet, say
from .install import InstallError
from .roots import NotEvonic, check_root, find_root

F = TypeVar("F", bound=Callable[..., Any])
_MARKS = {"ok": "ok   ", "warn": "warn ", "fail": "FAIL "}


def _evonic_option(hint: str) -> Callable[[F], F]:
    folder = click.Path(path_type=Path)
    return click.option("--evonic", "root", type=folder, callback=_checked, metavar="ROOT", help=hint)


def _checked(context: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    try:
        return value and check_root(value)
    except (NotEvonic, OSError, ValueError) as error:
        raise click.BadParameter(text.clean(str(error)), context, param) from error


_evonic = _evonic_option(
    "The folder of the Evonic to speak to. [default: the one around this folder, else the only one that runs]"
)


def _here(root: Path | None) -> Path | None:
    """`root`, or the Evonic around the current folder."""
    try:
        return root or find_root(Path.cwd())
    except OSError:  # the current folder is gone
        return None


def _plugins(context: click.Context, param: click.Parameter, begun: str) -> list[str]:
    """For the shell's completion: the plugins of the Evonic that is meant."""
    root = _here(context.params.get("root"))
    roots = [root] if root else [Path(host.root) for host in rendezvous.hosts()]
    found = {path.parent.name for root in roots for path in (root / "plugins").glob("*/plugin.json")}
    return sorted(name for name in found - {wire.BRIDGE_ID} if name.startswith(begun))


def _versions() -> None:
    from . import versions

    for line in versions.of_all(_here(None)):
        say(text.clean(line))
    _exit(DONE)


def _exit(status: int) -> None:
    click.get_current_context().exit(status)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda context, param, asked: _versions() if asked else None,
    help="Show the versions of all parts, and exit.",
)
def main() -> None:
    """Save a file of an Evonic plugin, and the running Evonic serves the new code a moment later.

    Exit status: 0 done, 1 the reload (or whatever was asked) failed, 2 usage, 3 no running Evonic was reached.
    """


# ── Putting the bridge into an Evonic ──


@main.command()
@click.argument("root", type=click.Path(path_type=Path))
def install(root: Path) -> None:
    """Put the bridge into the Evonic at ROOT and enable it; again to upgrade it."""
    _exit(_install(root))


@quiet
def _install(root: Path) -> int:
    from .install import install as put_in

    try:
        done = put_in(root)
    except (InstallError, NotEvonic) as error:
        return complain(str(error), USAGE if isinstance(error, NotEvonic) else FAILED)
    was = f" (was {done.previous})" if done.state == "upgraded" else ""
    say(f"{done.state}: evonic-lsp {done.version}{was} in {done.folder}, enabled")
    say(f"next: {done.following}")
    return DONE


@main.command()
@click.argument("root", type=click.Path(path_type=Path))
def uninstall(root: Path) -> None:
    """Disable the bridge in the Evonic at ROOT and remove it."""
    _exit(_uninstall(root))


@quiet
def _uninstall(root: Path) -> int:
    from .install import uninstall as take_out

    try:
        done = take_out(root)
    except (InstallError, NotEvonic) as error:
        return complain(str(error), USAGE if isinstance(error, NotEvonic) else FAILED)
    say(f"{'removed' if done.removed else 'not removed'}: {done.folder}")
    say(f"next: {done.following}")
    return DONE


@main.command()
@_evonic
def doctor(root: Path | None) -> None:
    """Check everything between the editor and Evonic, and say what to type."""
    _exit(_doctor(_here(root)))


@quiet
def _doctor(root: Path | None) -> int:
    from .doctor import FAIL, checks

    status = DONE
    for check in checks(root):
        head, *more = text.clean(check.what).split("\n")
        say("\n".join([_MARKS[check.mark] + head, *(f"     {line}" for line in more)]))
        if check.fix:
            say(f"     -> {text.one_line(check.fix)}")
        if check.mark == FAIL:
            status = NO_HOST if check.no_host or status == NO_HOST else FAILED
    return status


# ── Speaking to a running Evonic ──


@main.command()
@click.argument("plugin", metavar="ID", shell_complete=_plugins)
@_evonic
def reload(plugin: str, root: Path | None) -> None:
    """Reload the plugin ID now."""
    _exit(commands.reload(_here(root), plugin))


@main.command()
@click.argument("plugin", metavar="[ID]", required=False, shell_complete=_plugins)
@_evonic
def hotreload_enable(plugin: str | None, root: Path | None) -> None:
    """Reload the plugin ID whenever it is saved; without ID, turn the global switch on."""
    _exit(commands.switch(_here(root), True, plugin))


@main.command()
@click.argument("plugin", metavar="[ID]", required=False, shell_complete=_plugins)
@_evonic
def hotreload_disable(plugin: str | None, root: Path | None) -> None:
    """Stop reloading the plugin ID on save; without ID, turn the global switch off."""
    _exit(commands.switch(_here(root), False, plugin))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON, as it comes over the wire.")
@_evonic
def hotreload_status(as_json: bool, root: Path | None) -> None:
    """Show the switches, the plugins and their last outcomes."""
    _exit(commands.status(_here(root), as_json))


@main.command()
@click.argument("plugin", metavar="ID", shell_complete=_plugins)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is logged from now on, until Ctrl-C.")
@click.option(
    "-n", "--limit", type=click.IntRange(1, commands.MOST_LOGS), default=100, show_default=True, help="How many lines."
)
@_evonic
def logs(plugin: str, follow: bool, limit: int, root: Path | None) -> None:
    """Show the log of the plugin ID."""
    _exit(commands.logs(_here(root), plugin, follow, limit))


# ── The language server and the demo ──


@main.command()
@click.option("--stdio", is_flag=True, help="Speak over standard input and output (the only way, and the default).")
def serve(stdio: bool) -> None:
    """Be the language server of an editor."""
    from .server import serve as run

    run()


@main.command()
@_evonic_option("An Evonic to show it in: in a copy of its code. [default: the sandbox that comes with evonic-lsp]")
def demo(root: Path | None) -> None:
    """Watch the whole job end to end, in the terminal."""
    from .demo import demo as run

    _exit(run(root))
