"""The settings that an editor sends, under ``evonic`` or flat."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Tuple

ASK, ALWAYS, NEVER = "ask", "always", "never"
_MOST_DEBOUNCE = 60_000


@dataclass(frozen=True)
class Settings:
    """`debounce` in milliseconds; `root` and `endpoint` are found out where they are not given."""

    root: Optional[str] = None
    endpoint: Optional[str] = None
    debounce: int = 50
    reload_on_save: bool = True
    opt_in: str = ASK


def updated(settings: Settings, given: Any) -> Tuple[Settings, List[str]]:
    """`settings` with what is `given`, and a sentence for each value that is not what its setting takes.

    `given` is what a client sent: ``{"evonic": {…}}``, ``{"evonic.debounce": …}`` or the bare keys. A setting that
    is null or empty goes back to its default; what is not mentioned stays, and so does what is given wrongly.
    """
    values = _flat(given)
    wrong: List[str] = []
    for key, (name, check, takes) in _SETTINGS.items():
        if key not in values:
            continue
        value = values[key]
        if value is None or value == "":
            settings = replace(settings, **{name: getattr(Settings, name)})
        elif check(value):
            settings = replace(settings, **{name: value})
        else:
            wrong.append(f"evonic.{key} must be {takes}, not {value!r}; it stays {getattr(settings, name)!r}")
    return settings, wrong


def _flat(given: Any) -> Dict[str, Any]:
    if not isinstance(given, dict):
        return {}
    nested = given.get("evonic")
    values = {**given, **(nested if isinstance(nested, dict) else {})}
    return {key[len("evonic.") :] if key.startswith("evonic.") else key: value for key, value in values.items()}


def _text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value


def _milliseconds(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _MOST_DEBOUNCE


_SETTINGS = {
    "root": ("root", _text, "the path of an Evonic"),
    "endpoint": ("endpoint", _text, "unix:PATH or tcp:127.0.0.1:PORT"),
    "debounce": ("debounce", _milliseconds, f"a number of milliseconds from 0 to {_MOST_DEBOUNCE}"),
    "reloadOnSave": ("reload_on_save", lambda value: type(value) is bool, "true or false"),
    "optIn": ("opt_in", lambda value: value in (ASK, ALWAYS, NEVER), "one of ask, always, never"),
}
