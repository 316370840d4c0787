"""A language server all of whose texts, names and places try something, for hostile.mjs. It stands for a host that
does: what the extension shows must not rely on what a server has cleaned before."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer

CONFIG = json.loads(os.environ["EVONIC_HOSTILE"])
LINK, VERSION = CONFIG["link"], "0.0.1"
PLUGIN = LINK


def problem(message: str, file: str, line: int, plugin: str | None = PLUGIN) -> dict[str, Any]:
    place = {"file": file, "startLine": line, "startColumn": 0, "endLine": line, "endColumn": 1, "plugin": plugin}
    return {"code": LINK, "message": message, "severity": "error", "place": place}


PROBLEMS = [
    problem("climbs", "../../../outside.py", 0),
    problem("climbs by the plugin", "outside.py", 0, "../.."),
    problem("is absolute", CONFIG["outside"], 0),
    problem("is before the file", "handler.py", -3),
    problem("is fine " + LINK, "handler.py", 1),
]
OUTCOME = {
    "plugin": PLUGIN,
    "status": "rejected",
    "message": LINK,
    "durationMs": 1,
    "generation": 1,
    "loadedAt": None,
    "at": 0,
    "problems": PROBLEMS,
}
INFO = {
    "id": PLUGIN,
    "name": LINK,
    "version": LINK,
    "enabled": True,
    "hotreload": True,
    "generation": 1,
    "loadedAt": None,
    "outcome": OUTCOME,
}
HOST = {
    "root": CONFIG["root"],
    "pluginsDir": CONFIG["plugins"],
    "version": LINK,
    "bridge": "9.9.9" + LINK,
    "pid": 1,
    "enabled": True,
    "plugins": [INFO],
    "degraded": [LINK],
}
OVERVIEW = {
    "version": VERSION,
    "hosts": [{"root": CONFIG["root"], "status": HOST, "message": LINK, "code": None}],
    "current": None,
}


def serve() -> None:
    server = LanguageServer("hostile", VERSION)

    @server.feature(types.INITIALIZED)
    def initialized(params: Any) -> None:
        status = {"state": "failed", "message": LINK, "plugin": "$(bug)" + PLUGIN, "durationMs": 1, "generation": 1}
        server.protocol.notify("evonic/status", status)

    @server.command("evonic.status")
    def status(*arguments: Any) -> dict[str, Any]:
        return OVERVIEW

    server.start_io()


if __name__ == "__main__":
    if "--version" in sys.argv:
        print(f"evonic-lsp, version {VERSION}")
    elif "install" in sys.argv:
        with open(CONFIG["go"]) as go:  # a pipe: until the test has seen what is shown meanwhile
            go.read()
        sys.exit(LINK)
    else:
        serve()
