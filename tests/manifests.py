"""Manifests that are wrong: what the editor is to show of each."""

from __future__ import annotations

import re
from pathlib import Path

from lsprotocol import types

E, W, H = "Error", "Warning", "Hint"
ID = '{"name": "😋é", "id": "probe", '
EVENT = "def on_turn_complete(event, sdk): pass\n"
CARD = ID + '"dashboard_cards": [{"id": "c", "handler": "card"}]}'
SLASH = ID + '"slash_commands": [{"id": "hi"}]}'


def cli(arguments: str, name: str = '"go"') -> str:
    sub = f'{{"name": "do", "handler": "run", "arguments": [{arguments}]}}'
    return ID + f'"cli_commands": [{{"name": {name}, "subcommands": [{sub}]}}]}}'


# What is wrong stands between « and »: (plugin.json, handler.py or None, severity, part of the message).
TABLE = {
    "nothing": ("«»", "", E, "not valid JSON"),
    "a comma too much": ('{"é😋": 1, "id": "probe"«,»}', "", E, "trailing comma"),
    "a comma too little": ('{"😋": 1 «"id"»: "probe"}', "", E, "Expecting ','"),
    "no colon": ('{"😋" «1», "id": "probe"}', "", E, "Expecting ':'"),
    "no value": ('{"😋": «,» "id": "probe"}', "", E, "Expecting value"),
    "single quotes": ("{\"😋\": «'x'», \"id\": \"probe\"}", "", E, "double quotes"),
    "a bare key": ('{"😋": 1, «id»: "probe"}', "", E, "Expecting property name"),
    "a comment": ('{"😋": 1, «// why»\n "id": "probe"}', "", E, "no comments"),
    "Python's True": ('{"😋": «True», "id": "probe"}', "", E, "True is none"),
    "an unclosed string": ('{"id": "probe", "😋": «"x}»', "", E, "Unterminated"),
    "an unclosed object": ('{"id": "probe", "😋": [«1»', "", E, "not closed"),
    "a bad escape": ('{"😋": "a«\\q»b", "id": "probe"}', "", E, "escape"),
    "a tab in a string": ('{"😋": "a«\t»b", "id": "probe"}', "", E, "control character"),
    "something behind": ('{"id": "probe", "😋": 1} «}»', "", E, "Extra data"),
    "a list": ('«["😋"]»', "", E, "must be a JSON object"),
    "no id": ('«{»"name": "😋"}', "", E, '"id" is missing'),
    "another id": ('{"name": "😋", "id": «"other"»}', "", E, "the name of the folder"),
    "an id that is a number": ('{"name": "😋", "id": «7»}', "", E, "the name of the folder"),
    "events as a text": (ID + '"events": «"turn_complete"»}', EVENT, E, "must be a list"),
    "an event that is a number": (ID + '"events": [«1»]}', "", E, "strings only"),
    "an unknown event": (ID + '"events": [«"turn_completed"»]}', "", W, '"turn_complete" is meant?'),
    "an unknown event like no other": (ID + '"events": [«"xyzzy"»]}', "", W, 'no event "xyzzy"'),
    "an event twice": (ID + '"events": ["turn_complete", «"turn_complete"»]}', EVENT, W, "twice"),
    "no handler of an event": (ID + '"events": [«"turn_complete"»]}', "", W, "no function on_turn_complete("),
    "no handler.py": (ID + '"events": [«"turn_complete"»]}', None, H, "there is no handler.py"),
    "a handler that nobody calls": (ID + '"events": []}', "é = 1\ndef «on_message_sent»(e, s): 0\n", W, "not among"),
    "a handler of too few": (ID + '"events": ["turn_complete"]}', "def «on_turn_complete»(e): 0\n", E, "takes 1"),
    "a handler of too many": (ID + '"events": ["turn_complete"]}', "def «on_turn_complete»(a, b, c): 0", E, "takes 3"),
    "a handler with a keyword": (
        ID + '"events": ["turn_complete"]}', "def «on_turn_complete»(a, b, *, c): 0", E, "needs c"
    ),
    "an async handler": (ID + '"events": ["turn_complete"]}', "async def «on_turn_complete»(a, b): 0", W, "await"),
    "a key twice": (ID + '«"version"»: "1", "version": "2"}', "", W, "twice"),
    "a misspelt key": (ID + '«"evnts"»: []}', "", W, '"events" is meant?'),
    "a misspelt key further in": (ID + '"variables": [{"name": "A", «"lable"»: "x"}]}', "", W, '"label" is meant?'),
    "variables as an object": (ID + '"variables": «{"A": 1}»}', "", E, "must be a list"),
    "a variable without a name": (ID + '"variables": [«{"label": "x"}»]}', "", E, 'needs "name"'),
    "a variable of another type": (ID + '"variables": [{"name": "A", "type": «"bool"»}]}', "", W, 'no type "bool"'),
    "a variable twice": (ID + '"variables": [{"name": "A"}, {"name": «"A"»}]}', "", W, "twice"),
    "a slash command as a text": (ID + '"slash_commands": [«"hi"»]}', "", E, "objects only"),
    "a slash command without an id": (ID + '"slash_commands": [«{"description": "x"}»]}', "", W, 'no "id"'),
    "a slash command without a function": (SLASH.replace('"hi"', '«"hi"»'), "", W, "on_slash_command_hi(sdk, args)"),
    "a slash command of too few": (SLASH, "def «on_slash_command_hi»(sdk): pass", E, "takes 1"),
    "a card without a function": (CARD.replace('"card"', '«"card"»'), "", W, "card(sdk) is not in handler.py"),
    "a card without a name": (ID + '"dashboard_cards": [«{"id": "c"}»]}', "", W, 'names no "handler"'),
    "a card of too many": (CARD, "def «card»(sdk, more): pass", E, "takes 2"),
    "a nav item that is none": (ID + '"nav_items": [«1»]}', "", E, "objects only"),
    "a command of Evonic's": (cli("", '«"plugin"»'), "def run(): pass", E, "a command of Evonic itself"),
    "a command twice": (
        ID + '"cli_commands": [{"name": "a", "subcommands": [{}]}, {"name": «"a"», "subcommands": [{}]}]}', "", W,
        "twice",
    ),
    "a command without subcommands": (ID + '"cli_commands": [{"name": «"go"»}]}', "", W, "no subcommands"),
    "a command with a function": (
        ID + '"cli_commands": [{"name": "go", "handler": «"run"», "subcommands": []}]}', "", W, "never calls this"
    ),
    "a subcommand without a function": (cli("").replace('"run"', '«"run"»'), "", W, "run is not in handler.py"),
    "an argument of a type": (cli('{"name": "n", "type": «"int"»}'), "def run(n): 0", E, "JSON cannot say"),
    "an argument without a name": (cli('«{"help": "x"}»'), "def run(): 0", E, 'no "name"'),
    "an argument with a key too much": (cli('«{"name": "n", "colour": 1}»'), "def run(**k): 0", E, "argparse refuses"),
    "a required positional": (cli('«{"name": "n", "required": true}»'), "def run(n=1): 0", E, "argparse refuses"),
    "an option that is taken": (cli('«{"name": "--host", "short": "-h"}»'), "def run(): 0", E, "argparse refuses"),
    "a parameter that is not given": (
        cli('{"name": "n"}').replace('"run"', '«"run"»'), "def run(n, m): 0", E, "needs m, which is not among"
    ),
    "an argument that is not taken": (
        cli('{"name": "n"}').replace('"run"', '«"run"»'), "def run(): 0", E, "no parameter n"
    ),
    "an option without a default": (
        cli('{"name": "--n"}').replace('"run"', '«"run"»'), "def run(n): 0", E, "give it a default"
    ),
}  # fmt: skip


def unmarked(text: str) -> tuple[str, tuple[int, int] | None]:
    start, end = text.find("«"), text.find("»") - 1
    return re.sub("[«»]", "", text), (start, end) if start >= 0 else None


def expected(text: str, span: tuple[int, int], encoding: str) -> types.Range:
    def position(offset: int) -> types.Position:
        lines = text[:offset].split("\n")
        return types.Position(len(lines) - 1, len(lines[-1].encode(encoding)) // (1 if encoding == "utf-8" else 2))

    return types.Range(position(span[0]), position(span[1]))


def plugin(evonic, manifest: str, handler: str | None = "") -> Path:
    folder = evonic.plugin("probe")
    (folder / "plugin.json").write_text(manifest, "utf-8", newline="")
    if handler is None:
        (folder / "handler.py").unlink()
    else:
        (folder / "handler.py").write_text(handler, "utf-8", newline="")
    return folder
