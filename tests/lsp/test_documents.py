"""The texts that are open, as they are typed: right, and no more of them than needed."""

from __future__ import annotations

import weakref

from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types

from evonic_lsp.documents import Documents
from evonic_lsp.manifests.texts import changed

URI = "file:///p/handler.py"
whole = types.TextDocumentContentChangeWholeDocument
PARTS = st.builds(
    lambda line, start, text: types.TextDocumentContentChangePartial(
        types.Range(types.Position(line, start), types.Position(line, start + 1)), text
    ),
    st.integers(0, 3),
    st.integers(0, 5),
    st.text("ab\n", max_size=4),
)
CHANGES = st.lists(st.lists(st.builds(whole, st.text("xy\n", max_size=9)) | PARTS, max_size=4), max_size=5)


@given(CHANGES)
def test_the_text_is_what_its_changes_make_of_it(told):
    documents = Documents(len)
    documents.opened(URI, "first\ntext\n")
    for changes in told:
        documents.changed(URI, changes)
    assert documents.text(URI) == changed("first\ntext\n", [each for changes in told for each in changes], len)


def test_of_many_whole_texts_the_last_one_is_kept():
    documents = Documents(len)
    documents.opened(URI, "")
    told = []
    for number in range(400):
        change = whole(f"{number:>1000}")
        told.append(weakref.ref(change))
        documents.changed(URI, [change])
        del change
    assert not [each for each in told if each() is not None]
    assert documents.text(URI) == f"{399:>1000}"


def test_a_text_that_is_told_only_when_it_changes_is_unknown_until_it_is_told_whole():
    documents = Documents(len)
    documents.all_told = False
    documents.opened(URI, "open")
    part = types.TextDocumentContentChangePartial(types.Range(types.Position(0, 0), types.Position(0, 0)), "a")
    assert not documents.changed(URI, [part])
    assert documents.text(URI) is None
    assert documents.changed(URI, [whole("b"), part])
    assert documents.text(URI) == "ab"
    assert not documents.changed(URI, [whole("c")])
    documents.closed(URI)
    assert not documents.changed(URI, [whole("late")])
    assert documents.text(URI) is None
