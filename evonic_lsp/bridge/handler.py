"""The plugin's face: Evonic loads this file in the server, and in every ``./evonic …`` command.

Only the server registers blueprints with an application, so that is where the bridge starts
(``Blueprint.record``). Switched on from the web page of a server that already runs, it is loaded within that
server and starts at once. Everywhere else it does nothing.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, Optional

from flask import Blueprint

from .host import Host, HostChanged, launched_app

_logger = logging.getLogger("evonic_lsp")
_service: Optional[Any] = None


def create_blueprint() -> Blueprint:
    """An empty blueprint: its registration tells that this process is the server."""
    blueprint = Blueprint("evonic_lsp", __name__)
    blueprint.record_once(lambda state: _start(state.app, launched=False))
    return blueprint


def _start(app: Any, launched: bool) -> None:
    """Starts the bridge in the server. What fails is logged: the host must start without us."""
    global _service
    from .service import Service

    if _service is not None:
        return
    try:
        _service = Service(Host(), app)
        _service.start()
    except (HostChanged, OSError) as error:
        _logger.error("hot reload is not available: %s", error)
        return
    if launched:
        _service.ready()
    else:
        _when_launched(app, _service.ready)


def _when_launched(app: Any, then: Any) -> None:
    """Calls `then` when the application starts to serve: at ``app.run``, or at its first request elsewhere."""
    run, wsgi_app = app.run, app.wsgi_app

    def once() -> None:
        if app.__dict__.pop("run", None) is not None:
            then()

    def first_run(*args: Any, **options: Any) -> Any:
        once()
        return run(*args, **options)

    def first_request(environ: Any, start_response: Any) -> Any:
        if app.wsgi_app is first_request:
            app.wsgi_app = wsgi_app
        once()
        return wsgi_app(environ, start_response)

    app.run, app.wsgi_app = first_run, first_request


def cli_reload(plugin_id: str) -> None:
    """``./evonic hotreload reload ID``"""
    from . import commands

    sys.exit(commands.reload(_root(), plugin_id))


def cli_enable(plugin_id: Optional[str] = None) -> None:
    """``./evonic hotreload enable [ID]``"""
    from . import commands

    sys.exit(commands.switch(_root(), True, plugin_id))


def cli_disable(plugin_id: Optional[str] = None) -> None:
    """``./evonic hotreload disable [ID]``"""
    from . import commands

    sys.exit(commands.switch(_root(), False, plugin_id))


def cli_status(json: bool = False) -> None:
    """``./evonic hotreload status [--json]``"""
    from . import commands

    sys.exit(commands.status(_root(), json))


def _root() -> Any:
    from pathlib import Path

    return Path(Host().root)


_running = launched_app()
if _running is not None:
    _start(_running, launched=True)
