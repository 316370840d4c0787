"""Texts as LSP speaks of them: positions in the client's units, changes."""

from __future__ import annotations

import bisect
import re
from typing import Callable, List, Sequence, Union

from lsprotocol import types

# How long a text is in the units of the client's position encoding.
Measure = Callable[[str], int]
_LINE_END = re.compile(r"\r\n|\n|\r")
Change = Union[types.TextDocumentContentChangePartial, types.TextDocumentContentChangeWholeDocument]


class Text:
    """A text whose offsets (code points) and positions (client's units) convert into each other.

    Lines end as LSP has it: Python's own ``splitlines`` knows more line ends, some of which may stand in a JSON
    string.
    """

    def __init__(self, text: str, measure: Measure) -> None:
        self.text = text
        self._measure = measure
        self._starts: List[int] = [0, *(each.end() for each in _LINE_END.finditer(text))]

    def position(self, offset: int) -> types.Position:
        """The position of an offset."""
        line = bisect.bisect_right(self._starts, offset) - 1
        return types.Position(line, self._measure(self.text[self._starts[line] : offset]))

    def range(self, start: int, end: int) -> types.Range:
        """The range from one offset to another."""
        return types.Range(self.position(start), self.position(end))

    def offset(self, position: types.Position) -> int:
        """The offset of a position; what lies beyond a line's end is its end."""
        if position.line >= len(self._starts):
            return len(self.text)
        start = self._starts[position.line]
        end = _LINE_END.search(self.text, start)
        line = self.text[start : end.start() if end else len(self.text)]
        left = 0
        for index, character in enumerate(line):
            if left >= position.character:
                return start + index
            left += self._measure(character)
        return start + len(line)


def changed(text: str, changes: Sequence[Change], measure: Measure) -> str:
    """`text` after `changes`, each of which is about what the one before has left."""
    for change in changes:
        if isinstance(change, types.TextDocumentContentChangePartial):
            before = Text(text, measure)
            start, end = before.offset(change.range.start), before.offset(change.range.end)
            text = text[:start] + change.text + text[end:]
        else:
            text = change.text
    return text
