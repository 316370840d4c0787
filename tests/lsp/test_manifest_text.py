"""JSON with positions, texts in the client's units: on any text, not only on the ones that people write."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lsprotocol import types

from evonic_lsp.bridge import jsontree
from evonic_lsp.manifests.texts import Text, changed

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
ALPHABET = " \n\r\t{}[],:\"'\\/*#au01-.eEtrufalsn😋\ufeff\x01\u2028"
MEASURES = {
    "utf-8": lambda text: len(text.encode("utf-8", "surrogatepass")),
    "utf-16": lambda text: len(text.encode("utf-16-le", "surrogatepass")) // 2,
    "utf-32": len,
}


def agrees(text: str) -> None:
    tree = jsontree.parse(text)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        assert tree.faults, text
    else:
        assert not tree.faults, (text, tree.faults)
        assert tree.root is not None
        assert json.dumps(tree.root.plain()) == json.dumps(value)
    assert all(0 <= each.start <= each.end <= len(text) for each in tree.faults)
    for path, node in tree.walk():
        assert 0 <= node.start <= node.end <= len(text)
        if not tree.faults and node.kind == "scalar":
            assert json.dumps(json.loads(text[node.start : node.end])) == json.dumps(node.value), path


@settings(max_examples=300, deadline=None)
@given(st.text(ALPHABET))
def test_agrees_with_json_on_any_text(text):
    agrees(text)


@settings(max_examples=200, deadline=None)
@given(VALUES, st.booleans(), st.sampled_from([None, 1]), st.data())
def test_agrees_with_json_on_a_text_and_on_what_typing_makes_of_it(value, ascii_only, indent, data):
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    agrees(text)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    agrees(text[:start] + data.draw(st.sampled_from(["", *'{}[],:"\\ 1'])) + text[end:])


def test_depth_is_an_error_and_no_crash():
    assert jsontree.parse("[" * 100_000).faults[0].message == "nested too deeply"
    assert not jsontree.parse("[" * 199 + "]" * 199).faults


@pytest.mark.parametrize("encoding", MEASURES)
@settings(max_examples=100, deadline=None)
@given(text=st.text("ab\n\r\u2028é😋"), data=st.data())
def test_offsets_and_positions_are_each_others_inverse(encoding, text, data):
    view = Text(text, MEASURES[encoding])
    offset = data.draw(st.integers(0, len(text)))
    if text[offset - 1 : offset + 1] == "\r\n":  # between the two there is no position
        return
    assert view.offset(view.position(offset)) == offset
    assert view.offset(types.Position(10_000, 0)) == len(text)


@pytest.mark.parametrize("encoding", MEASURES)
@settings(max_examples=100, deadline=None)
@given(text=st.text("ab\n\u2028é😋"), new=st.text("x\n😋"), data=st.data())
def test_incremental_changes(encoding, text, new, data):
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    view = Text(text, MEASURES[encoding])
    change = types.TextDocumentContentChangePartial(view.range(start, end), new)
    whole = types.TextDocumentContentChangeWholeDocument(text)
    assert changed("what was", [whole, change], MEASURES[encoding]) == text[:start] + new + text[end:]
