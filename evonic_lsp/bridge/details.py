"""What a plugin has registered, function by function, with what became of the calls."""

from __future__ import annotations

from typing import Any, Iterator, List, Optional, Set, Tuple

from .generation import Generation
from .host import Host
from .messages import Handler
from .report import split_lines, whole_line
from .watch import CARD, EVENT, HOOKS, ROUTE, SLASH, Watch, name_of
from .wire import Place


def handlers(host: Host, app: Any, generation: Generation) -> List[Handler]:
    """Every function that `generation` has registered, in the order of its files and lines."""
    watch = host.watch
    counters = {(each.trigger, each.name, each.file, each.line): each for each in watch.counters(generation.plugin)}
    kept = kept_events(host)
    found = {}
    for trigger, name, function in _registered(host, app, generation):
        located = watch.place(function)
        if located is None or located[0].plugin != generation.plugin:
            continue
        (_, file), code = located
        counter = counters.get((trigger, name, file, code.co_firstlineno))
        found[trigger, name, file, code.co_firstlineno] = Handler(
            trigger=trigger,
            name=name,
            function=str(getattr(code, "co_qualname", code.co_name)),
            place=first_line(generation, file, code.co_firstlineno),
            calls=counter.calls if counter else 0,
            errors=counter.errors if counter else 0,
            last_ms=None if counter is None or counter.last is None else round(counter.last * 1000, 3),
            last_at=counter.last_at if counter else None,
            replay=trigger == EVENT and name in kept,
        )
    return [found[key] for key in sorted(found, key=lambda key: (key[2] != "handler.py", *key[2:], *key[:2]))]


def first_line(generation: Generation, file: str, line: int) -> Optional[Place]:
    """A one-based line of a file in the text that runs."""
    text = generation.snapshot.text(file)
    if text is None:
        return None
    lines = split_lines(text)
    return whole_line(file, line - 1, lines[line - 1] if line <= len(lines) else "", generation.plugin)


def kept_events(host: Host) -> Set[str]:
    """The names of the events that the event stream still has."""
    return {str(entry.get("event")) for entry in buffer(host)}


def buffer(host: Host) -> List[Any]:
    """The last events, the oldest first; empty where this Evonic keeps none."""
    kept = getattr(host.event_stream, "_global_buffer", None)
    lock = getattr(host.event_stream, "_buffer_lock", host.event_stream._lock)
    if kept is None:
        return []
    with lock:
        return list(kept)


def listeners(host: Host, watch: Watch, generation: Generation) -> Iterator[Tuple[str, Any]]:
    """(event, function) of what the plugin's own code hears of the event stream."""
    stream = host.event_stream
    with stream._lock:
        found = [(event, each) for event, all_ in stream._listeners.items() for each in all_]
    for event, each in found:
        located = watch.place(each)
        if located is not None and located[0].plugin == generation.plugin:
            yield event, each


def _registered(host: Host, app: Any, generation: Generation) -> Iterator[Tuple[str, str, Any]]:
    """(trigger, name, function), named as the watch names them."""
    for event, function in generation.handlers.items():
        yield EVENT, event, function
    for event, function in listeners(host, host.watch, generation):
        yield EVENT, event, function
    for name, command in generation.of("slash_commands"):
        yield SLASH, "/" + name, _within(host.watch, command.handler)
    for card, function in generation.of("dashboard_cards"):
        yield CARD, card, function
    for registry, trigger in HOOKS.items():
        for entry in generation.of(registry):
            if isinstance(entry, tuple):
                yield trigger, entry[0], entry[1]
            else:
                yield trigger, name_of(entry), entry
    prefix = getattr(generation.blueprint, "name", None)
    for rule in app.url_map.iter_rules() if prefix else ():
        if rule.endpoint.startswith(f"{prefix}."):
            yield ROUTE, rule.rule, app.view_functions.get(rule.endpoint)


def _within(watch: Watch, handler: Any) -> Any:
    """What the host's wrapper around ``on_slash_command_<name>`` calls; `handler` itself if it is no such."""
    if watch.place(handler) is not None:
        return handler
    for cell in getattr(handler, "__closure__", None) or ():
        if callable(cell.cell_contents) and watch.place(cell.cell_contents) is not None:
            return cell.cell_contents
    return handler
