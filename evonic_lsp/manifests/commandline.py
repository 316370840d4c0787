"""``cli_commands``: Evonic hands them to argparse, and loses the commands of every plugin if that refuses one."""

from __future__ import annotations

import argparse
from typing import Any, Dict, Iterator, List, Optional, Set, Tuple

from ..bridge.jsontree import OBJECT, Node
from . import known
from .findings import ERROR, MANIFEST, WARNING, Finding, replace
from .functions import HANDLER, Scope, refuses_keywords

_LOST = "Evonic's command line then shows no plugin's commands"


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise ValueError(message)


def check(root: Node, scope: Optional[Scope]) -> Iterator[Finding]:
    """Everything that is wrong with the commands."""
    seen: Set[str] = set()
    commands = root.get("cli_commands")
    for command in commands.items if commands else ():
        name = command.get("name")
        if command.kind != OBJECT or name is None or not name.is_string:
            continue
        if name.value in known.CLI_COMMANDS:
            message = f"./evonic {name.value} is a command of Evonic itself: on Python 3.11 and later {_LOST}"
            yield Finding(MANIFEST, name.start, name.end, message, ERROR)
        elif name.value in seen:
            yield Finding(MANIFEST, name.start, name.end, f'"{name.value}" is there twice: the last counts', WARNING)
        seen.add(name.value)
        handler, subs = command.get("handler"), command.get("subcommands")
        if handler is not None and handler.value is not None:
            message = "Evonic never calls this: only subcommands have a function that runs"
            yield Finding(MANIFEST, handler.start, handler.end, message, WARNING)
        if handler is None and (subs is None or not subs.items) and command.closed:
            message = f"./evonic {name.value} has no subcommands: Evonic only shows its help"
            yield Finding(MANIFEST, name.start, name.end, message, WARNING)
        for sub in subs.items if subs is not None else ():
            yield from _subcommand(sub, scope)


def _subcommand(sub: Node, scope: Optional[Scope]) -> Iterator[Finding]:
    if sub.kind != OBJECT:
        yield Finding(MANIFEST, sub.start, sub.end, f"a subcommand is an object: {_LOST}", ERROR)
        return
    declared = sub.get("arguments")
    good: List[Dict[str, Any]] = []
    parser = _Parser("evonic")
    for argument in declared.items if declared is not None else ():
        fault = _argument(parser, argument)
        if fault is None:
            good.append(argument.plain())
        else:
            node, message = fault
            yield Finding(MANIFEST, node.start, node.end, f"argparse refuses this: {message}; {_LOST}", ERROR)
    handler, name = sub.get("handler"), sub.get("name")
    if handler is None:
        if name is not None and sub.closed:
            message = 'the subcommand names no "handler": Evonic has nothing to run'
            yield Finding(MANIFEST, name.start, name.end, message, WARNING)
    elif handler.is_string and scope is not None and len(good) == len(declared.items if declared else ()):
        yield from _function(handler, scope, good)


def _argument(parser: _Parser, node: Node) -> Optional[Tuple[Node, str]]:
    """(what argparse refuses, why); None if it takes the argument."""
    name, short = node.get("name"), node.get("short")
    if node.kind != OBJECT:
        return node, "an argument is an object"
    if name is None:
        return node, 'it has no "name"'
    if not name.is_string or not name.value:
        return name, "the name is a text"
    options = {key: value for key, value in node.plain().items() if key not in ("name", "short")}
    kind = node.get("type")
    if kind is not None and kind.value is not None:
        return kind, '"type" would have to be a function, which JSON cannot say; convert in the function'
    names = [name.value, short.value] if short is not None and short.value else [name.value]
    try:
        parser.add_argument(*names, **options)
    except Exception as error:  # whatever it has against it
        return node, str(error).partition("\n")[0]
    return None


def _function(handler: Node, scope: Scope, declared: List[Dict[str, Any]]) -> Iterator[Finding]:
    if not scope.has(handler.value):
        meant = known.nearest(handler.value, scope.names)
        message = f"the command-line function {handler.value} is not in handler.py"
        fixes = (replace(handler, meant),) if meant else ()
        yield Finding(MANIFEST, handler.start, handler.end, message, WARNING, fixes)
        return
    function = scope.names.get(handler.value)
    if function is None or function.node is None or function.file != HANDLER:
        return
    always = {_keyword(each) for each in declared if _is_always_given(each)}
    perhaps = {_keyword(each) for each in declared} - always
    why = refuses_keywords(function.node, always, perhaps)
    if why:
        message = f"Evonic calls {handler.value} with the arguments by keyword: {why}"
        yield Finding(MANIFEST, handler.start, handler.end, message, ERROR)


def _keyword(argument: Dict[str, Any]) -> str:
    return str(argument["name"]).lstrip("-").replace("-", "_")


def _is_always_given(argument: Dict[str, Any]) -> bool:
    if argument.get("default") is not None or argument.get("required") is True:
        return True
    if str(argument["name"]).startswith("-"):
        return argument.get("action") in ("store_true", "store_false")
    return argument.get("nargs") not in ("?",)
