"""From what is wrong with a plugin to diagnostics, and who published what where.

Each plugin of each host owns the diagnostics that its last outcome brought, in whatever files they are. The next
outcome replaces them all. A file shows what all its owners have to say.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Callable, Dict, Hashable, List, Optional, Set

from lsprotocol import types

from .bridge.wire import Place, Problem

SOURCE = "evonic"
# The code of what is wrong in a plugin.json, wherever that was found.
MANIFEST = "manifest"
_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "information": types.DiagnosticSeverity.Information,
    "hint": types.DiagnosticSeverity.Hint,
}
# Where a file is, as the editor names it; None if it cannot know.
Locate = Callable[[Place], Optional[str]]
# How long a text is in the units of the client's position encoding.
Measure = Callable[[str], int]


class Book:
    """Who published what. `publish(uri, diagnostics)` replaces what a file shows."""

    def __init__(self, publish: Callable[[str, List[types.Diagnostic]], None]) -> None:
        self._publish = publish
        self._owned: Dict[Hashable, Dict[str, List[types.Diagnostic]]] = {}

    def replace(self, owner: Hashable, diagnostics: Dict[str, List[types.Diagnostic]]) -> None:
        """What `owner` has to say from now on, by URI. What is shown already is not published again."""
        before = self._owned.pop(owner, {})
        if diagnostics:
            self._owned[owner] = diagnostics
        for uri in {**before, **diagnostics}:
            if before.get(uri) != diagnostics.get(uri):
                self._show(uri)

    def owners(self) -> Set[Hashable]:
        """All who have something to say."""
        return set(self._owned)

    def shows(self, owner: Hashable, uri: str) -> bool:
        """Whether `owner` has something to say in a file."""
        return bool(self._owned.get(owner, {}).get(uri))

    def drop(self, gone: Callable[[str], bool]) -> None:
        """Clears every file that is `gone`."""
        for owner, diagnostics in list(self._owned.items()):
            self.replace(owner, {uri: each for uri, each in diagnostics.items() if not gone(uri)})

    def outdate(self, uri: str, code: str, but: Hashable) -> None:
        """Takes back what others said about a text that has changed since, under this code."""
        for owner, diagnostics in list(self._owned.items()):
            if owner != but and any(each.code == code for each in diagnostics.get(uri, ())):
                left = [each for each in diagnostics[uri] if each.code != code]
                self.replace(owner, {**diagnostics, uri: left})

    def _show(self, uri: str) -> None:
        shown: List[types.Diagnostic] = []
        for owned in self._owned.values():
            shown += [each for each in owned.get(uri, ()) if not any(_same(each, other) for other in shown)]
        self._publish(uri, shown)


def _same(one: types.Diagnostic, other: types.Diagnostic) -> bool:
    """Whether both are one problem of a manifest: the host tells of some that are found here while one types."""
    return one.code == other.code == MANIFEST and one.range == other.range


def of_problems(
    problems: List[Problem], fallback: str, locate: Locate, measure: Measure, related: bool
) -> Dict[str, List[types.Diagnostic]]:
    """Diagnostics by URI. `fallback` is the URI for what has no place; `related`: the client shows related
    information (else it becomes part of the message)."""
    found: Dict[str, List[types.Diagnostic]] = defaultdict(list)
    for problem in problems:
        uri = locate(problem.place) if problem.place else None
        place = problem.place if uri else None
        found[uri or fallback].append(_diagnostic(problem, place, locate, measure, related))
    return dict(found)


def range_of(place: Place, measure: Measure) -> types.Range:
    """The range of a place in the client's units; columns on the wire count code points."""
    return types.Range(
        types.Position(place.start_line, measure(place.first[: place.start_column])),
        types.Position(place.end_line, measure(place.last[: place.end_column])),
    )


def _diagnostic(
    problem: Problem, place: Optional[Place], locate: Locate, measure: Measure, related: bool
) -> types.Diagnostic:
    more: List[types.DiagnosticRelatedInformation] = []
    notes: List[str] = []
    for each in problem.related:
        uri = locate(each.place) if each.place else None
        if related and uri and each.place:
            location = types.Location(uri, range_of(each.place, measure))
            more.append(types.DiagnosticRelatedInformation(location, each.message))
        else:
            where = f"{each.place.file}:{each.place.start_line + 1}: " if each.place else ""
            notes.append(where + each.message)
    start = types.Position(0, 0)
    return types.Diagnostic(
        range=range_of(place, measure) if place else types.Range(start, start),
        message="\n".join([problem.message, *notes]),
        severity=_SEVERITIES.get(problem.severity, types.DiagnosticSeverity.Error),
        code=problem.code,
        source=SOURCE,
        related_information=more or None,
    )
