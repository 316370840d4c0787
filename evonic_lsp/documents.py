"""The Python files that are open, as they are typed, for what must point at the right line of them."""

from __future__ import annotations

from typing import Dict, List, Optional, Sequence

from lsprotocol import types

from .manifests.texts import Change, Measure, changed

# Nobody asks for a text while one types: changes wait, until there are so many of them.
_MOST_WAITING = 500


class Documents:
    """`all_told`: the client tells of all changes; else only of those of some files, and each time the whole text."""

    def __init__(self, measure: Measure) -> None:
        self.all_told = True
        self._measure = measure
        self._texts: Dict[str, Optional[str]] = {}
        self._waiting: Dict[str, List[Change]] = {}

    def opened(self, uri: str, text: str) -> None:
        """A file was opened."""
        if uri.endswith(".py"):
            self._texts[uri] = text if self.all_told else None
            self._waiting[uri] = []

    def changed(self, uri: str, changes: Sequence[Change]) -> bool:
        """A file has changed. Whether its text is known only from now on."""
        if uri not in self._texts:
            return False
        known = self._texts[uri] is not None
        for each in changes:
            if isinstance(each, types.TextDocumentContentChangeWholeDocument):
                self._texts[uri], self._waiting[uri] = each.text, []  # whatever was before it
            elif self._texts[uri] is not None:
                self._waiting[uri].append(each)
        if len(self._waiting[uri]) > _MOST_WAITING:
            self.text(uri)
        return not known and self._texts[uri] is not None

    def closed(self, uri: str) -> None:
        """A file is no longer open."""
        self._texts.pop(uri, None)
        self._waiting.pop(uri, None)

    def text(self, uri: str) -> Optional[str]:
        """The text of an open file; None if it is not open, or not known."""
        text = self._texts.get(uri)
        if text is not None and self._waiting[uri]:
            text = self._texts[uri] = changed(text, self._waiting[uri], self._measure)
            self._waiting[uri] = []
        return text
