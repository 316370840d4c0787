"""What the kinds of registration have in common.

While a generation is staged, whatever its import registers must not reach the host yet. So the containers of
the host are replaced, once, by ones that look at who is speaking: in the thread that stages a generation
they note the registration there, everywhere else they are the plain list or dict they always were.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional

from ..generation import Generation
from ..host import Host
from ..snapshot import Snapshot
from ..wire import Problem

Undo = Callable[[], None]
_staging = threading.local()


class Kind:
    """One kind of registration. A new kind of the host is a new subclass and its name in ``kinds``."""

    name = ""

    def __init__(self, host: Host) -> None:
        self.host = host

    def adopt(self, generation: Generation) -> None:
        """Notes in `generation` what the host's own load of it registered."""

    def check(self, before: Optional[Snapshot], snapshot: Snapshot) -> Iterable[Problem]:
        """Yields what is wrong with the files, where `before` was not the same, before anything runs."""
        return ()

    def declare(self, generation: Generation) -> Iterable[Problem]:
        """Notes in `generation` what its manifest declares; yields what is wrong with that."""
        return ()

    def validate(self, old: Optional[Generation], new: Generation) -> Iterable[Problem]:
        """Yields what speaks against replacing `old` by `new`; touches nothing."""
        return ()

    def commit(self, plugin: str, old: Optional[Generation], new: Optional[Generation]) -> Undo:
        """Replaces in the host what `old` registered by what `new` did; returns what takes that back."""
        raise NotImplementedError

    def discard(self, generation: Generation) -> None:
        """Removes what a generation that never came to serve registered behind our back, from a thread, say."""

    def when_drained(self, generation: Generation, then: Callable[[], None]) -> None:
        """Calls `then` once no call of this kind is in flight in `generation`, which has been replaced."""
        then()

    def retire(self, generation: Generation) -> None:
        """`generation` serves nobody any more."""

    def linger(self, generation: Generation) -> Iterable[Problem]:
        """Yields what of a retired generation lives on all the same."""
        return ()


@contextmanager
def recording(generation: Generation) -> Iterator[None]:
    """What this thread registers within belongs to `generation`, and does not reach the host."""
    before = recorded()
    _staging.generation = generation
    try:
        yield
    finally:
        _staging.generation = before


def recorded() -> Optional[Generation]:
    """The generation that this thread is staging."""
    return getattr(_staging, "generation", None)


class RecordingList(List[Any]):
    """A list of the host; `kind` is the name under which registrations are noted."""

    def __init__(self, kind: str, items: Iterable[Any]) -> None:
        super().__init__(items)
        self._kind = kind

    def append(self, item: Any) -> None:
        generation = recorded()
        if generation is None:
            super().append(item)
        else:
            generation.add(self._kind, item)

    def remove(self, item: Any) -> None:
        generation = recorded()
        if generation is not None and item in generation.of(self._kind):
            generation.of(self._kind).remove(item)
        else:
            super().remove(item)

    def __contains__(self, item: Any) -> bool:
        generation = recorded()
        return (generation is not None and item in generation.of(self._kind)) or super().__contains__(item)


class RecordingDict(Dict[str, Any]):
    """A dict of the host; registrations are noted as (key, value)."""

    def __init__(self, kind: str, items: Dict[str, Any]) -> None:
        super().__init__(items)
        self._kind = kind

    def __setitem__(self, key: str, value: Any) -> None:
        generation = recorded()
        if generation is None:
            super().__setitem__(key, value)
        else:
            generation.add(self._kind, (key, value))

    def pop(self, key: str, *default: Any) -> Any:
        generation = recorded()
        for entry in generation.of(self._kind) if generation is not None else ():
            if entry[0] == key:
                generation.of(self._kind).remove(entry)  # type: ignore[union-attr]
                return entry[1]
        return super().pop(key, *default)

    def get(self, key: str, default: Any = None) -> Any:
        generation = recorded()
        for name, value in reversed(generation.of(self._kind)) if generation is not None else ():
            if name == key:
                return value
        return super().get(key, default)


def replace_in_list(items: List[Any], old: List[Any], new: List[Any]) -> Undo:
    """Puts `new` where `old` stood in `items`, in one step; the others keep their places.

    An entry takes the place of the old one of the same name, else of the next old one; what is left over follows
    the last of them, or comes last.
    """
    before = list(items)
    after = _replaced(before, old, new)
    items[:] = after

    def undo() -> None:
        # Others may have registered meanwhile: then only our own entries are exchanged.
        items[:] = before if _same(items, after) else _replaced(list(items), new, [e for e in before if _in(e, old)])

    return undo


def replace_in_dict(items: Dict[str, Any], old: Dict[str, Any], new: Dict[str, Any]) -> Undo:
    """The same for a dict: a key that stays keeps its place, and is never missing in between."""
    before = dict(items)
    for key, value in new.items():
        dict.__setitem__(items, key, value)
    for key, value in old.items():
        if key not in new and items.get(key) is value:
            dict.pop(items, key, None)

    def undo() -> None:
        for key in new:
            if key not in before and dict.get(items, key) is new[key]:
                dict.pop(items, key, None)
        for key in before:
            if key in old or key in new:
                dict.__setitem__(items, key, before[key])
        if list(items) != list(before) and set(items) == set(before):
            for key in before:
                dict.__setitem__(items, key, dict.pop(items, key))

    return undo


def _replaced(items: List[Any], old: List[Any], new: List[Any]) -> List[Any]:
    places = [index for index, item in enumerate(items) if _in(item, old)]
    left = list(new)
    chosen: Dict[int, Any] = {}
    for index in places:
        same = next((item for item in left if _name(item) == _name(items[index])), None)
        if same is not None:
            chosen[index] = same
            left = [item for item in left if item is not same]
    for index in places:
        if index not in chosen and left:
            chosen[index] = left.pop(0)
    result: List[Any] = []
    for index, item in enumerate(items):
        if index not in places:
            result.append(item)
        elif index in chosen:
            result.append(chosen[index])
        if places and index == places[-1]:
            result += left
    return result if places else result + left


def _name(item: Any) -> str:
    return str(getattr(item, "__qualname__", type(item).__qualname__))


def _in(item: Any, items: List[Any]) -> bool:
    return any(item is each or item == each for each in items)


def _same(one: List[Any], other: List[Any]) -> bool:
    return len(one) == len(other) and all(a is b for a, b in zip(one, other))
