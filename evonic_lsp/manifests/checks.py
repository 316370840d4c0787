"""Everything that is wrong between ``plugin.json`` and ``handler.py``, without running either.

Errors are what fails, warnings what Evonic passes over without a word. What the host cannot load at all, the
bridge knows (``bridge/manifest.py``); this is the rest.
"""

from __future__ import annotations

import ast
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Optional, Tuple

from ..bridge import manifest
from ..bridge.jsontree import ARRAY, OBJECT, Node, Tree
from . import commandline, known
from .findings import ERROR, HINT, MANIFEST, WARNING, Edit, Finding, Fix, replace, subscribe
from .functions import HANDLER, Function, Scope, refuses

_NOT_EVENTS = ("on_load", "on_unload")
_MOST_FILES = 300


@dataclass(frozen=True)
class View:
    """A plugin as it is looked at. `scope`: the names of its ``handler.py``, None if that cannot be read."""

    plugin: str
    folder: Path
    tree: Tree
    scope: Optional[Scope]
    has_handler: bool


def check(view: View) -> List[Finding]:
    """Everything that is wrong, in both files."""
    found = [*_faults(view)]
    root = view.tree.root
    if root is not None and root.kind == OBJECT:
        for each in (_keys, _events, _variables, _slash_commands, _cards):
            found += each(view, root)
        found += commandline.check(root, view.scope)
        found += _unsubscribed(view, root)
    return found


def _faults(view: View) -> Iterator[Finding]:
    declared = view.tree.at(("id",))
    for start, end, message in manifest.faults(view.plugin, view.tree):
        about_id = declared is not None and start == declared.start
        fixes = (replace(declared, view.plugin),) if declared is not None and about_id else ()
        syntax = any((fault.start, fault.end) == (start, end) for fault in view.tree.faults)
        yield Finding(MANIFEST, start, end, message, ERROR, fixes, syntax)


def _keys(view: View, root: Node) -> Iterator[Finding]:
    """Keys that are there twice, and such as look like one that Evonic reads."""
    for path, node in view.tree.walk():
        names = [each.key.value for each in node.members]
        possible = known.keys(path)
        for number, member in enumerate(node.members):
            name, key = str(member.key.value), member.key
            if name in names[number + 1 :]:
                message = f'"{name}" is there twice: only the last one counts'
                yield Finding(MANIFEST, key.start, key.end, message, WARNING)
            elif possible and name not in possible:
                meant = known.nearest(name, set(possible) - set(names), 0.8)
                if meant:
                    message = f'Evonic does not read "{name}": "{meant}" is meant?'
                    yield Finding(MANIFEST, key.start, key.end, message, WARNING, (replace(key, meant),))


def _events(view: View, root: Node) -> Iterator[Finding]:
    seen = set()
    for node in _items(root, "events"):
        event = node.value
        if not node.is_string:
            continue
        if event in seen:
            message = f'"{event}" is there twice: its handler runs twice for each event'
            yield Finding(MANIFEST, node.start, node.end, message, WARNING)
            continue
        seen.add(event)
        if event in known.events() or event in known.INTERNAL_EVENTS or _is_emitted(view, event):
            yield from _handler_of(view, node)
        else:
            meant = known.nearest(event, known.events(), 0.6)
            message = f'Evonic has no event "{event}"' + (f': "{meant}" is meant?' if meant else "")
            fixes = (replace(node, meant),) if meant else ()
            yield Finding(MANIFEST, node.start, node.end, message, WARNING, fixes)


def _handler_of(view: View, node: Node) -> Iterator[Finding]:
    event, name = node.value, f"on_{node.value}"
    if view.scope is None:
        if not view.has_handler:
            message = f"there is no handler.py, so nothing hears of {event}"
            yield Finding(MANIFEST, node.start, node.end, message, HINT, (_create(view, name, "event", event),))
        return
    if not view.scope.has(name):
        message = f"handler.py has no function {name}(event, sdk): nothing hears of {event}"
        fixes = [*_rename(view, name), _create(view, name, "event", event)]
        yield Finding(MANIFEST, node.start, node.end, message, WARNING, tuple(fixes))
        return
    yield from signature(view.scope, name, 2, "(event, sdk)")


def _is_emitted(view: View, event: str) -> bool:
    """Whether a plugin beside this one, or itself, names the event in its code: plugins have events of their own."""
    word = re.compile(rf"""["']{re.escape(event)}["']""")
    own = sorted(view.folder.glob("*.py"))
    beside = [path for path in view.folder.parent.glob("*/*.py") if view.folder.parent.name == "plugins"]
    for path in [*own, *beside][:_MOST_FILES]:
        try:
            if word.search(path.read_text("utf-8", "replace")):
                return True
        except OSError:
            continue
    return False


def _variables(view: View, root: Node) -> Iterator[Finding]:
    types, seen = known.variable_types(), set()
    for item in _items(root, "variables"):
        kind, name = item.get("type"), item.get("name")
        if kind is not None and kind.value not in types:
            meant = {"bool": "boolean", "int": "number", "integer": "number", "float": "number", "str": "string"}.get(
                str(kind.value), known.nearest(str(kind.value), types, 0.6) or "string"
            )
            shown = json.dumps(kind.plain(), ensure_ascii=False)[:60]
            message = f"Evonic knows no type {shown} and takes the variable for text: {', '.join(types)}"
            yield Finding(MANIFEST, kind.start, kind.end, message, WARNING, (replace(kind, meant),))
        if name is not None and name.is_string:
            if name.value in seen:
                message = f'the variable "{name.value}" is there twice'
                yield Finding(MANIFEST, name.start, name.end, message, WARNING)
            seen.add(name.value)


