"""Registers in every registry that the host has, as the largest of the bundled plugins do between them."""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

from backend.event_stream import event_stream
from backend.plugin_hooks import (
    register_state_handler,
    register_tool_guard,
    register_turn_context_provider,
)
from backend.plugin_manager import (
    register_builtin_suppressor,
    register_busy_message_provider,
    register_message_interceptor,
)
from backend.scheduler import scheduler
from backend.slash_commands import command_registry
from plugins.everything.db import VERSION as DB
from plugins.everything.db import store

VERSION = 1
SCHEDULE = {"name": "scan", "owner_type": "plugin", "owner_id": "everything", "trigger_type": "interval"}
logger = logging.getLogger(__name__)
executor = ThreadPoolExecutor(1)
executor.submit(int).result()
timer = threading.Timer(3600, store.find, [1])
timer.daemon = True
timer.start()


def on_turn_complete(event, sdk):
    store.find(event.get("n", 1))


on_message_sent = on_tool_executed = on_schedule_fired = on_turn_complete


class Guard:
    """A hook that is no function."""

    def __call__(self, agent, tool, args):
        return {"block": True, "error": f"everything {VERSION}"} if tool == "everything" else None


def context(agent, session):
    return {"id": "everything", "system_md": f"everything {VERSION}"}


def on_slash_command_everything(sdk, args):
    return f"everything {VERSION} {DB} {args}"


def card_one(sdk):
    return {"title": f"everything {VERSION}"}


def card_two(sdk):
    return {"title": "two"}


def hot_save(sdk):
    return {"version": VERSION}


def hot_restore(sdk, state):
    assert isinstance(state["version"], int)


def on_load(sdk):
    logger.debug("%s begins", VERSION)


def on_unload(sdk):
    logger.debug("%s ends", VERSION)


for each in scheduler.list_schedules(owner_type="plugin", owner_id="everything"):
    scheduler.cancel_schedule(each["id"])
scheduler.create_schedule(
    **SCHEDULE, trigger_config={"seconds": 3600}, action_type="emit_event", action_config={"event_name": "scan"}
)
register_tool_guard(Guard())
register_tool_guard(lambda *arguments: None)
register_turn_context_provider(context)
register_message_interceptor(lambda *arguments: None)
register_busy_message_provider(lambda *arguments: None)
register_builtin_suppressor(lambda *arguments: False)
register_state_handler("everything", lambda *arguments: {"version": VERSION})
command_registry.register("everythingcode", lambda *arguments: f"everything {VERSION}", "From code")
event_stream.on("scan", lambda event: store.find(2))
