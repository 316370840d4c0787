"""Run-time errors as problems of the text that is open now.

An error's lines are those of the text that ran. Where the document has moved on, its place is where that line is
now; where the line is gone, the message says so.
"""

from __future__ import annotations

import dataclasses
import time
from typing import Callable, Dict, Iterable, List, Optional

from .bridge.messages import is_past
from .bridge.report import split_lines
from .bridge.wire import Failure, Outcome, Place, Problem
from .where import Ref

# (place) -> the lines of its file as the editor has it; None if it cannot be read
LinesOf = Callable[[Place], Optional[List[str]]]
# Errors that are kept of one plugin, as many as the host keeps: the oldest goes first.
MOST = 24


class Faults:
    """What went wrong in each plugin since its load."""

    def __init__(self) -> None:
        self._failures: Dict[Ref, Dict[str, Failure]] = {}
        self._serving: Dict[Ref, Optional[int]] = {}

    def heard(self, ref: Ref, failure: Failure) -> bool:
        """Takes an error, or an update of one. Whether it is a new one."""
        known = self._failures.setdefault(ref, {})
        new = failure.key not in known
        known[failure.key] = failure
        for oldest in list(known)[:-MOST]:
            del known[oldest]
        return new

    def reset(self, ref: Ref, failures: Iterable[Failure], serving: Optional[int]) -> None:
        """What the host has, at each connection. `serving` is the number of the generation that serves."""
        self._failures[ref] = {each.key: each for each in list(failures)[-MOST:]}
        self._serving[ref] = serving

    def replaced(self, ref: Ref, outcome: Outcome, good: bool) -> None:
        """There is an outcome; after a `good` one, what was before it is past."""
        self._serving[ref] = outcome.generation
        if good:
            known = self._failures.get(ref, {})
            self._failures[ref] = {key: each for key, each in known.items() if not is_past(each, outcome)}

    def clear(self, ref: Ref) -> None:
        """Forgets all of a plugin."""
        self._failures.pop(ref, None)

    def of(self, ref: Ref) -> List[Failure]:
        """All of a plugin."""
        return list(self._failures.get(ref, {}).values())

    def owners(self) -> List[Ref]:
        """The plugins of which there are any."""
        return [ref for ref, known in self._failures.items() if known]

    def problems(self, ref: Ref, lines_of: LinesOf) -> List[Problem]:
        """All of a plugin, as problems in the text that is there now."""
        return [self._problem(ref, each, lines_of) for each in self.of(ref)]

    def _problem(self, ref: Ref, failure: Failure, lines_of: LinesOf) -> Problem:
        problem = failure.problem
        notes = [problem.message, _told(failure)]
        if failure.generation != self._serving.get(ref, failure.generation):
            notes.append("this ran in a version that no longer serves")
        place = moved(problem.place, lines_of)
        if problem.place is not None and place is None:
            notes.append(f"the line has changed since; what ran was: {problem.place.first.strip()}")
            place = _within(problem.place, lines_of)
        related = []
        for each in problem.related:
            shifted = moved(each.place, lines_of)
            if each.place is not None and shifted is None:
                gone = f"{each.message} (changed since; what ran was: {each.place.first.strip()})"
                each = dataclasses.replace(each, message=gone, place=_within(each.place, lines_of))
            else:
                each = dataclasses.replace(each, place=shifted)
            related.append(each)
        return dataclasses.replace(problem, message="\n".join(notes), place=place, related=related)


def _told(failure: Failure) -> str:
    when = clock(failure.last_at)
    if failure.count == 1:
        often = f"once, at {when}"
    else:
        often = f"{failure.count:,} times since {clock(failure.first_at)}, last at {when}"
    return f"run time, {failure.trigger} {failure.name}: {often}"


def clock(at: float) -> str:
    """A time of day, with the date if that is not today's."""
    moment, today = time.localtime(at), time.localtime()
    return time.strftime("%H:%M:%S" if moment[:3] == today[:3] else "%Y-%m-%d %H:%M:%S", moment)


def moved(place: Optional[Place], lines_of: LinesOf) -> Optional[Place]:
    """`place` where its first line is now: the nearest one with the same text. None if there is none.

    What cannot be read here (another machine, a file that is gone) is taken as it was told.
    """
    lines = lines_of(place) if place is not None else None
    if place is None or lines is None:
        return place
    line = nearest(lines, place.start_line, place.first)
    if line is None:
        return None
    now = lines[line]
    shift, indent = line - place.start_line, _indent(now) - _indent(place.first)
    if place.end_line == place.start_line:
        return dataclasses.replace(
            place,
            start_line=line,
            end_line=line,
            start_column=max(place.start_column + indent, 0),
            end_column=max(place.end_column + indent, 0),
            first=now,
            last=now,
        )
    end = place.end_line + shift
    if line <= end < len(lines) and lines[end] == place.last and not indent:
        return dataclasses.replace(place, start_line=line, end_line=end)
    # Its other lines have changed: what is sure is the first.
    start = max(place.start_column + indent, 0)
    return dataclasses.replace(
        place, start_line=line, end_line=line, start_column=start, end_column=len(now.rstrip()), first=now, last=now
    )


def nearest(lines: List[str], number: int, text: str) -> Optional[int]:
    """The number of the line nearest to `number` that is `text`, if need be with another indentation."""
    if not text:
        return number if number < len(lines) and not lines[number] else None
    found = [each for each, line in enumerate(lines) if line == text]
    found = found or [each for each, line in enumerate(lines) if line.strip() == text.strip()]
    return min(found, key=lambda each: abs(each - number), default=None)


def _within(place: Place, lines_of: LinesOf) -> Place:
    """The line of the old number, or the last one: somewhere that exists."""
    lines = lines_of(place) or [""]
    line = min(place.start_line, len(lines) - 1)
    text = lines[line]
    return dataclasses.replace(
        place,
        start_line=line,
        end_line=line,
        start_column=_indent(text),
        end_column=len(text.rstrip()) or 0,
        first=text,
        last=text,
    )


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def lines_of_text(text: str) -> List[str]:
    """Lines as LSP counts them."""
    return split_lines(text)