def _slash_commands(view: View, root: Node) -> Iterator[Finding]:
    for item in _items(root, "slash_commands"):
        node = item.get("id")
        if node is None:
            if item.kind == OBJECT and not view.tree.faults:
                message = 'the slash command has no "id": Evonic passes over it'
                yield Finding(MANIFEST, item.start, item.end, message, WARNING)
        elif not node.is_string or not node.value:
            yield Finding(MANIFEST, node.start, node.end, 'the "id" of a slash command is a name', WARNING)
        elif view.scope is not None:
            name = f"on_slash_command_{node.value}"
            if view.scope.has(name):
                yield from signature(view.scope, name, 2, "(sdk, args)")
                continue
            message = f"the slash command /{node.value} is declared, but handler.py has no function {name}(sdk, args)"
            fixes = [*_rename(view, name), *([_create(view, name, "slash", node.value)] if name.isidentifier() else [])]
            yield Finding(MANIFEST, node.start, node.end, message, WARNING, tuple(fixes))


def _cards(view: View, root: Node) -> Iterator[Finding]:
    for item in _items(root, "dashboard_cards"):
        node = item.get("handler")
        if node is None:
            if item.kind == OBJECT and not view.tree.faults:
                message = 'the dashboard card names no "handler": Evonic passes over it'
                yield Finding(MANIFEST, item.start, item.end, message, WARNING)
        elif not node.is_string:
            yield Finding(MANIFEST, node.start, node.end, 'the "handler" of a card is the name of a function', ERROR)
        elif view.scope is not None:
            if view.scope.has(node.value):
                yield from signature(view.scope, node.value, 1, "(sdk)")
                continue
            message = f"the dashboard card's function {node.value}(sdk) is not in handler.py"
            meant = known.nearest(node.value, view.scope.names)
            fixes = [replace(node, meant)] if meant else []
            if node.value.isidentifier():
                fixes.append(_create(view, node.value, "card", node.value))
            yield Finding(MANIFEST, node.start, node.end, message, WARNING, tuple(fixes))


def _unsubscribed(view: View, root: Node) -> Iterator[Finding]:
    """Handlers of events that the manifest does not list. One that the code itself uses has another purpose."""
    events = root.get("events")
    if view.scope is None or view.tree.faults or (events is not None and events.kind != ARRAY):
        return
    listed = {node.value for node in _items(root, "events") if node.is_string}
    for name, function in view.scope.names.items():
        event = name[len("on_") :]
        if not name.startswith("on_") or event not in known.events() or event in listed:
            continue
        if name in view.scope.used or function.file != HANDLER or function.node is None:
            continue
        start, end = _span(view.scope, function)
        message = f'"{event}" is not among the events of plugin.json: {name} is never called'
        fix = subscribe(view.tree, event)
        yield Finding(HANDLER, start, end, message, WARNING, (fix,) if fix else ())


def signature(scope: Scope, name: str, count: int, form: str) -> Iterator[Finding]:
    """Whether a function can be called as Evonic calls it."""
    function = scope.names.get(name)
    if function is None or function.node is None or function.file != HANDLER:
        return
    start, end = _span(scope, function)
    why = refuses(function.node, count)
    if why:
        yield Finding(HANDLER, start, end, f"Evonic calls {name}{form}: {why}", ERROR)
    elif isinstance(function.node, ast.AsyncFunctionDef):
        message = f"Evonic calls {name}{form} and does not await it: nothing in it ever runs"
        yield Finding(HANDLER, start, end, message, WARNING)


def _items(root: Node, key: str) -> List[Node]:
    node = root.get(key)
    return node.items if node is not None else []


def _span(scope: Scope, function: Function) -> Tuple[int, int]:
    line = offset_of(scope.text, function.line)
    return line + function.start, line + function.end


def offset_of(text: str, line: int) -> int:
    """Where a line begins; lines as Python and LSP count them."""
    starts = [0, *(each.end() for each in re.finditer(r"\r\n|\n|\r", text))]
    return starts[min(line, len(starts) - 1)]


def _rename(view: View, name: str) -> List[Fix]:
    """Gives a function whose name is nearly right that name."""
    if view.scope is None:
        return []
    prefix = "on_slash_command_" if name.startswith("on_slash_command_") else "on_"
    similar = [
        each
        for each, function in view.scope.names.items()
        if each.startswith(prefix)
        and function.file == HANDLER
        and function.node is not None
        and each not in _NOT_EVENTS
        and each[len("on_") :] not in known.events()
        and each not in view.scope.used
    ]
    meant = known.nearest(name, similar, 0.8)
    if meant is None:
        return []
    start, end = _span(view.scope, view.scope.names[meant])
    return [Fix(f"Rename {meant} in handler.py to {name}", (Edit(HANDLER, start, end, name),), preferred=True)]


_BODIES = {
    "event": 'def {name}(event, sdk):\n    """Handles {what}."""\n    sdk.log(f"{what}: {{event}}")\n',
    "slash": 'def {name}(sdk, args):\n    """Answers /{what}; `args` is what follows it."""\n    return "done"\n',
    "card": 'def {name}(sdk):\n    """Fills a card on the dashboard."""\n    return {{"title": "{what}"}}\n',
}


def _create(view: View, name: str, kind: str, what: str) -> Fix:
    text = view.scope.text if view.scope else ""
    tail = re.search(r"\s*\Z", text)
    start = tail.start() if tail else len(text)
    code = _BODIES[kind].format(name=name, what=what)
    edit = Edit(HANDLER, start, len(text), f"\n\n\n{code}" if start else code)
    return Fix(f"Create {name} in handler.py", (edit,))
