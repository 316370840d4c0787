"""The six hook registries of ``backend.plugin_hooks``."""

from __future__ import annotations

from typing import Any, Dict, Iterator, List, Optional

from ..generation import Generation
from ..host import Host
from ..watch import HOOKS, called_by, name_of
from .base import Kind, RecordingDict, RecordingList, Undo, replace_in_dict, replace_in_list


def substitute(host: Host, name: str, container: Any) -> None:
    """Puts `container` in the place of the registry `name`, wherever the host holds it."""
    before = getattr(host.hooks, name)
    for module in (host.hooks, host.lifecycle, host.module("backend.plugin_manager")):
        if module is not None and getattr(module, name, None) is before:
            setattr(module, name, container)


class HookList(RecordingList):
    """A registry of functions. The host, about to call them, sees them watched, since it swallows what they raise;
    everybody else sees the functions themselves."""

    def __init__(self, host: Host, registry: str, items: List[Any]) -> None:
        super().__init__(registry, items)
        self._host = host
        self._trigger = HOOKS[registry]
        self._dispatcher = vars(host.hooks)

    def __iter__(self) -> Iterator[Any]:
        hooks = super().__iter__()
        return map(self._seen, hooks) if called_by(self._dispatcher) else hooks

    def __reversed__(self) -> Iterator[Any]:
        hooks = super().__reversed__()
        return map(self._seen, hooks) if called_by(self._dispatcher) else hooks

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        if not called_by(self._dispatcher):
            return found
        return list(map(self._seen, found)) if isinstance(index, slice) else self._seen(found)

    def _seen(self, hook: Any) -> Any:
        return self._host.watch.seen(self._trigger, name_of(hook), hook)


class HandlerDict(RecordingDict):
    """The same for the registry of state handlers."""

    def __init__(self, host: Host, registry: str, items: Dict[str, Any]) -> None:
        super().__init__(registry, items)
        self._host = host
        self._dispatcher = vars(host.hooks)

    def items(self) -> Any:
        if not called_by(self._dispatcher):
            return super().items()
        return [(namespace, self._seen(namespace, handler)) for namespace, handler in super().items()]

    def get(self, key: str, default: Any = None) -> Any:
        handler = super().get(key, default)
        return self._seen(key, handler) if callable(handler) and called_by(self._dispatcher) else handler

    def __getitem__(self, key: str) -> Any:
        handler = super().__getitem__(key)
        return self._seen(key, handler) if called_by(self._dispatcher) else handler

    def _seen(self, namespace: str, handler: Any) -> Any:
        seen = self._host.watch.seen(HOOKS[self._kind], namespace, handler)
        seen.__module__ = getattr(handler, "__module__", "")  # by which the host knows whose it is
        return seen


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
        if not isinstance(live, HookList):
            live = HookList(host, registry, live)
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
        if not isinstance(live, HandlerDict):
            live = HandlerDict(host, self.name, live)
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
