"""JSON with positions, for text that may be broken: every value knows where it stands, and every error is found.

What :func:`json.loads` accepts gives the same value and no error; what it refuses gives at least one error and
what could be understood. Never raises. Nesting deeper than :data:`DEEPEST` is an error: one level is one frame.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Iterator, List, Optional, Tuple, Union

DEEPEST = 200
OBJECT, ARRAY, SCALAR = "object", "array", "scalar"
Path = Tuple[Union[str, int], ...]

_SPACE = re.compile(r"[ \t\n\r]*")
_COMMENT = re.compile(r"//[^\n\r]*|/\*(?:[^*]|\*(?!/))*(?:\*/)?|#[^\n\r]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_ANY_STRING = re.compile(r"""(["'])(?:(?!\1)[^\\\n\r]|\\[^\n\r])*(?:(\1)|\\?)""")
_BAD_IN_STRING = re.compile(r'[\x00-\x1f]|\\(?!["\\/bfnrt]|u[0-9a-fA-F]{4})(?:u[0-9a-fA-F]{0,3}|.)?', re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|-?Infinity|NaN")
_WORD = re.compile(r"[^\s\[\]{},:\"']+")
_LITERALS = {"true": True, "false": False, "null": None}


@dataclass
class Node:
    """A value from `start` to `end` (offsets in code points). `value` of a scalar; `members` of an object;
    `items` of an array. `closed`: its closing quote, brace or bracket is there."""

    kind: str
    start: int
    end: int
    value: Any = None
    members: List[Member] = field(default_factory=list)
    items: List[Node] = field(default_factory=list)
    closed: bool = True

    def get(self, key: Union[str, int]) -> Optional[Node]:
        """The value of the last member `key`, or the item of that number."""
        if isinstance(key, int):
            return self.items[key] if 0 <= key < len(self.items) else None
        return next((each.value for each in reversed(self.members) if each.key.value == key), None)

    def at(self, path: Path) -> Optional[Node]:
        """The value that `path` leads to."""
        node: Optional[Node] = self
        for key in path:
            node = node.get(key) if node is not None else None
        return node

    def plain(self) -> Any:
        """As :mod:`json` gives it."""
        if self.kind == OBJECT:
            return {each.key.value: each.value.plain() if each.value else None for each in self.members}
        if self.kind == ARRAY:
            return [each.plain() for each in self.items]
        return self.value

    @property
    def is_string(self) -> bool:
        """Whether it is a string."""
        return self.kind == SCALAR and isinstance(self.value, str)


@dataclass
class Member:
    """``key: value`` in an object. `colon` is where that is; None where it or the value is missing."""

    key: Node
    colon: Optional[int] = None
    value: Optional[Node] = None


@dataclass(frozen=True)
class Fault:
    """What is no JSON, from `start` to `end`."""

    start: int
    end: int
    message: str


@dataclass
class Tree:
    """A text as it was understood; `root` is None where there is nothing at all."""

    text: str
    root: Optional[Node]
    faults: List[Fault]

    def at(self, path: Path) -> Optional[Node]:
        """The value that `path` leads to."""
        return self.root.at(path) if self.root else None

    def walk(self) -> Iterator[Tuple[Path, Node]]:
        """Every value with its path, the outer ones first."""
        waiting: List[Tuple[Path, Node]] = [((), self.root)] if self.root else []
        while waiting:
            path, node = waiting.pop()
            yield path, node
            below = [((*path, each.key.value), each.value) for each in node.members if each.value]
            waiting += [*below, *(((*path, number), each) for number, each in enumerate(node.items))][::-1]


def parse(text: str) -> Tree:
    """The tree of any text."""
    parser = _Parser(text)
    root = parser.document()
    first = {each.start: each for each in reversed(parser.faults)}  # what follows in the same place follows from it
    return Tree(text, root, [first[start] for start in sorted(first)])


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.here = 0
        self.faults: List[Fault] = []

    def document(self) -> Optional[Node]:
        if self.text.startswith("\ufeff"):
            self.fault(0, 1, "a byte order mark is in front: save it without")
            self.here = 1
        self.space()
        root = self.value(0)
        self.space()
        if root is None:
            self.fault(self.here, self.here + 1, "Expecting value")
        elif self.here < len(self.text):
            self.fault(self.here, len(self.text.rstrip()), "Extra data")
        return root

    def fault(self, start: int, end: int, message: str) -> None:
        last = max(len(self.text), start)
        self.faults.append(Fault(start, max(min(end, last), start), message))

    def space(self) -> None:
        """Goes over white space, and over comments with a word about them."""
        while True:
            self.here = _end(_SPACE, self.text, self.here)
            comment = _COMMENT.match(self.text, self.here)
            if comment is None:
                return
            self.fault(comment.start(), comment.end(), "JSON has no comments")
            self.here = comment.end()

    def value(self, depth: int) -> Optional[Node]:
        """The value that begins here; None if none does."""
        mark = self.text[self.here : self.here + 1]
        if mark and mark in "{[":
            if depth >= DEEPEST:
                return self.too_deep()
            return self.object(depth) if mark == "{" else self.array(depth)
        if mark and mark in "\"'":
            return self.string()
        found = _WORD.match(self.text, self.here)
        return self.word(found.group()) if found else None

    def too_deep(self) -> Node:
        node = Node(SCALAR, self.here, len(self.text), closed=False)
        self.fault(self.here, self.here + 1, "nested too deeply")
        self.here = len(self.text)
        return node

    def string(self) -> Node:
        start = self.here
        good = _STRING.match(self.text, start)
        if good is not None:
            self.here = good.end()
            return Node(SCALAR, start, self.here, json.loads(good.group()))
        found = _ANY_STRING.match(self.text, start)
        raw = found.group() if found else ""
        self.here = start + len(raw)
        closed = bool(found and found.group(2))
        if not closed:
            self.fault(start, self.here, "Unterminated string")
        elif raw[0] == "'":
            self.fault(start, self.here, "strings stand in double quotes")
        for bad in _BAD_IN_STRING.finditer(raw) if raw[0] == '"' else ():
            what = "Invalid control character" if bad.group() < " " else "Invalid \\escape"
            self.fault(start + bad.start(), start + bad.end(), what)
        return Node(SCALAR, start, self.here, raw[1:-1] if closed else raw[1:], closed=closed)

    def word(self, word: str) -> Node:
        start, self.here = self.here, self.here + len(word)
        node = Node(SCALAR, start, self.here)
        if word in _LITERALS:
            node.value = _LITERALS[word]
        elif _NUMBER.fullmatch(word):
            try:
                node.value = json.loads(word)
            except ValueError as error:  # more digits than Python reads
                self.fault(start, self.here, str(error))
        else:
            node.value = word
            self.fault(start, self.here, f"Expecting value: {word[:40]} is none")
        return node

    def array(self, depth: int) -> Node:
        node = Node(ARRAY, self.here, self.here + 1, closed=False)
        self.here += 1
        comma: Optional[int] = None
        while True:
            self.space()
            if self.closes(node, "]", comma):
                return node
            item = self.value(depth + 1)
            if item is None:
                if not self.skip(node, "Expecting value"):
                    return node
            else:
                node.items.append(item)
            comma = self.comma(node, "]")

    def object(self, depth: int) -> Node:
        node = Node(OBJECT, self.here, self.here + 1, closed=False)
        self.here += 1
        comma: Optional[int] = None
        while True:
            self.space()
            if self.closes(node, "}", comma):
                return node
            key = self.key()
            if key is None:
                if not self.skip(node, "Expecting property name enclosed in double quotes"):
                    return node
            else:
                node.members.append(self.member(key, depth))
            comma = self.comma(node, "}")

    def key(self) -> Optional[Node]:
        mark = self.text[self.here : self.here + 1]
        if mark and mark in "\"'":
            return self.string()
        found = _WORD.match(self.text, self.here)
        if found is None:
            return None
        self.here = found.end()
        self.fault(found.start(), found.end(), "Expecting property name enclosed in double quotes")
        return Node(SCALAR, found.start(), found.end(), found.group())

    def member(self, key: Node, depth: int) -> Member:
        member = Member(key)
        self.space()
        if not self.text.startswith(":", self.here):
            self.fault(*self.token(), "Expecting ':' delimiter")
        else:
            member.colon = self.here
            self.here += 1
            self.space()
        member.value = self.value(depth + 1)
        if member.value is None and member.colon is not None:
            self.fault(*self.token(), "Expecting value")
        return member

    def closes(self, node: Node, mark: str, comma: Optional[int]) -> bool:
        """Whether `node` ends here. `comma`: where one has just been."""
        node.end = self.here
        if self.here >= len(self.text):
            if not self.faults:  # or what is wrong further up may have swallowed it
                self.fault(*self.token(), f"Expecting '{mark}': what was opened is not closed")
            return True
        if not self.text.startswith(mark, self.here):
            return False
        if comma is not None:
            self.fault(comma, comma + 1, f"Illegal trailing comma before '{mark}'")
        self.here += 1
        node.end, node.closed = self.here, True
        return True

    def comma(self, node: Node, mark: str) -> Optional[int]:
        """Goes over the comma that must be here unless `node` ends; where it is."""
        self.space()
        if self.text.startswith(",", self.here):
            self.here += 1
            return self.here - 1
        if self.here < len(self.text) and not self.text.startswith(mark, self.here):
            self.fault(*self.token(), "Expecting ',' delimiter")
        return None

    def skip(self, node: Node, message: str) -> bool:
        """Goes over what cannot be here. False if it ends `node`: it closes something further out."""
        self.fault(*self.token(), message)
        if self.here < len(self.text) and self.text[self.here] in "]}":
            node.end = self.here
            return False
        if not self.text.startswith(",", self.here):
            self.here += 1
        return True

    def token(self) -> Tuple[int, int]:
        """Where the next token is: what is pointed at when something else should be here."""
        if self.here >= len(self.text):
            end = len(self.text.rstrip())
            return max(end - 1, 0), end
        found = _ANY_STRING.match(self.text, self.here) or _WORD.match(self.text, self.here)
        return self.here, found.end() if found else self.here + 1


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.match(text, start)
    return found.end() if found else start
