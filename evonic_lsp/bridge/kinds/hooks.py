"""The six hook registries of ``backend.plugin_hooks``."""

from __future__ import annotations

from typing import Any, List, Optional

from ..generation import Generation
from ..host import Host
from .base import Kind, RecordingDict, RecordingList, Undo, replace_in_dict, replace_in_list


def substitute(host: Host, name: str, container: Any) -> None:
    """Puts `container` in the place of the registry `name`, wherever the host holds it."""
    before = getattr(host.hooks, name)
    for module in (host.hooks, host.lifecycle, host.module("backend.plugin_manager")):
        if module is not None and getattr(module, name, None) is before:
            setattr(module, name, container)


class Hooks(Kind):
    """A registry that is a list of functions, called in order."""

    REGISTRIES = (
        "_tool_guards",
        "_message_interceptors",
        "_turn_context_providers",
        "_busy_message_providers",
        "_builtin_suppressors",
    )

    def __init__(self, host: Host, registry: str) -> None:
        super().__init__(host)
        self.name = registry
        if not isinstance(getattr(host.hooks, registry, None), list):
            host.degraded.append(f"{registry} is gone from Evonic: hooks of that kind are not reloaded")
            self.live: List[Any] = []
            return
        live = getattr(host.hooks, registry)
        if not isinstance(live, RecordingList):
            live = RecordingList(registry, live)
            substitute(host, registry, live)
        self.live = live

    def adopt(self, generation: Generation) -> None:
        for hook in list(self.live):
            if generation.owns(hook):
                generation.add(self.name, hook)

    def commit(self, plugin: str, old: Optional[Generation], new: Optional[Generation]) -> Undo:
        late = [hook for hook in list(self.live) if old and old.owns(hook)]
        return replace_in_list(self.live, (old.of(self.name) if old else []) + late, new.of(self.name) if new else [])

    def discard(self, generation: Generation) -> None:
        replace_in_list(self.live, [hook for hook in list(self.live) if generation.owns(hook)], [])


class StateHandlers(Kind):
    """The registry of state handlers, one for each namespace."""

    name = "_state_handlers"

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        live = getattr(host.hooks, self.name, None)
        if not isinstance(live, dict):
            host.degraded.append(f"{self.name} is gone from Evonic: state handlers are not reloaded")
            live = {}
        if not isinstance(live, RecordingDict):
            live = RecordingDict(self.name, live)
            if hasattr(host.hooks, self.name):
                substitute(host, self.name, live)
        self.live = live

    def adopt(self, generation: Generation) -> None:
        for namespace, handler in list(self.live.items()):
            if generation.owns(handler):
                generation.add(self.name, (namespace, handler))

    def commit(self, plugin: str, old: Optional[Generation], new: Optional[Generation]) -> Undo:
        gone = dict(old.of(self.name)) if old else {}
        gone.update({name: fn for name, fn in list(self.live.items()) if old and old.owns(fn)})
        return replace_in_dict(self.live, gone, dict(new.of(self.name)) if new else {})

    def discard(self, generation: Generation) -> None:
        for namespace, handler in list(self.live.items()):
            if generation.owns(handler):
                self.live.pop(namespace, None)
