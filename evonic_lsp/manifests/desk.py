"""The manifests that are being worked on: their text as it is typed, and what is wrong with it, published."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Hashable, List, Mapping, Optional, Sequence, Tuple

from lsprotocol import types

from .. import plugins
from ..bridge import jsontree
from ..bridge.jsontree import Tree
from ..diagnostics import MANIFEST as CODE
from ..diagnostics import SOURCE, Book
from ..plugins import Found
from . import functions
from .checks import View, check
from .findings import MANIFEST, Finding
from .functions import HANDLER, Scope
from .texts import Change, Measure, Text, changed

_SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "hint": types.DiagnosticSeverity.Hint,
}


@dataclass
class Sheet:
    """A plugin at one moment. `text` and `tree` of its manifest; `findings` in all of its files."""

    found: Found
    text: Text
    tree: Tree
    scope: Optional[Scope]
    findings: List[Finding]

    @property
    def path(self) -> Path:
        """The plugin's folder."""
        return self.found.folder


class Desk:
    """`find(uri)` is the plugin that a file belongs to."""

    def __init__(self, book: Book, measure: Measure, find: Callable[[str], Optional[Found]]) -> None:
        self._book = book
        self.measure = measure
        # False where the editor itself marks what is no JSON: the same would be shown twice.
        self.tells_syntax = True
        self._find = find
        self._texts: Dict[str, str] = {}
        self._founds: Dict[str, Found] = {}
        self._uris: Dict[str, str] = {}
        self._scopes: Dict[Path, Tuple[object, Optional[Scope]]] = {}

    # ── What the editor tells ──

    def opened(self, uri: str, text: str) -> None:
        """A file was opened: its plugin is looked at."""
        found = self._found(uri)
        if found is None:
            return
        self._uris[os.path.realpath(found.folder / found.file)] = uri
        if found.file == MANIFEST:
            self._texts[uri] = text
        self._check(found)

    def changed(self, uri: str, changes: Sequence[Change]) -> None:
        """The text of a file has changed; only manifests are followed."""
        if uri not in self._texts:
            return
        self._texts[uri] = changed(self._texts[uri], changes, self.measure)
        found = self._found(uri)
        if found is not None:
            self._book.outdate(uri, CODE, but=_owner(found))
            self._check(found)

    def saved(self, files: Mapping[str, Optional[Found]]) -> None:
        """Files, by their URIs, are on the disk as they should be; they may be new, or gone."""
        touched: Dict[Path, Found] = {}
        for uri, found in files.items():
            self._founds.pop(uri, None)
            if found is not None and (found.file == MANIFEST or found.file.endswith(".py")):
                touched[found.folder] = found
        for found in touched.values():
            self._check(found)

    def closed(self, uri: str) -> None:
        """A file was closed: what is on the disk counts."""
        found = self._found(uri)
        self._texts.pop(uri, None)
        self._founds.pop(uri, None)
        if found is None:
            return
        self._uris.pop(os.path.realpath(found.folder / found.file), None)
        if (found.folder / MANIFEST).exists():
            self._check(found)
        else:
            self._book.replace(_owner(found), {})

    # ── What there is ──

    def sheet(self, uri: str) -> Optional[Sheet]:
        """The plugin that a file belongs to, as it is now; None if it has no manifest that can be read."""
        found = self._found(uri)
        return self._sheet(found) if found is not None else None

    def uri(self, found: Found, file: str) -> str:
        """A file of a plugin, as the editor names it."""
        path = found.folder / file
        return self._uris.get(os.path.realpath(path)) or plugins.uri_of(path)

    def text_of(self, sheet: Sheet, file: str) -> Text:
        """The text of a file that has findings."""
        if file == MANIFEST:
            return sheet.text
        return Text(sheet.scope.text if sheet.scope is not None else "", self.measure)

    def _found(self, uri: str) -> Optional[Found]:
        """Remembered as long as the file is open: finding a plugin reads folders, and people type fast."""
        if uri not in self._founds:
            found = self._find(uri)
            if found is None:
                return None
            self._founds[uri] = found
        return self._founds[uri]

    def _sheet(self, found: Found) -> Optional[Sheet]:
        text = self._texts.get(self.uri(found, MANIFEST))
        if text is None:
            try:
                text = (found.folder / MANIFEST).read_bytes().decode("utf-8")
            except (OSError, UnicodeDecodeError):  # the bridge tells at the next reload
                return None
        tree, scope = jsontree.parse(text), self._scope(found)
        has_handler = scope is not None or (found.folder / HANDLER).exists()
        findings = check(View(found.plugin, found.folder, tree, scope, has_handler))
        return Sheet(found, Text(text, self.measure), tree, scope, findings)

    def _scope(self, found: Found) -> Optional[Scope]:
        """Read again when a Python file of the plugin is another one."""
        stamp = []
        for path in (found.folder / HANDLER, *found.folder.glob("*.py"), *found.folder.glob("*/*.py")):
            try:
                status = path.stat()
            except OSError:
                continue
            stamp.append((path, status.st_mtime_ns, status.st_size))
        known = self._scopes.get(found.folder)
        if known is None or known[0] != stamp:
            known = self._scopes[found.folder] = (stamp, functions.read(found.folder, found.plugin))
        return known[1]

    # ── What is told ──

    def _check(self, found: Found) -> None:
        sheet = self._sheet(found)
        shown: Dict[str, List[types.Diagnostic]] = {}
        for finding in sheet.findings if sheet is not None else ():
            assert sheet is not None
            if finding.syntax and not self.tells_syntax:
                continue
            shown.setdefault(self.uri(found, finding.file), []).append(self.diagnostic(sheet, finding))
        self._book.replace(_owner(found), shown)

    def diagnostic(self, sheet: Sheet, finding: Finding) -> types.Diagnostic:
        """A finding as the editor shows it."""
        hint = finding.severity == "hint"
        return types.Diagnostic(
            range=self.text_of(sheet, finding.file).range(finding.start, finding.end),
            message=finding.message,
            severity=_SEVERITIES[finding.severity],
            code=CODE,
            source=SOURCE,
            tags=[types.DiagnosticTag.Unnecessary] if hint else None,
        )


def _owner(found: Found) -> Hashable:
    return (CODE, os.path.realpath(found.folder))
