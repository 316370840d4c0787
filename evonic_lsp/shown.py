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
from .where import is_inside

_LINK = re.compile(r"\](?=\([A-Za-z][A-Za-z0-9+.-]*:)")
# In JSON data: paths stay what they are, or nobody finds their files; only a link in them is broken. Lines of the
# source are not shown, columns are counted in them.
_PATHS, _SOURCE = ("root", "pluginsDir", "file"), ("first", "last")


def text(message: str) -> str:
    """`message` without anything that acts."""
    return _unlinked(clean(message))


def data(value: Any) -> Any:
    """JSON data without anything that acts: its texts are cleaned, all of them, and a place that leads out of its
    plugin's folder is none."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list):
        return [data(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "file" in value and not is_inside(value.get("plugin"), value["file"]):
        return None
    return {text(key): _value(key, each) for key, each in value.items()}


def _value(key: str, value: Any) -> Any:
    if not isinstance(value, str) or key not in (*_PATHS, *_SOURCE):
        return data(value)
    return _unlinked(value) if key in _PATHS else value


def _unlinked(message: str) -> str:
    return _LINK.sub("] ", message)


def diagnostic(found: types.Diagnostic) -> types.Diagnostic:
    """`found`, its texts cleaned. Editors show them as they are, so links stay."""
    related: Optional[list[types.DiagnosticRelatedInformation]] = None
    if found.related_information:
        related = [attrs.evolve(each, message=clean(each.message)) for each in found.related_information]
    code = clean(found.code) if isinstance(found.code, str) else found.code
    return attrs.evolve(found, message=clean(found.message), code=code, related_information=related)
