"""Which plugin a path belongs to."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evonic_lsp import plugins
from evonic_lsp.settings import Settings, updated


def evonic(folder, *ids):
    for name in ("backend", "plugins"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for name in ("evonic", "app.py", "backend/plugin_manager.py"):
        (folder / name).touch()
    for plugin in ids:
        (folder / "plugins" / plugin).mkdir()
        (folder / "plugins" / plugin / "plugin.json").write_text("{}")
    return folder


def test_in_the_plugins_folder(tmp_path):
    root = evonic(tmp_path / "e", "foo", "foo_bar")
    found = plugins.find(root / "plugins" / "foo_bar" / "sub" / "x.py")
    assert (found.root, found.plugin, found.file) == (root, "foo_bar", "sub/x.py")
    assert plugins.find(root / "plugins" / "foo" / "gone.py").plugin == "foo"
    assert plugins.find(root / "app.py") is None
    assert plugins.find(root / "plugins" / "README.md") is None


def test_linked_in_from_a_repository(tmp_path):
    root = evonic(tmp_path / "e")
    source = tmp_path / "repository" / "src"
    source.mkdir(parents=True)
    (root / "plugins" / "mine").symlink_to(source)
    assert plugins.find(source / "handler.py") is None
    found = plugins.find(source / "handler.py", [plugins.evonic_at(root)])
    assert (found.plugin, found.file, found.folder) == ("mine", "handler.py", source)
    assert plugins.find(root / "plugins" / "mine" / "handler.py").folder == root / "plugins" / "mine"


def test_through_a_link_to_the_plugin(tmp_path):
    root = evonic(tmp_path / "e", "p")
    (tmp_path / "link").symlink_to(root / "plugins" / "p")
    found = plugins.find(tmp_path / "link" / "handler.py")
    assert (found.plugin, found.folder) == ("p", tmp_path / "link")


def test_in_a_release_layout(tmp_path):
    """``plugins`` is a link into ``shared``, and the code runs behind ``current``."""
    release = evonic(tmp_path / "releases" / "v1")
    (release / "plugins").rmdir()
    (tmp_path / "shared" / "plugins" / "p").mkdir(parents=True)
    (release / "plugins").symlink_to(tmp_path / "shared" / "plugins")
    (tmp_path / "current").symlink_to(release)
    assert plugins.find(tmp_path / "current" / "plugins" / "p" / "handler.py").root == release
    known = [plugins.evonic_at(tmp_path / "current")]
    assert plugins.find(tmp_path / "shared" / "plugins" / "p" / "handler.py", known).root == release


def test_a_folder_of_the_plugin_that_is_itself_a_link(tmp_path):
    root = evonic(tmp_path / "e", "p")
    (tmp_path / "lib").mkdir()
    (root / "plugins" / "p" / "lib").symlink_to(tmp_path / "lib")
    assert plugins.find(root / "plugins" / "p" / "lib" / "x.py").file == "lib/x.py"


def test_by_its_own_account(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "plugin.json").write_text('{"id": "mine"}')
    found = plugins.find_alone(tmp_path / "src" / "x.py")
    assert (found.root, found.plugin, found.file) == (None, "mine", "src/x.py")
    (tmp_path / "plugin.json").write_text('{"id": "../../etc"}')
    assert plugins.find_alone(tmp_path / "x.py").plugin == tmp_path.name
    assert plugins.find_alone(tmp_path.parent / "x.py") is None


def test_what_opening_a_folder_speaks_of(tmp_path):
    one, two = evonic(tmp_path / "one", "p"), evonic(tmp_path / "two")
    assert [root.folder for root in plugins.evonics_around(tmp_path)] == [one, two]
    assert [root.folder for root in plugins.evonics_around(one / "plugins" / "p")] == [one]
    assert plugins.evonics_around(tmp_path / "nothing") == []


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("file:///a/b%20c.py", "/a/b c.py"),
        ("FILE:///a", "/a"),
        ("file://localhost/a", "/a"),
        ("file:///a/%F0%9F%98%8B.py", "/a/😋.py"),
        ("file:///a?b#c", "/a"),
        ("untitled:1", None),
        ("file:a", None),
        ("file://host/a", None),
        ("file:///a%00b", None),
        ("http://[", None),
        (3, None),
    ],
)
def test_uris(uri, path):
    found = plugins.path_of(uri)
    assert (None if found is None else str(found)) == path


@given(st.text())
def test_any_text_as_a_uri(text):
    path = plugins.path_of(text)
    assert path is None or os.path.isabs(path)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_a_path_comes_back(text):
    path = plugins.Path("/x") / text.replace("/", "_")
    assert plugins.path_of(plugins.uri_of(path)) == path


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
)
names = st.sampled_from(["root", "endpoint", "debounce", "reloadOnSave", "optIn", "evonic.debounce", "evonic", "x"])


@given(st.dictionaries(names, json) | json)
def test_any_settings(given_):
    settings, wrong = updated(Settings(), given_)
    assert isinstance(settings.debounce, int)
    assert settings.opt_in in ("ask", "always", "never")
    assert all(sentence.startswith("evonic.") for sentence in wrong)


def test_settings_go_back_to_their_defaults_and_stay_where_they_are_not_named():
    first, _ = updated(Settings(), {"evonic": {"debounce": 10, "root": "/a"}})
    assert first == Settings(root="/a", debounce=10)
    assert updated(first, {"evonic.root": None}) == (Settings(debounce=10), [])


def test_a_link_to_itself_beside_an_evonic_hides_nothing(tmp_path):
    root = evonic(tmp_path / "e", "p")
    (tmp_path / "itself").symlink_to(tmp_path / "itself")
    (tmp_path / "one").symlink_to(tmp_path / "other")
    (tmp_path / "other").symlink_to(tmp_path / "one")
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    assert [each.folder for each in plugins.evonics_around(tmp_path)] == [root]
