"""Quick fixes: what the findings bring with them, and hot reload for a plugin that has none yet."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Dict, Iterator, List, Optional, Tuple

from lsprotocol import types

from ..bridge.client import NoHost
from ..bridge.wire import HostStatus, WireError
from ..diagnostics import MANIFEST as CODE
from ..offers import Bridge
from ..where import Ref
from .desk import Desk, Sheet
from .findings import MANIFEST, Edit, Fix
from .functions import HANDLER

if TYPE_CHECKING:
    from ..session import Session

_QUICK = types.CodeActionKind.QuickFix
# How long a menu may wait for the host, in seconds.
_PATIENCE = 1.0


def fixes(desk: Desk, params: types.CodeActionParams) -> List[types.CodeAction]:
    """The quick fixes for what is wrong in a range of a file."""
    uri, only = params.text_document.uri, params.context.only
    sheet = desk.sheet(uri) if only is None or any(_QUICK.startswith(each) for each in only) else None
    if sheet is None:
        return []
    actions: List[types.CodeAction] = []
    for finding in sheet.findings:
        shown = desk.diagnostic(sheet, finding)
        if finding.file != sheet.found.file or not _overlap(shown.range, params.range):
            continue
        told = [each for each in params.context.diagnostics if each.code == CODE and each.range == shown.range]
        for fix in finding.fixes:
            edit = _workspace_edit(desk, sheet, fix)
            actions.append(types.CodeAction(fix.title, _QUICK, told or [shown], fix.preferred, edit=edit))
    return actions


async def code_actions(session: Session, params: types.CodeActionParams) -> List[types.CodeAction]:
    """Everything that can be done at a range of a file."""
    found, uri = fixes(session.desk, params), params.text_document.uri
    if not _may_offer(session.desk, params):
        return found
    ref = session.plugin_of(uri)
    if ref is None:
        return found
    link = session.hosts.link(ref.root)
    try:
        status = await asyncio.wait_for(link.status(), _PATIENCE) if link.initialized else None
    except (asyncio.TimeoutError, NoHost, WireError):
        status = None
    return [*found, *(_command(title, command, uri) for title, command in _offers(session, ref, status))]


def _offers(session: Session, ref: Ref, status: Optional[HostStatus]) -> Iterator[Tuple[str, str]]:
    """(title, command) of what stands between the plugin and its reload on save."""
    info = next((each for each in status.plugins if each.id == ref.plugin), None) if status else None
    bridge = session.bridge(ref.root)
    if bridge is Bridge.ABSENT and status is None:
        yield "Install the evonic-lsp bridge into Evonic", "evonic.install"
    elif bridge is Bridge.OTHER:
        yield "Upgrade the evonic-lsp bridge in Evonic", "evonic.install"
    elif status is None:
        yield "Connect to Evonic again", "evonic.connect"
    if info is not None and not info.enabled:
        yield f"Switch {ref.plugin} on in Evonic", "evonic.switchOn"
    if info is not None and not info.hotreload:
        yield f"Reload {ref.plugin} in Evonic whenever it is saved", "evonic.enable"


def _command(title: str, command: str, uri: str) -> types.CodeAction:
    return types.CodeAction(title, _QUICK, command=types.Command(title, command=command, arguments=[uri]))


def _may_offer(desk: Desk, params: types.CodeActionParams) -> bool:
    """Whether hot reload may be offered here: in the manifest, or at the top of the handlers."""
    if params.context.only is not None and not any(_QUICK.startswith(each) for each in params.context.only):
        return False
    name = params.text_document.uri.rpartition("/")[2]
    return name == MANIFEST or (name == HANDLER and params.range.start.line == 0)


def _workspace_edit(desk: Desk, sheet: Sheet, fix: Fix) -> types.WorkspaceEdit:
    changes: Dict[str, List[types.TextEdit]] = {}
    for edit in fix.edits:
        if edit.file != MANIFEST and not (sheet.path / edit.file).exists():
            return _new_file(desk.uri(sheet.found, edit.file), edit)
        text = desk.text_of(sheet, edit.file)
        uri = desk.uri(sheet.found, edit.file)
        changes.setdefault(uri, []).append(types.TextEdit(text.range(edit.start, edit.end), edit.text))
    return types.WorkspaceEdit(changes)


def _new_file(uri: str, edit: Edit) -> types.WorkspaceEdit:
    start = types.Position(0, 0)
    write = types.TextDocumentEdit(
        types.OptionalVersionedTextDocumentIdentifier(uri), [types.TextEdit(types.Range(start, start), edit.text)]
    )
    create = types.CreateFile(uri, options=types.CreateFileOptions(ignore_if_exists=True))
    return types.WorkspaceEdit(document_changes=[create, write])


def _overlap(one: types.Range, other: types.Range) -> bool:
    return _key(one.start) <= _key(other.end) and _key(other.start) <= _key(one.end)


def _key(position: types.Position) -> Tuple[int, int]:
    return position.line, position.character
