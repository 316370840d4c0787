"""A table of broken plugins: file, range, code and severity of what the editor shows."""

from __future__ import annotations

import sys

import hosts
import pytest
from e2e.broken import OTHER, RUN, Row
from e2e.broken_more import ROWS
from lsprotocol import types

SEVERITIES = {"error": types.DiagnosticSeverity.Error, "warning": types.DiagnosticSeverity.Warning}
ENCODINGS = ("utf-8", "utf-16")


def measure(text, encoding):
    return len(text.encode("utf-8")) if encoding == "utf-8" else len(text.encode("utf-16-le")) // 2


@pytest.fixture(scope="module")
def other(host):
    """A plugin that others import from."""
    folder = hosts.write_plugin(host.root, OTHER, handler="def fail(): raise KeyError('theirs')\n")
    assert host.inspect("toggle", plugin=OTHER, enabled=True)
    with host.client() as client:
        assert client.reload(OTHER).generation is not None
    (folder / "wrong.py").write_text("x = (1,\n")  # after it was loaded: it would not be reloaded like this
    return OTHER


def filled(text, plugin):
    return text.replace("{id}", plugin).replace("{other}", OTHER)


def marked(files, plugin):
    """The files without the marks, and the place that they mark (in code points)."""
    clean, place = {}, None
    for file, text in files.items():
        if isinstance(text, bytes):
            clean[file] = text
            continue
        text = filled(text, plugin)
        start = text.find("«")
        plain = text.replace("«", "").replace("»", "")
        clean[file] = plain.encode("utf-8")
        if start >= 0:
            end = text.index("»") - 1
            place = (file, *position(plain, start), *position(plain, end))
    return clean, place


def position(text, offset):
    before = text[:offset].replace("\r\n", "\n")
    return before.count("\n"), len(before) - before.rfind("\n") - 1


def lines(data):
    text = data.decode("latin-1" if b"latin-1" in data else "utf-8", "replace")
    return text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
async def test_broken(host, plugin, other, window, row: Row, encoding):
    if sys.version_info < row.needs:
        pytest.skip("a traceback has lines only before Python 3.11")
    probe = plugin(handler="", manifest=row.manifest if row.when == RUN else {})
    files, place = marked(row.files, probe.id)
    place = row.at or place
    editor = await window(probe.folder, encoding=encoding)
    editor.open(probe.folder / "spare.txt")
    await editor.state("idle")
    probe.write(manifest=row.manifest)
    for file, data in files.items():
        path = probe.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    await editor.command("reload", probe.id)
    if row.when == RUN:
        host.inspect("emit", event="message_received", data={"n": 1})
    uri = (probe.folder / place[0]).as_uri()
    says = filled(row.says, probe.id)
    shown = await editor.until(lambda: next((each for each in editor.shown.get(uri, []) if says in each.message), None))
    if place[0] != "plugin.json":  # there, one mistake leads to another
        assert len(editor.shown[uri]) == 1
    assert (shown.code, shown.severity, shown.source) == (row.code, SEVERITIES[row.severity], "evonic")
    related = [each.message for each in shown.related_information or []]
    rest = [*related, *shown.message.split("\n")[1:]]
    for each in row.related:
        hit = next((text for text in rest if each in text), None)
        assert hit is not None, f"{each} is not in {rest}"
        rest.remove(hit)
    text = lines((probe.folder / place[0]).read_bytes() if place[0] == "plugin.json" else files[place[0]])
    check(shown.range, place, text, encoding)


def check(range_, place, text, encoding):
    if len(place) == 2:
        assert range_.start.line == place[1]
    if len(place) < 5:
        return
    _, line, column, end_line, end_column = place
    expected = types.Range(
        types.Position(line, measure(text[line][:column], encoding)),
        types.Position(end_line, measure(text[end_line][:end_column], encoding)),
    )
    assert range_ == expected


def test_there_are_enough_of_them():
    assert len(ROWS) >= 60
    assert len({row.name for row in ROWS}) == len(ROWS)
