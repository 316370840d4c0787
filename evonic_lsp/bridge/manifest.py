"""``plugin.json``: read it, and say what would make the host fail on it.

The host reads it without a check: a manifest that is not an object, or whose lists hold other things than it
expects, raises in the middle of a load, or takes the whole start of the server down.
"""

from __future__ import annotations

import json
import re
from typing import Any, Dict, Iterator, List, Optional, Tuple

from .report import split_lines
from .wire import Place, Problem

NAME = "plugin.json"

# key -> what each item of the list must have, all of it strings; None: the items are strings themselves
_LISTS: Dict[str, Optional[Tuple[str, ...]]] = {
    "events": None,
    "variables": ("name",),
    "nav_items": (),
    "dashboard_cards": (),
    "slash_commands": (),
    "cli_commands": (),
}


def parse(data: bytes) -> Dict[str, Any]:
    """The manifest as a dict; empty if it is not a JSON object."""
    try:
        value = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def check(plugin: str, data: Optional[bytes]) -> List[Problem]:
    """Everything in the manifest of `plugin` that the host cannot load."""
    if data is None:
        return [_problem(plugin, "", 0, 0, f"{NAME} is missing: without it the host does not see the plugin")]
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        text = data.decode("utf-8", "replace")
        offset = len(data[: error.start].decode("utf-8"))
        return [_problem(plugin, text, offset, offset + 1, f"{NAME} is not UTF-8: {error.reason}")]
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        return [_problem(plugin, text, error.pos, error.pos + 1, f"{NAME} is not valid JSON: {error.msg}")]
    except RecursionError:
        return [_problem(plugin, text, 0, 1, f"{NAME} is nested too deeply")]
    if not isinstance(value, dict):
        return [_problem(plugin, text, 0, len(text.rstrip()), f"{NAME} must be a JSON object")]
    return [_problem(plugin, text, *_find(text, key), message) for key, message in _faults(plugin, value)]


def _faults(plugin: str, value: Dict[str, Any]) -> Iterator[Tuple[str, str]]:
    if "id" not in value:
        yield "", f'"id" is missing: it must be "{plugin}", the name of the folder'
    elif value["id"] != plugin:
        yield "id", f'"id" must be "{plugin}", the name of the folder: the host looks for the code in the folder "id"'
    for key, required in _LISTS.items():
        items = value.get(key, [])
        if not isinstance(items, list):
            yield key, f'"{key}" must be a list'
            continue
        for item in items:
            if required is None:
                if not isinstance(item, str):
                    yield key, f'"{key}" must hold strings only'
            elif not isinstance(item, dict):
                yield key, f'"{key}" must hold objects only'
            elif any(not isinstance(item.get(name), str) for name in required):
                yield key, f'each of "{key}" needs ' + ", ".join(f'"{name}"' for name in required)


def mention(plugin: str, text: str, word: str) -> Place:
    """Where the manifest first says `word` as a string; its first line if nowhere."""
    start, end = _find(text, word)
    return _place(plugin, text, start, end)


def _find(text: str, word: str) -> Tuple[int, int]:
    found = re.search(re.escape(json.dumps(word)), text) if word else None
    return found.span() if found else (0, len(text.split("\n", 1)[0]))


def _problem(plugin: str, text: str, start: int, end: int, message: str) -> Problem:
    return Problem("manifest", message, place=_place(plugin, text, start, end))


def _place(plugin: str, text: str, start: int, end: int) -> Place:
    lines = split_lines(text)
    (line, column), (end_line, end_column) = _position(text, start), _position(text, end)
    return Place(NAME, line, column, end_line, end_column, plugin, lines[line], lines[end_line])


def _position(text: str, offset: int) -> Tuple[int, int]:
    before = split_lines(text[:offset])
    return len(before) - 1, len(before[-1])
