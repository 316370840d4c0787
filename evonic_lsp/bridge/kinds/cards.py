"""Dashboard cards."""

from __future__ import annotations

from typing import Any, Iterator, Optional

from ..generation import Generation
from ..manifest import NAME, mention
from ..wire import Problem
from .base import Kind, Undo


class DashboardCards(Kind):
    """``manager._dashboard_cards``: plugin -> list of (card id, function)."""

    name = "dashboard_cards"

    def adopt(self, generation: Generation) -> None:
        for entry in self.host.manager._dashboard_cards.get(generation.plugin, []):
            generation.add(self.name, entry)

    def declare(self, generation: Generation) -> Iterator[Problem]:
        text = generation.snapshot.text(NAME) or ""
        for card in generation.snapshot.manifest().get("dashboard_cards", []):
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
                yield Problem("manifest", message, "warning", mention(generation.plugin, text, shown))

    def commit(self, plugin: str, old: Optional[Generation], new: Optional[Generation]) -> Undo:
        cards = self.host.manager._dashboard_cards
        before, order = cards.get(plugin), list(cards)
        wanted: Any = new.of(self.name) if new else None
        if wanted:
            cards[plugin] = list(wanted)
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
