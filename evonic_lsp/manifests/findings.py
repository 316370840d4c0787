"""What a check finds, and what can be done about it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Optional, Tuple

from ..bridge.jsontree import ARRAY, Node, Tree

ERROR, WARNING, HINT = "error", "warning", "hint"
MANIFEST = "plugin.json"


@dataclass(frozen=True)
class Edit:
    """Replaces `start` to `end` (offsets in code points) of a file of the plugin; a file that is not there is made."""

    file: str
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Fix:
    """A quick fix. `preferred`: the one that is meant most likely."""

    title: str
    edits: Tuple[Edit, ...]
    preferred: bool = False


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong in a file of the plugin, from `start` to `end` (offsets in code points). `syntax`: it
    is no JSON."""

    file: str
    start: int
    end: int
    message: str
    severity: str = ERROR
    fixes: Tuple[Fix, ...] = ()
    syntax: bool = False


def replace(node: Node, value: str, preferred: bool = True) -> Fix:
    """Puts a string in the place of a value of the manifest."""
    edit = Edit(MANIFEST, node.start, node.end, json.dumps(value, ensure_ascii=False))
    return Fix(f"Change to {edit.text}", (edit,), preferred)


def subscribe(tree: Tree, event: str) -> Optional[Fix]:
    """Puts an event into the manifest's list; None where it is too broken for that."""
    word = json.dumps(event)
    events = tree.at(("events",))
    if events is not None:
        if events.kind != ARRAY or not events.closed:
            return None
        edit = _append(tree.text, events, word)
    elif tree.root is not None and tree.root.closed and tree.root.members:
        last = tree.root.members[-1].value
        if last is None:
            return None
        edit = Edit(
            MANIFEST, last.end, last.end, f',{_gap(tree.text, tree.root.members[-1].key.start)}"events": [{word}]'
        )
    else:
        return None
    return Fix(f"Subscribe {event} in plugin.json", (edit,), preferred=True)


def _append(text: str, array: Node, word: str) -> Edit:
    if not array.items:
        return Edit(MANIFEST, array.start, array.end, f"[{word}]")
    last = array.items[-1]
    gap = _gap(text, last.start) if "\n" in text[array.start : last.start] else " "
    return Edit(MANIFEST, last.end, last.end, f",{gap}{word}")


def _gap(text: str, offset: int) -> str:
    """The white space in front of an offset."""
    found = re.search(r"[ \t\r\n]*\Z", text[:offset])
    return found.group() if found else ""
