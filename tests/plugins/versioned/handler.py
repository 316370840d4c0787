"""Every part says which version it is of, in a line that tests rewrite."""

import engine_ledger
from backend.event_stream import event_stream
from backend.plugin_hooks import register_state_handler, register_tool_guard
from plugins.versioned.helper import VERSION as HELPER

from . import helper
from .parts import deep

VERSION = 1


def versions():
    """Of everything that a call can reach, whether it was imported early or is only now."""
    from plugins.versioned import late

    from .helper import VERSION as again

    return [VERSION, HELPER, helper.VERSION, again, deep.VERSION, late.VERSION]


def passing(gate):
    """The versions before and after a wait, and that of a module which nobody has imported before."""
    before = versions()
    engine_ledger.gates[gate].wait()
    from . import unseen

    return [*before, *versions(), unseen.VERSION]


def on_message_received(event, sdk):
    engine_ledger.note([event["n"], passing(event["gate"]) if "gate" in event else versions()])


def on_stream(event):
    engine_ledger.note([event["n"], passing(event["gate"]) if "gate" in event else versions()])


def guard(agent, tool, args):
    kind, _, gate = tool.partition(":")
    return {"block": True, "error": passing(gate) if gate else versions()} if kind == "versioned" else None


def on_slash_command_versioned(sdk, args):
    return repr(passing(args) if args else versions())


def card(sdk):
    return {"id": "versioned", "versions": versions()}


register_tool_guard(guard)
register_state_handler("versioned", lambda *arguments: {"versions": versions()})
event_stream.on("versioned_stream", on_stream)
