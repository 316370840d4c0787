"""``plugin.json``: read it, and say what would make the host fail on it.

The host reads it without a check: a manifest that is not an object, or whose lists hold other things than it
expects, raises in the middle of a load, or takes the whole start of the server down.
"""

from __future__ import annotations

import json
from typing import Any, Dict, Iterator, List, Optional, Tuple

from . import jsontree
from .jsontree import ARRAY, OBJECT, Node, Path, Tree
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
    return [_problem(plugin, text, *each) for each in faults(plugin, jsontree.parse(text))]


def faults(plugin: str, tree: Tree) -> Iterator[Tuple[int, int, str]]:
    """(start, end, message) of everything that the host cannot load."""
    for fault in tree.faults:
        yield fault.start, fault.end, f"{NAME} is not valid JSON: {fault.message}"
    root = tree.root
    if root is None:
        return
    if root.kind != OBJECT:
        if not tree.faults:
            yield root.start, root.end, f"{NAME} must be a JSON object"
        return
    declared = root.get("id")
    if declared is not None and declared.value != plugin:
        message = f'"id" must be "{plugin}", the name of the folder: the host looks for the code in the folder "id"'
        yield declared.start, declared.end, message
    elif declared is None and not tree.faults:
        yield root.start, root.start + 1, f'"id" is missing: it must be "{plugin}", the name of the folder'
    for key, required in _LISTS.items():
        items = root.get(key)
        if items is not None and items.kind != ARRAY:
            yield items.start, items.end, f'"{key}" must be a list'
        for item in items.items if items is not None else ():
            wrong = _item_fault(key, required, item, not tree.faults)
            if wrong:
                yield item.start, item.end, wrong


def _item_fault(key: str, required: Optional[Tuple[str, ...]], item: Node, whole: bool) -> Optional[str]:
    if required is None:
        return None if item.is_string else f'"{key}" must hold strings only'
    if item.kind != OBJECT:
        return f'"{key}" must hold objects only'
    for name in required:
        value = item.get(name)
        if not value.is_string if value is not None else whole:  # in a broken text it may come yet
            return f'each of "{key}" needs ' + ", ".join(f'"{name}"' for name in required)
    return None


def place(plugin: str, text: str, path: Path) -> Place:
    """Where the value is that `path` leads to; the nearest one around it where there is none."""
    tree = jsontree.parse(text)
    for length in range(len(path), -1, -1):
        node = tree.at(path[:length])
        if node is not None:
            return _place(plugin, text, node.start, node.end)
    return _place(plugin, text, 0, 0)


def item(plugin: str, text: str, key: str, name: str, value: str) -> Place:
    """Where the list `key` has an object whose `name` is `value`."""
    items = parse(text.encode("utf-8", "replace")).get(key)
    numbers = [n for n, each in enumerate(items or ()) if isinstance(each, dict) and each.get(name) == value]
    return place(plugin, text, (key, *numbers[:1], name))


def _problem(plugin: str, text: str, start: int, end: int, message: str) -> Problem:
    return Problem("manifest", message, place=_place(plugin, text, start, end))


def _place(plugin: str, text: str, start: int, end: int) -> Place:
    lines = split_lines(text)
    (line, column), (end_line, end_column) = _position(text, start), _position(text, end)
    return Place(NAME, line, column, end_line, end_column, plugin, lines[line], lines[end_line])


def _position(text: str, offset: int) -> Tuple[int, int]:
    before = split_lines(text[:offset])
    return len(before) - 1, len(before[-1])
