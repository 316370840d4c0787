"""Completion, hover and definitions in ``plugin.json``; hover and definitions in ``handler.py``."""

from __future__ import annotations

import json
from typing import Any, Dict, Iterator, List, Optional, Tuple

from lsprotocol import types

from ..bridge.jsontree import ARRAY, OBJECT, Member, Node, Path, Tree
from . import known
from .desk import Desk, Sheet
from .findings import MANIFEST
from .functions import HANDLER, Function

_SLASH = "on_slash_command_"
_EMPTY = {"array": [], "object": {}, "boolean": False, "string": ""}


def enclosing(tree: Tree, offset: int) -> Tuple[Path, Optional[Node]]:
    """The innermost value around an offset, and its path."""
    found: Tuple[Path, Optional[Node]] = ((), None)
    for path, node in tree.walk():
        inside = node.start < offset < node.end or (offset == node.end and (not node.closed or node.kind == "scalar"))
        if inside or (offset == node.start and node.kind == "scalar"):
            found = (path, node)
    return found


# ── Completion ──


def completions(desk: Desk, uri: str, position: types.Position) -> List[types.CompletionItem]:
    """What can be written at a place of the manifest."""
    sheet = desk.sheet(uri)
    if sheet is None or sheet.found.file != MANIFEST:
        return []
    offset = sheet.text.offset(position)
    path, node = enclosing(sheet.tree, offset)
    if node is None:
        return []
    if node.kind == OBJECT:
        member = _member_at(node, offset)
        if member is None or member.colon is None or offset <= member.colon:
            return list(_keys(sheet, path, node, member.key if member else None, offset))
        if member.value is None:
            return list(_values(sheet, (*path, str(member.key.value)), None, offset))
        return []
    if node.kind == ARRAY:
        return list(_values(sheet, (*path, len(node.items)), None, offset))
    return list(_values(sheet, path, node, offset))


def _member_at(node: Node, offset: int) -> Optional[Member]:
    """The member whose key, or whose missing value, is at the offset."""
    for number, member in enumerate(node.members):
        following = node.members[number + 1].key.start if number + 1 < len(node.members) else node.end
        end = member.value.end if member.value else following
        if member.key.start <= offset <= max(end, member.key.end):
            return member
    return None


def _keys(sheet: Sheet, path: Path, node: Node, key: Optional[Node], offset: int) -> Iterator[types.CompletionItem]:
    there = {each.key.value for each in node.members if each.key is not key}
    member = next((each for each in node.members if each.key is key), None)
    for name, part in known.keys(path).items():
        if name in there:
            continue
        text = json.dumps(name)
        if member is None or member.colon is None:
            text += f": {json.dumps(_first(part))}"
        yield _item(sheet, name, text, key, offset, types.CompletionItemKind.Property, _about(part))


def _first(part: Dict[str, Any]) -> Any:
    """What a new value of a key begins as."""
    kind = part.get("type")
    return part["enum"][0] if "enum" in part else _EMPTY.get(kind if isinstance(kind, str) else "", "")


def _values(sheet: Sheet, path: Path, node: Optional[Node], offset: int) -> Iterator[types.CompletionItem]:
    part = known.at(path)
    taken = {each.value for each in _siblings(sheet, path) if each is not node}
    choices = {each["const"]: _about(each) for each in part.get("anyOf", ()) if "const" in each}
    choices.update({str(each): "" for each in part.get("enum", ())})
    kind = (
        types.CompletionItemKind.Event if choices and path[:1] == ("events",) else types.CompletionItemKind.EnumMember
    )
    if path and path[-1] == "handler" and path[0] != "routes" and sheet.scope is not None:
        kind = types.CompletionItemKind.Function
        choices = {name: "" for name, each in sheet.scope.names.items() if each.node and not name.startswith("on_")}
    if path[:1] == ("slash_commands",) and path[-1] == "id" and sheet.scope is not None:
        choices = {name[len(_SLASH) :]: "" for name in sheet.scope.names if name.startswith(_SLASH)}
    for name, about in choices.items():
        if name not in taken:
            yield _item(sheet, name, json.dumps(name), node, offset, kind, about)
    if part.get("type") == "boolean":
        for name in ("true", "false"):
            yield _item(sheet, name, name, node, offset, types.CompletionItemKind.Keyword, "")


def _siblings(sheet: Sheet, path: Path) -> List[Node]:
    parent = sheet.tree.at(path[:-1]) if path and isinstance(path[-1], int) else None
    return parent.items if parent is not None else []


