"""The LSP commands ``evonic.*``: each takes one optional argument, a plugin id or the URI of a file;
``evonic.replay`` a second one, the name of an event or of its handler."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Dict, Optional, Tuple

from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams

from . import plugins, shown
from .bridge import wire
from .bridge.client import NoHost
from .bridge.messages import Replayed
from .bridge.wire import PluginInfo, WireError
from .editor import Status
from .hosts import ENDPOINT
from .session import Session
from .where import Ref

# Instead of a plugin: Evonic as a whole.
ALL = "*"
REPLAY = "replay"
# How long one of many hosts may keep the others waiting, in seconds.
_PATIENCE = 5.0


class CommandFailed(JsonRpcException):
    """A command that was understood and could not be done; JSON-RPC's server error."""

    CODE = -32000
    MESSAGE = "the command failed"


async def execute(session: Session, name: str, arguments: Tuple[Any, ...]) -> Any:
    """The result of ``evonic.<name>`` as JSON data. Raises JsonRpcException with a sentence for people."""
    if len(arguments) > 1 and name != REPLAY:
        raise JsonRpcInvalidParams(f"evonic.{name} takes one argument at most, a plugin id or a file URI")
    try:
        return shown.data(await _COMMANDS[name](session, *(arguments or (None,))))
    except WireError as error:
        raise CommandFailed(shown.text(error.message)) from None
    except NoHost as error:
        session.editor.status(Status("disconnected", str(error)))
        raise CommandFailed(shown.text(str(error))) from None
    except JsonRpcException as error:
        error.message = shown.text(error.message)
        raise


async def _reload(session: Session, argument: Any) -> Dict[str, Any]:
    ref = _target(session, argument)
    try:
        return dict(wire.to_json(await session.reload(ref, wire.MANUAL)))
    except WireError as error:
        session.editor.status(Status("idle", error.message, ref.plugin))
        raise


async def _switch(session: Session, argument: Any, enabled: bool) -> Dict[str, Any]:
    if argument == ALL:
        root, plugin = _root(session), None
    else:
        ref = _target(session, argument)
        root, plugin = ref.root, ref.plugin
    return dict(wire.to_json(await session.hosts.link(root).switch(enabled, plugin)))


async def _status(session: Session, argument: Any) -> Dict[str, Any]:
    if argument == ALL:
        return await _all_hosts(session)
    root = _target(session, argument).root if argument is not None else _root(session)
    status = await session.hosts.link(root).status()
    current = session.current
    return {**wire.to_json(status), "current": current.plugin if current and current.root == root else None}


async def _all_hosts(session: Session) -> Dict[str, Any]:
    """Every host that this window works with, those that do not answer with the reason."""

    async def ask(root: str) -> Dict[str, Any]:
        try:
            status = await asyncio.wait_for(session.hosts.link(root).status(), _PATIENCE)
        except asyncio.TimeoutError:
            return {"root": root, "status": None, "message": "the host does not answer", "code": None}
        except (NoHost, WireError) as error:
            message = error.message if isinstance(error, WireError) else str(error)
            return {"root": root, "status": None, "message": message, "code": getattr(error, "code", None)}
        return {"root": root, "status": wire.to_json(status), "message": "", "code": None}

    hosts = await asyncio.gather(*(ask(root) for root, _ in session.hosts))
    current = session.current
    named = {"root": current.root, "plugin": current.plugin} if current else None
    return {"version": wire.VERSION, "hosts": list(hosts), "current": named}


async def _logs(session: Session, argument: Any) -> Dict[str, Any]:
    ref = _target(session, argument)
    entries = await session.follow_log(ref)
    return {"root": ref.root, "plugin": ref.plugin, "entries": wire.to_json(entries)}


async def _install(session: Session, argument: Any) -> None:
    root = _target(session, argument).root
    if root.startswith(ENDPOINT):
        raise CommandFailed("the bridge is installed on the machine where Evonic runs: `evonic-lsp install ROOT`")
    await session.offers.install(root)


async def _connect(session: Session, argument: Any) -> Dict[str, Any]:
    root = _target(session, argument).root if argument is not None else _root(session)
    return dict(wire.to_json(await session.hosts.renewed(root).status()))


async def _switch_on(session: Session, argument: Any) -> Dict[str, Any]:
    ref = _target(session, argument)
    answer = await session.hosts.link(ref.root).call("plugin/enable", {"plugin": ref.plugin})
    return dict(wire.to_json(wire.from_json(PluginInfo, answer)))


async def _clear(session: Session, argument: Any) -> None:
    await session.clear(None if argument == ALL else _target(session, argument))


async def _replay(session: Session, argument: Any = None, handler: Any = None, *more: Any) -> Dict[str, Any]:
    if more or not isinstance(handler, (str, type(None))):
        what = "a plugin id or a file URI, and the name of an event or of its function"
        raise JsonRpcInvalidParams(f"evonic.{REPLAY} takes {what}")
    ref = _target(session, argument)
    link, params = session.hosts.link(ref.root), {"plugin": ref.plugin, **({"handler": handler} if handler else {})}
    await link.call("plugin/replay", {**params, "dryRun": True})  # if it cannot, there is nothing to ask
    if not await session.offers.may_replay(ref.root, ref.plugin, handler):
        return {"plugin": ref.plugin, "status": "cancelled"}
    replayed = wire.from_json(Replayed, await link.call("plugin/replay", params))
    session.board.replayed(ref, replayed)
    return dict(wire.to_json(replayed))


_COMMANDS: Dict[str, Any] = {
    "reload": _reload,
    "enable": lambda session, argument: _switch(session, argument, True),
    "disable": lambda session, argument: _switch(session, argument, False),
    "status": _status,
    "logs": _logs,
    "clear": _clear,
    REPLAY: _replay,
    "install": _install,
    "connect": _connect,
    "switchOn": _switch_on,
}
NAMES = tuple(_COMMANDS)


def _target(session: Session, argument: Any) -> Ref:
    """The plugin that an argument names; without one, that of the file last saved or opened."""
    if argument is None:
        if session.current is None:
            raise CommandFailed("which plugin? Open one of its files first, or name it")
        return session.current
    if isinstance(argument, str) and ":" in argument:
        ref = session.plugin_of(argument)
        if ref is None:
            raise JsonRpcInvalidParams(f"{argument} is not a file of a plugin of a known Evonic")
        return ref
    try:
        plugin = wire.plugin_id(argument)
    except WireError as error:
        raise JsonRpcInvalidParams(error.message) from None
    return Ref(_root(session, plugin), plugin)


def _root(session: Session, plugin: Optional[str] = None) -> str:
    """The host that is meant: of those that have `plugin`, else of all, the configured one, that of the file last
    touched, or the first that is known."""
    if session.settings.endpoint:
        return ENDPOINT + session.settings.endpoint
    configured = session.configured
    named = [str(configured.folder)] if configured is not None else []
    named += [session.current.root] if session.current is not None else []
    running = (str(each.folder) for each in plugins.running())
    known = list(dict.fromkeys([*named, *(root for root, _ in session.hosts), *running]))
    having = [root for root in known if plugin and (Path(root) / "plugins" / plugin).exists()]
    for root in having + known:
        return root
    raise NoHost("no running Evonic with the bridge was found; `evonic-lsp doctor` tells what is missing")
