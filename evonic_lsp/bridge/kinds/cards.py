"""Dashboard cards."""

from __future__ import annotations

from typing import Any, Iterator, List, Optional, Tuple

from ..generation import Generation
from ..host import Host
from ..manifest import NAME, place
from ..watch import CARD, called_by
from ..wire import Problem
from .base import Kind, Undo


class Cards(List[Tuple[str, Any]]):
    """The cards of a plugin. The host, about to call their functions, sees them watched."""

    def __init__(self, host: Host, cards: List[Tuple[str, Any]]) -> None:
        super().__init__(cards)
        self._host = host

    def __iter__(self) -> Iterator[Tuple[str, Any]]:
        cards = super().__iter__()
        if not called_by(vars(self._host.lifecycle)):
            return cards
        return ((card, self._host.watch.seen(CARD, card, function)) for card, function in cards)


class DashboardCards(Kind):
    """``manager._dashboard_cards``: plugin -> list of (card id, function)."""

    name = "dashboard_cards"

    def adopt(self, generation: Generation) -> None:
        cards = self.host.manager._dashboard_cards
        if generation.plugin in cards:
            cards[generation.plugin] = Cards(self.host, cards[generation.plugin])
        for entry in cards.get(generation.plugin, []):
            generation.add(self.name, entry)

    def declare(self, generation: Generation) -> Iterator[Problem]:
        text = generation.snapshot.text(NAME) or ""
        for number, card in enumerate(generation.snapshot.manifest().get("dashboard_cards", [])):
            handler = card.get("handler")
            function = getattr(generation.handler, handler, None) if isinstance(handler, str) else None
            if callable(function):
                generation.add(self.name, (card.get("id", handler), function))
            else:
                shown = handler if isinstance(handler, str) else str(card.get("id", ""))
                message = (
                    f"the dashboard card's function {handler}(sdk) is not in handler.py"
                    if handler
                    else f'the dashboard card {shown!r} names no "handler"'
                )
                path = (self.name, number, "handler") if handler else (self.name, number)
                yield Problem("manifest", message, "warning", place(generation.plugin, text, path))

    def commit(self, plugin: str, old: Optional[Generation], new: Optional[Generation]) -> Undo:
        cards = self.host.manager._dashboard_cards
        before, order = cards.get(plugin), list(cards)
        wanted: Any = new.of(self.name) if new else None
        if wanted:
            cards[plugin] = Cards(self.host, wanted)
        else:
            cards.pop(plugin, None)

        def undo() -> None:
            if before is None:
                cards.pop(plugin, None)
                return
            cards[plugin] = before
            for key in order[order.index(plugin) + 1 :]:  # a card that came back would be the last otherwise
                if key in cards:
                    cards[key] = cards.pop(key)

        return undo