def _item(
    sheet: Sheet, label: str, text: str, node: Optional[Node], offset: int, kind: types.CompletionItemKind, about: str
) -> types.CompletionItem:
    start, end = (node.start, node.end) if node is not None else (offset, offset)
    return types.CompletionItem(
        label=label,
        kind=kind,
        filter_text=json.dumps(label) if sheet.tree.text[start : start + 1] == '"' else label,
        documentation=types.MarkupContent(types.MarkupKind.Markdown, about) if about else None,
        text_edit=types.TextEdit(sheet.text.range(start, end), text),
    )


def _about(part: Dict[str, Any]) -> str:
    return str(part.get("markdownDescription") or part.get("description") or "")


# ── Hover ──


def hover(desk: Desk, uri: str, position: types.Position) -> Optional[types.Hover]:
    """What is known of a key, an event or a handler."""
    sheet = desk.sheet(uri)
    if sheet is None:
        return None
    if sheet.found.file == HANDLER:
        return _hover_function(desk, sheet, position)
    if sheet.found.file != MANIFEST:
        return None
    offset = sheet.text.offset(position)
    path, node = enclosing(sheet.tree, offset)
    if node is not None and node.kind == OBJECT:
        member = next((each for each in node.members if each.key.start <= offset <= each.key.end), None)
        part = known.keys(path).get(str(member.key.value)) if member else None
        return _hover(sheet, member.key, _about(part)) if member and part else None
    if node is None or not node.is_string:
        return None
    if path[:1] == ("events",):
        return _hover(sheet, node, known.events().get(node.value, ""))
    name = _function_at(path, node)
    function = sheet.scope.names.get(name) if sheet.scope is not None and name else None
    return _hover(sheet, node, f"`{name}` in `{function.file}`, line {function.line + 1}") if function else None


def _hover(sheet: Sheet, node: Node, about: str) -> Optional[types.Hover]:
    content = types.MarkupContent(types.MarkupKind.Markdown, about)
    return types.Hover(content, sheet.text.range(node.start, node.end)) if about else None


def _hover_function(desk: Desk, sheet: Sheet, position: types.Position) -> Optional[types.Hover]:
    function = _definition_at(desk, sheet, position)
    about = known.events().get(function.name[len("on_") :]) if function else None
    return types.Hover(types.MarkupContent(types.MarkupKind.Markdown, about)) if about else None


# ── Definitions ──


def definition(desk: Desk, uri: str, position: types.Position) -> Optional[types.Location]:
    """From a name in the manifest to its function, and back."""
    sheet = desk.sheet(uri)
    if sheet is None or sheet.scope is None:
        return None
    if sheet.found.file == MANIFEST:
        path, node = enclosing(sheet.tree, sheet.text.offset(position))
        name = _function_at(path, node) if node is not None and node.is_string else None
        function = sheet.scope.names.get(name) if name else None
        return _location(desk, sheet, function) if function else None
    function = _definition_at(desk, sheet, position)
    entry = _entry(sheet, function) if function else None
    if entry is None:
        return None
    return types.Location(desk.uri(sheet.found, MANIFEST), sheet.text.range(entry.start, entry.end))


def _function_at(path: Path, node: Node) -> Optional[str]:
    """The function that a string of the manifest names."""
    if len(path) == 2 and path[0] == "events":
        return f"on_{node.value}"
    if len(path) == 3 and path[0] == "slash_commands" and path[2] == "id":
        return f"{_SLASH}{node.value}"
    if path and path[-1] == "handler" and path[0] in ("dashboard_cards", "cli_commands"):
        return str(node.value)
    return None


def _entry(sheet: Sheet, function: Function) -> Optional[Node]:
    """The string of the manifest that names a function."""
    for path, node in sheet.tree.walk():
        if node.is_string and _function_at(path, node) == function.name:
            return node
    return None


def _definition_at(desk: Desk, sheet: Sheet, position: types.Position) -> Optional[Function]:
    """The function of the plugin whose name stands at a place of the file asked about."""
    for function in sheet.scope.names.values() if sheet.scope is not None else ():
        if function.file != sheet.found.file or function.line != position.line or function.node is None:
            continue
        where = _location(desk, sheet, function).range
        if where.start.character <= position.character <= where.end.character:
            return function
    return None


def _location(desk: Desk, sheet: Sheet, function: Function) -> types.Location:
    line = ""
    try:
        text = (sheet.path / function.file).read_text("utf-8", "replace")
        line = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[function.line]
    except (OSError, IndexError):
        pass
    start, end = desk.measure(line[: function.start]), desk.measure(line[: function.end])
    where = types.Range(types.Position(function.line, start), types.Position(function.line, end))
    return types.Location(desk.uri(sheet.found, function.file), where)
