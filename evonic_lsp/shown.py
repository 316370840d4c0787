"""Texts of hosts, plugins and workspaces, before an editor shows them: they are not ours, and must not act.

Control characters and what turns the direction of a text are shown as escapes (:func:`bridge.text.clean`). VS Code
makes a link of ``[label](command:…)`` in a message: that is broken where a message is shown.
"""

from __future__ import annotations

import re
from typing import Any, Optional

import attrs
from lsprotocol import types

from .bridge.text import clean

_LINK = re.compile(r"\](?=\([A-Za-z][A-Za-z0-9+.-]*:)")
# In the JSON of results: names of files and plugins must stay what they are, or nobody finds them.
_FOR_PEOPLE = ("message", "traceback", "name", "version", "timestamp", "level")


def text(message: str) -> str:
    """`message` without anything that acts."""
    return _LINK.sub("] ", clean(message))


def data(value: Any) -> Any:
    """JSON data, its texts for people without anything that acts."""
    if isinstance(value, dict):
        return {
            key: text(each) if key in _FOR_PEOPLE and isinstance(each, str) else data(each)
            for key, each in value.items()
        }
    return [data(each) for each in value] if isinstance(value, list) else value


def diagnostic(found: types.Diagnostic) -> types.Diagnostic:
    """`found`, its texts cleaned. Editors show them as they are, so links stay."""
    related: Optional[list[types.DiagnosticRelatedInformation]] = None
    if found.related_information:
        related = [attrs.evolve(each, message=clean(each.message)) for each in found.related_information]
    code = clean(found.code) if isinstance(found.code, str) else found.code
    return attrs.evolve(found, message=clean(found.message), code=code, related_information=related)
