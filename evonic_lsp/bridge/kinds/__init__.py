"""Everything that a plugin can register in the host, a module for each kind, behind :class:`base.Kind`."""

from __future__ import annotations

from typing import Any, List

from ..host import Host
from .base import Kind
from .cards import DashboardCards
from .cli import CliCommands
from .events import EventHandlers
from .hooks import Hooks, StateHandlers
from .modules import Modules
from .routes import LiveRoutes
from .schedules import Schedules
from .slash import SlashCommands
from .templates import TemplateFiles
from .threads import Threads


def all_kinds(host: Host, app: Any) -> List[Kind]:
    """One of each kind, in the order of their commit: what can refuse comes first."""
    kinds: List[Kind] = [LiveRoutes(host, app), SlashCommands(host), StateHandlers(host)]
    kinds += [Hooks(host, registry) for registry in Hooks.REGISTRIES]
    kinds += [DashboardCards(host), CliCommands(host), TemplateFiles(host, app), Schedules(host), Threads(host)]
    kinds += [EventHandlers(host), Modules(host)]
    return kinds
