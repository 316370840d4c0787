"""What Evonic knows: events, keys, types, names of its own. Keys and events are those of ``plugin.schema.json``."""

from __future__ import annotations

import difflib
import functools
import json
from pathlib import Path
from typing import Any, Dict, Iterable, List, Optional

from ..bridge.jsontree import Path as Keys

SCHEMA = Path(__file__).parent.parent / "plugin.schema.json"
# Events that Evonic emits for itself: a plugin that subscribes to one does hear of it.
_INTERNAL = (
    "agent_busy_changed approval_required approval_resolved concurrency_limited home_status_changed "
    "kanban_task_deleted llm_fallback llm_fallback_failed llm_fallback_succeeded llm_retry message_injected "
    "message_injection_applied output_parser_nudge quality_correction schedule_custom session_clear "
    "thinking_budget_exceeded tool_call_started turn_begin turn_split workplace_status_changed"
)
INTERNAL_EVENTS = frozenset(_INTERNAL.split())
# Commands of ./evonic itself. A second parser of the same name raises in argparse since Python 3.11.
_COMMANDS = (
    "agent backup channel clear-sandbox doctor model pass plugin reconfigure restart restore setup skill skillset "
    "start status stop update"
)
CLI_COMMANDS = frozenset(_COMMANDS.split())


@functools.lru_cache(maxsize=1)
def schema() -> Dict[str, Any]:
    """``plugin.schema.json``."""
    loaded: Dict[str, Any] = json.loads(SCHEMA.read_text("utf-8"))
    return loaded


def events() -> Dict[str, str]:
    """What each event means and carries, in Markdown."""
    known = (each for each in schema()["definitions"]["event"]["anyOf"] if "const" in each)
    return {each["const"]: each["markdownDescription"] for each in known}


def at(path: Keys) -> Dict[str, Any]:
    """The part of the schema for the value at `path`; empty where it says nothing."""
    part = schema()
    for key in path:
        part = part.get("items", {}) if isinstance(key, int) else part.get("properties", {}).get(key, {})
        if "$ref" in part:
            part = schema()["definitions"][part["$ref"].rpartition("/")[2]]
    return part


def keys(path: Keys) -> Dict[str, Dict[str, Any]]:
    """The keys of the object at `path`, with their part of the schema."""
    found: Dict[str, Dict[str, Any]] = at(path).get("properties", {})
    return found


def variable_types() -> List[str]:
    """The types of variables that Evonic tells apart."""
    types: List[str] = at(("variables", 0, "type"))["enum"]
    return types


def nearest(name: str, candidates: Iterable[str], cutoff: float = 0.75) -> Optional[str]:
    """The candidate that is most like `name`, if one is like it at all."""
    return next(iter(difflib.get_close_matches(name, list(candidates), 1, cutoff)), None)
