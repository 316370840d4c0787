"""Who holds a version that was replaced, found out before and after."""

from __future__ import annotations

import sys
import types

import pytest

from evonic_lsp.bridge import holders
from evonic_lsp.bridge.generation import Generation
from evonic_lsp.bridge.snapshot import Snapshot

CODE = "def add(): ...\ndef other(): ...\nclass Thing: ...\nVALUE = 1\n"


def generation(number=1):
    made = Generation("p", number, Snapshot("p", "/p", {}, {}))
    module = types.ModuleType(f"evonic_plugin_{number}_p.db")
    exec(CODE, vars(module))
    made.modules["db"] = module
    return made


@pytest.fixture
def outsider():
    """The namespace of a module outside of plugins, in no sys.modules."""
    module = types.ModuleType("tool")
    module.__file__ = "skills/tool.py"
    return vars(module)


def names(found):
    return sorted((name, key) for _, name, _, key in found)


def test_modules_functions_and_classes_are_found_and_nothing_of_the_plugins_own(outsider):
    old = generation()
    assert holders.find(old) == []
    db = old.modules["db"]
    outsider.update(db=db, plus=db.add, Thing=db.Thing, VALUE=db.VALUE)
    old.modules["handler"] = types.ModuleType("evonic_plugin_1_p.handler")
    vars(old.modules["handler"]).update(db=db)
    assert names(holders.find(old)) == [("Thing", "Thing"), ("db", None), ("plus", "add")]
    assert holders.describe(holders.find(old)) == "skills/tool.py (Thing, db, plus)"


@pytest.mark.parametrize("key", [None, "add", "Thing"])
def test_whoever_comes_after_a_search_outdates_it(outsider, key):
    serving = generation()
    db = serving.modules["db"]
    outsider["other"] = db.other
    search = holders.Search(serving)
    assert names(search.found) == [("other", "other")]
    assert not search.outdated(serving)
    outsider["new"] = db if key is None else getattr(db, key)
    assert search.outdated(serving)
    del outsider["new"]
    assert not search.outdated(serving)
    outsider["new"] = outsider.pop("other")
    assert search.outdated(serving)  # one has gone, one has come
    outsider["other"] = outsider.pop("new")
    assert not search.outdated(serving)
    db.late = types.FunctionType(db.add.__code__, vars(db))
    assert search.outdated(serving)  # nobody has looked for that


def test_a_name_that_is_something_else_by_now_is_not_rebound(outsider):
    old, new = generation(1), generation(2)
    outsider.update(add=old.modules["db"].add, other=old.modules["db"].other, gone=old.modules["db"].Thing)
    del new.modules["db"].Thing
    found = holders.find(old)
    outsider["other"] = "mine"
    left = holders.rebind(found, old, new)
    assert outsider["add"] is new.modules["db"].add
    assert outsider["other"] == "mine"
    assert names(left) == [("gone", "Thing")]


def test_nobody_can_have_imported_what_has_no_name(monkeypatch):
    assert not holders.possible("p")
    monkeypatch.setitem(sys.modules, "plugins.p", types.ModuleType("plugins.p"))
    assert holders.possible("p")
