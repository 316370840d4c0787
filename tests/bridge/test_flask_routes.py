"""A blueprint replaced in an application that is answering requests."""

import gc
import importlib.util
import itertools
import random
import re
import sys
import threading
import weakref

import pytest
import werkzeug.routing
from flask import Blueprint, Flask, abort, g, render_template, render_template_string, url_for
from werkzeug.routing import BaseConverter, BuildError

from evonic_lsp.bridge.flask_parts import PLAIN, SCOPED, values
from evonic_lsp.bridge.flask_routes import RouteConflict, Routes
from evonic_lsp.bridge.flask_versions import Pinned


@pytest.fixture
def app():
    app = Flask("host", static_folder=None)
    app.add_url_rule("/", "home", lambda: "home")
    app.add_url_rule("/item/<int:n>", "item", lambda n: f"item {n}")
    app.before_request(app_before)
    other = Blueprint("other", __name__, url_prefix="/other")
    other.add_url_rule("/", "index", lambda: "other")
    other.before_app_request(other_before)
    app.register_blueprint(other)
    return app


@pytest.fixture(params=["shared", "rebuilt"])
def routes(app, request):
    """Routes of an application that has been answering for long, with private names of Werkzeug and without."""
    assert app.test_client().get("/").text == "home"
    routes = Routes(app)
    assert routes.degraded is None
    if request.param == "rebuilt":
        routes.degraded = "for the test"
    return routes


def app_before():
    pass


def other_before():
    pass


def plugin(text="one", rule="/", endpoint="index", **options):
    blueprint = Blueprint("probe", __name__, url_prefix="/probe")
    blueprint.add_url_rule(rule, endpoint, lambda **values: text, **options)
    return blueprint


def swap(routes, old, new):
    """Commits, and returns the staged routes and what undoes it."""
    staged = routes.stage(old, new)
    return staged, staged.commit()


def get(app, path, **options):
    response = app.test_client().get(path, **options)
    return response.text if response.status_code == 200 else response.status_code


def everything(app):
    """What is registered, for comparison by identity."""
    result = {"url_map": app.url_map, "rules": list(app.url_map.iter_rules()), "blueprints": dict(app.blueprints)}
    for registry in SCOPED:
        result[registry] = {scope: list(functions) for scope, functions in getattr(app, registry).items()}
    for registry in PLAIN:
        result[registry] = list(getattr(app, registry))
    result["errors"] = {s: {c: dict(h) for c, h in codes.items() if h} for s, codes in app.error_handler_spec.items()}
    result["errors"] = {scope: codes for scope, codes in result["errors"].items() if codes}
    result["views"] = dict(app.view_functions)
    result.update({name: dict(those) for name, those in values(app).items()})
    return result


# ── Routes ──


def test_edited_added_and_removed(app, routes):
    one, two, three = plugin("one"), plugin("two"), plugin("three", "/moved")
    two.add_url_rule("/new/<int:n>", "new", lambda n: f"new {n}")
    swap(routes, None, one)
    assert get(app, "/probe/") == "one"
    staged, _ = swap(routes, one, two)
    assert (get(app, "/probe/"), get(app, "/probe/new/3"), get(app, "/probe/new/x")) == ("two", "new 3", 404)
    staged.retire()
    assert get(app, "/probe/") == "two"
    swap(routes, two, three)
    assert (get(app, "/probe/"), get(app, "/probe/new/3"), get(app, "/probe/moved")) == (404, 404, "three")
    staged, _ = swap(routes, three, None)
    assert get(app, "/probe/moved") == 404
    assert (get(app, "/"), get(app, "/item/3"), get(app, "/other/")) == ("home", "item 3", "other")
    staged.retire()
    assert "probe" not in app.blueprints
    assert "probe.index" not in app.view_functions


def test_staging_touches_nothing(app, routes):
    one = full("one")
    before = everything(app)
    routes.stage(None, one)
    assert everything(app) == before


def test_the_host_registered_it(app):
    app.register_blueprint(full("old"))
    get(app, "/")
    old = app.blueprints["probe"]
    routes = Routes(app)
    staged, _ = swap(routes, old, full("new"))
    assert get(app, "/probe/") == "new-before:new:new"
    staged.retire()
    staged, _ = swap(routes, app.blueprints["probe"], None)
    staged.retire()
    assert get(app, "/probe/") == 404
    # Nothing tells whose strings these are.
    assert leftovers(app) == ["probe_text", "PROBE", "probe"]
    assert app.before_request_funcs == {None: [app_before, other_before]}


def test_a_blueprint_that_was_never_registered(app, routes):
    swap(routes, plugin("never"), plugin("now"))
    assert get(app, "/probe/") == "now"


def test_what_serves_is_the_one_before_the_hosts_own_reload(app, routes):
    swap(routes, None, plugin("one"))
    swap(routes, plugin("made by the host, never registered"), plugin("two"))
    assert get(app, "/probe/") == "two"


def test_options_of_rules_are_kept(app, routes):
    def blueprint(text):
        result = plugin(text)
        result.add_url_rule("/posted", "posted", lambda: text, methods=["POST"])
        result.add_url_rule("/page/", "page", lambda n: f"{text} {n}", defaults={"n": 1})
        result.add_url_rule("/strict/", "strict", lambda: text, strict_slashes=False)
        result.add_url_rule("/socket", "socket", lambda: text, websocket=True)
        result.add_url_rule("/plain", "plain", lambda: text, websocket=False, provide_automatic_options=False)
        result.add_url_rule("/build", "build", build_only=True)
        return result

    one, two = blueprint("one"), blueprint("two")
    swap(routes, None, one)
    before = {rule.endpoint: (rule.rule, rule.methods, rule.defaults) for rule in app.url_map.iter_rules()}
    swap(routes, one, two)
    client = app.test_client()
    assert before == {rule.endpoint: (rule.rule, rule.methods, rule.defaults) for rule in app.url_map.iter_rules()}
    assert client.post("/probe/posted").text == "two"
    assert (get(app, "/probe/posted"), get(app, "/probe/page/"), get(app, "/probe/strict")) == (405, "two 1", "two")
    assert (get(app, "/probe/socket"), get(app, "/probe/plain"), get(app, "/probe/build")) == (400, "two", 404)
    assert client.options("/probe/plain").status_code == 405
    assert sorted(client.options("/probe/posted").allow) == ["OPTIONS", "POST"]
    with app.test_request_context():
        assert url_for("probe.socket").startswith("ws:")
        assert url_for("probe.page") == "/probe/page/"
        assert url_for("probe.build") == "/probe/build"


def test_hosts_and_subdomains():
    app = Flask("host", static_folder=None, subdomain_matching=True)
    app.config["SERVER_NAME"] = "example.org"
    app.add_url_rule("/", "home", lambda: "home")
    app.test_client().get("/")
    one, two = (Blueprint("probe", __name__, subdomain="sub") for _ in range(2))
    one.add_url_rule("/", "index", lambda: "one")
    two.add_url_rule("/", "index", lambda: "two")
    routes = Routes(app)
    for old, new in ((None, one), (one, two)):
        swap(routes, old, new)
    assert get(app, "/", base_url="http://sub.example.org") == "two"
    assert get(app, "/", base_url="http://example.org") == "home"


def test_rules_that_stay_are_not_compiled_again(app, monkeypatch):
    routes = Routes(app)
    one, two, three = plugin("one"), plugin("two"), plugin("three", "/edited")
    swap(routes, None, one)
    compiled = []
    original = werkzeug.routing.Rule.compile
    monkeypatch.setattr(werkzeug.routing.Rule, "compile", lambda rule: (compiled.append(rule.rule), original(rule)))
    before = list(app.url_map.iter_rules())
    swap(routes, one, two)
    assert compiled == []
    assert list(app.url_map.iter_rules()) == before
    swap(routes, two, three)
    assert compiled == ["/probe/edited"]


def test_a_converter_of_the_plugins_own(app, routes):
    def blueprint(known):
        class Known(BaseConverter):
            regex = known

        result = plugin(known, "/<known:name>")
        result.record_once(lambda state: state.app.url_map.converters.update(known=Known))
        # Callbacks run in their order.
        result.deferred_functions.reverse()
        return result

    one, two = blueprint("one"), blueprint("two")
    swap(routes, None, one)
    assert (get(app, "/probe/one"), get(app, "/probe/two")) == ("one", 404)
    swap(routes, one, two)
    assert (get(app, "/probe/one"), get(app, "/probe/two")) == (404, "two")
    swap(routes, two, plugin())
    assert "known" not in app.url_map.converters
    with pytest.raises(LookupError, match="known"):
        routes.stage(None, plugin("x", "/<known:name>"))


def test_the_first_of_equal_rules_goes_on_winning(app):
    # The application has both; the plugin was first.
    app.register_blueprint(plugin("plugin"))
    app.add_url_rule("/probe/", "late", lambda: "late")
    app.add_url_rule("/probe/<path:rest>", "rest", lambda rest: "rest")
    assert get(app, "/probe/") == "plugin"
    routes = Routes(app)
    old = app.blueprints["probe"]
    for text in ("one", "two"):
        new = plugin(text, strict_slashes=False)
        swap(routes, old, new)[0].retire()
        assert (get(app, "/probe/"), get(app, "/probe/x")) == (text, "rest")
        old = new


def test_relative_urls_and_build_errors(app, routes):
    one, two = plugin("one"), plugin("two", "/second", "second")
    for blueprint, name in ((one, "index"), (two, "second")):
        blueprint.add_url_rule("/where", "where", lambda name=name: url_for(f".{name}"))
    swap(routes, None, one)
    assert get(app, "/probe/where") == "/probe/"
    swap(routes, one, two)
    assert get(app, "/probe/where") == "/probe/second"
    with app.test_request_context(), pytest.raises(BuildError):
        url_for("probe.index")


# ── Functions ──


def full(text):
    """A blueprint that registers something of every kind, and says so in what it answers."""
    blueprint = Blueprint("probe", __name__, url_prefix="/probe")
    child = Blueprint("child", __name__, url_prefix="/child")
    child.add_url_rule("/", "index", lambda: f"{g.before}:{text}")
    child.before_request(lambda: setattr(g, "child", text))
    blueprint.register_blueprint(child)
    blueprint.before_request(lambda: setattr(g, "before", f"{text}-before"))
    blueprint.after_request(lambda response: (response.set_data(f"{response.get_data(True)}:{text}"), response)[1])
    blueprint.teardown_request(lambda error: None)
    blueprint.url_value_preprocessor(lambda endpoint, values: None)
    blueprint.url_defaults(lambda endpoint, values: values.setdefault("v", text))
    blueprint.context_processor(lambda: {"processed": text})
    blueprint.before_app_request(lambda: setattr(g, "app_before", text))
    blueprint.after_app_request(lambda response: (response.headers.update({"X-Probe": text}), response)[1])
    blueprint.teardown_app_request(lambda error: None)
    blueprint.app_context_processor(lambda: {"app_processed": text})
    blueprint.app_url_value_preprocessor(lambda endpoint, values: None)
    blueprint.app_url_defaults(lambda endpoint, values: None)
    blueprint.app_template_filter("probed")(lambda value: f"{value}|{text}")
    blueprint.app_template_test("probing")(lambda value: value == text)
    blueprint.app_template_global("probe_name")(lambda: text)
    blueprint.errorhandler(418)(lambda error: f"{text} 418")
    blueprint.app_errorhandler(404)(lambda error: (f"{text} 404", 404))
    blueprint.add_url_rule("/", "index", lambda: f"{g.before}:{text}")
    blueprint.add_url_rule("/teapot", "teapot", lambda: abort(418))
    source = "{{ processed }} {{ 1|probed }} {{ probe_name() }} {{ 'TEXT' is probing }}".replace("TEXT", text)
    blueprint.add_url_rule("/page", "page", lambda: render_template_string(source))
    blueprint.add_url_rule("/link", "link", lambda: url_for(".index"))

    @blueprint.record_once
    def with_state(state):
        state.app.config["PROBE"] = text
        state.app.extensions["probe"] = text
        state.app.jinja_env.globals["probe_text"] = text
        state.app.teardown_appcontext(nothing_at_teardown)
        state.app.shell_context_processor(lambda: {"probe": text})

    @blueprint.cli.command("greet")
    def greet():
        pass

    return blueprint


def nothing_at_teardown(error):
    pass


def leftovers(app):
    """Everything of the plugin that is still somewhere in the application."""
    found = [name for name in app.blueprints if name.startswith("probe")]
    found += [key for key in app.view_functions if key.startswith("probe.")]
    found += [rule for rule in app.url_map.iter_rules() if str(rule.endpoint).startswith("probe.")]
    for registry in (*SCOPED, "error_handler_spec"):
        found += [(registry, scope) for scope in getattr(app, registry) if str(scope).startswith("probe")]
        functions = getattr(app, registry).get(None, []) if registry in SCOPED else []
        found += [each for each in functions if "full" in getattr(each, "__qualname__", "")]
        found += [each for each in functions if isinstance(each, Pinned)]
    found += [each for registry in PLAIN for each in getattr(app, registry)]
    found += [handler for handlers in app.error_handler_spec[None].values() for handler in handlers.values()]
    found += [key for registry in values(app).values() for key in registry if "prob" in str(key).lower()]
    return found


def test_everything_a_blueprint_can_register(app, routes):
    old = None
    for text in ("one", "two", "three"):
        new = full(text)
        staged, _ = swap(routes, old, new)
        for _ in range(2):
            before = f"{text}-before:{text}:{text}"
            assert (get(app, "/probe/"), get(app, "/probe/child/")) == (before, before)
            assert get(app, "/probe/page") == f"{text} 1|{text} {text} True:{text}"
            assert get(app, "/probe/teapot") == f"{text} 418:{text}"
            assert get(app, "/probe/link") == f"/probe/?v={text}:{text}"
            assert app.test_client().get("/nowhere").text == f"{text} 404"
            assert app.test_client().get("/").headers.getlist("X-Probe") == [text]
            assert (app.config["PROBE"], app.extensions["probe"]) == (text, text)
            assert app.jinja_env.globals["probe_text"] == text
            assert app.make_shell_context()["probe"] == text
            staged.retire()
        old = new
    assert app.teardown_appcontext_funcs.count(nothing_at_teardown) == 0 or len(app.teardown_appcontext_funcs) == 1
    staged, _ = swap(routes, old, None)
    assert app.test_client().get("/nowhere").text != "three 404"
    assert "X-Probe" not in app.test_client().get("/").headers
    staged.retire()
    assert leftovers(app) == []
    assert app.before_request_funcs == {None: [app_before, other_before]}


def test_functions_of_others_keep_their_places(app, routes):
    def blueprint(*names):
        result = plugin()
        for name in names:
            result.before_app_request(lambda name=name: calls.append(name))
        return result

    calls = []
    app.before_request_funcs[None] = [lambda: calls.append("app")]
    one, other = blueprint("a", "b"), Blueprint("third", __name__)
    other.before_app_request(lambda: calls.append("third"))
    swap(routes, None, one)
    swap(routes, None, other)

    def order():
        calls.clear()
        get(app, "/")
        return " ".join(calls)

    assert order() == "app a b third"
    old = one
    for names, expected in ((("c", "d", "e"), "app c d e third"), (("f",), "app f third"), ((), "app third")):
        new = blueprint(*names)
        staged, _ = swap(routes, old, new)
        assert order() == expected
        staged.retire()
        assert order() == expected
        old = new


def test_what_was_there_comes_back(app, routes):
    app.error_handler_spec[None][404][werkzeug.exceptions.NotFound] = lambda error: ("the app's 404", 404)
    app.jinja_env.filters["shout"] = str.upper
    app.config["PROBE"] = "the app's"

    def blueprint(name, text):
        result = Blueprint(name, __name__)
        result.app_errorhandler(404)(lambda error: (text, 404))
        result.app_template_filter("shout")(lambda value: text)
        result.record(lambda state: state.app.config.update(PROBE=text))
        return result

    def seen():
        with app.test_request_context():
            rendered = render_template_string("{{ 'x'|shout }}")
        return app.test_client().get("/nowhere").text, rendered, app.config["PROBE"]

    a, b, a2 = blueprint("a", "A"), blueprint("b", "B"), blueprint("a", "A2")
    swap(routes, None, a)[0].retire()
    assert seen() == ("A", "A", "A")
    swap(routes, None, b)[0].retire()
    assert seen() == ("B", "B", "B")
    swap(routes, a, a2)[0].retire()
    assert seen() == ("B", "B", "B")
    swap(routes, b, None)[0].retire()
    assert seen() == ("A2", "A2", "A2")
    swap(routes, a2, None)[0].retire()
    assert seen() == ("the app's 404", "X", "the app's")
    assert routes.layers == {}


def test_an_error_handler_that_is_gone_is_not_in_the_way(app, routes):
    one, two = plugin("one"), plugin("two")
    for blueprint in (one, two):
        blueprint.add_url_rule("/fail", "fail", lambda: {}["x"])
        blueprint.errorhandler(LookupError)(lambda error: "general")
    one.errorhandler(KeyError)(lambda error: "special")
    swap(routes, None, one)
    assert get(app, "/probe/fail") == "special"
    staged, _ = swap(routes, one, two)
    assert get(app, "/probe/fail") == "general"
    staged.retire()
    assert get(app, "/probe/fail") == "general"


def test_attributes_of_views_are_seen(app, routes):
    def marked():
        """Documented."""

    marked.csrf_exempt = True
    blueprint = plugin()
    blueprint.add_url_rule("/marked", "marked", marked)
    swap(routes, None, blueprint)
    view = app.view_functions["probe.marked"]
    assert view.csrf_exempt
    assert (view.__name__, view.__module__, view.__doc__) == ("marked", __name__, "Documented.")
    assert view.__globals__ is marked.__globals__


def test_coroutines_are_run(app, routes):
    pytest.importorskip("asgiref")
    blueprint = plugin()

    async def view():
        return "async"

    blueprint.add_url_rule("/async", "async", view)
    swap(routes, None, blueprint)
    assert get(app, "/probe/async") == "async"


def test_state_app_is_the_application_afterwards(app, routes):
    kept = []
    blueprint = plugin()
    blueprint.record(lambda state: kept.append(state.app))
    swap(routes, None, blueprint)
    swap(routes, blueprint, plugin("two"))
    assert get(kept[0], "/probe/") == "two"
    assert kept[0].url_map is app.url_map
    assert kept[0].jinja_env.filters is app.jinja_env.filters


# ── Files ──


def with_files(folder, **options):
    blueprint = Blueprint("probe", __name__, url_prefix="/probe", **options)
    blueprint.root_path = str(folder)
    blueprint.add_url_rule("/page", "page", lambda: render_template("page.html"))
    return blueprint


def test_templates_and_static_files(app, routes, tmp_path):
    (tmp_path / "templates").mkdir()
    (tmp_path / "static").mkdir()
    page, style = tmp_path / "templates" / "page.html", tmp_path / "static" / "x.css"
    page.write_text("{% include 'part.html' %}")
    (tmp_path / "templates" / "part.html").write_text("one")
    style.write_text("css")
    one, two = (with_files(tmp_path, template_folder="templates", static_folder="static") for _ in range(2))
    swap(routes, None, one)
    assert (get(app, "/probe/page"), get(app, "/probe/static/x.css")) == ("one", "css")
    (tmp_path / "templates" / "part.html").write_text("two")
    swap(routes, one, two)
    assert (get(app, "/probe/page"), get(app, "/probe/static/x.css")) == ("two", "css")
    (tmp_path / "templates" / "part.html").unlink()
    swap(routes, two, with_files(tmp_path, template_folder="templates"))
    assert (get(app, "/probe/page"), get(app, "/probe/static/x.css")) == (500, 404)


def test_templates_of_others_stay_compiled(app, routes, tmp_path):
    (tmp_path / "page.html").write_text("x")
    host = Blueprint("host", __name__, template_folder=str(tmp_path))
    swap(routes, None, host)
    with app.app_context():
        compiled = app.jinja_env.get_template("page.html")
        swap(routes, None, plugin())
        assert app.jinja_env.get_template("page.html") is compiled
        swap(routes, host, Blueprint("host", __name__, template_folder=str(tmp_path)))
        assert app.jinja_env.get_template("page.html") is not compiled


def test_blueprints_keep_their_order_and_are_never_changed_in_place(app, routes):
    one = plugin("one")
    swap(routes, None, one)
    swap(routes, None, Blueprint("last", __name__))
    before = app.blueprints
    names = list(before)
    swap(routes, one, plugin("two"))
    assert list(before) == names == list(app.blueprints) == ["other", "probe", "last"]
    assert before["probe"] is one
    assert app.blueprints is not before


# ── Conflicts ──


@pytest.mark.parametrize(
    ("rule", "options", "message"),
    [
        ("/item/<int:other>", {}, "GET/HEAD /item/<int:other> is already served by 'item' of the application"),
        ("/other/", {"methods": ["GET", "POST"]}, "GET/HEAD /other/ is already served by 'other.index' of blueprint"),
    ],
)
def test_a_url_of_somebody_else(app, routes, rule, options, message):
    blueprint = Blueprint("probe", __name__)
    blueprint.add_url_rule(rule, "x", lambda **values: "x", **options)
    before = everything(app)
    with pytest.raises(RouteConflict, match=re.escape(message)):
        routes.stage(None, blueprint)
    assert everything(app) == before


@pytest.mark.parametrize(
    ("rule", "options"),
    [("/", {"methods": ["POST"]}), ("/", {"websocket": True}), ("/item/<n>", {}), ("/item/<int:n>/", {})],
)
def test_what_is_no_conflict(app, routes, rule, options):
    blueprint = Blueprint("probe", __name__)
    blueprint.add_url_rule(rule, "x", lambda **values: "x", **options)
    swap(routes, None, blueprint)
    assert (get(app, "/"), get(app, "/item/1")) == ("home", "item 1")


def test_a_method_that_the_old_version_did_not_serve(app, routes):
    one, two = (Blueprint("probe", __name__) for _ in range(2))
    one.add_url_rule("/", "x", lambda: "x", methods=["POST"])
    two.add_url_rule("/", "x", lambda: "x", methods=["POST", "GET"])
    swap(routes, None, one)
    with pytest.raises(RouteConflict, match="GET/HEAD / is already served by 'home'"):
        routes.stage(one, two)


def test_an_endpoint_of_somebody_else(app, routes):
    blueprint = plugin()
    blueprint.record(lambda state: state.app.add_url_rule("/free", "home", lambda: "x"))
    with pytest.raises(RouteConflict, match="endpoint 'home' is taken by the application"):
        routes.stage(None, blueprint)


def test_a_blueprint_name_of_somebody_else(app, routes):
    swap(routes, None, plugin())
    for name in ("other", "probe"):
        with pytest.raises(RouteConflict, match=f"blueprint name '{name}' is taken by blueprint '{name}' of"):
            routes.stage(None, Blueprint(name, __name__))
    with pytest.raises(RouteConflict, match="blueprint name 'other'"):
        routes.stage(app.blueprints["probe"], Blueprint("other", __name__))


def test_names_of_removed_plugins_are_free(app, routes):
    one = full("one")
    swap(routes, None, one)
    swap(routes, one, None)
    swap(routes, None, full("two"))
    assert get(app, "/probe/") == "two-before:two:two"


def test_errors_of_the_registration_are_not_changed(app, routes):
    error = ZeroDivisionError()
    blueprint = plugin()

    @blueprint.record
    def fail(state):
        raise error

    before = everything(app)
    with pytest.raises(ZeroDivisionError) as raised:
        routes.stage(None, blueprint)
    assert raised.value is error
    assert everything(app) == before
    twice = plugin()
    twice.add_url_rule("/again", "index", lambda: "again")
    with pytest.raises(AssertionError, match="overwriting an existing endpoint"):
        routes.stage(None, twice)


def test_callbacks_find_what_others_registered(app, routes):
    found = []
    blueprint = plugin()
    blueprint.record(lambda state: found.append(state.app.view_functions["home"]))
    blueprint.record(lambda state: found.append(state.app.blueprints["other"]))
    blueprint.record(lambda state: found.extend(rule.endpoint for rule in state.app.url_map.iter_rules()))
    routes.stage(None, blueprint)
    assert found == [app.view_functions["home"], app.blueprints["other"], "home", "item", "other.index", "probe.index"]


# ── Undo ──


def test_undo_puts_everything_back(app, routes):
    one = full("one")
    before = everything(app)
    _, undo = swap(routes, None, one)
    undo()
    assert everything(app) == before
    assert app.url_map is before["url_map"]
    swap(routes, None, one)
    assert get(app, "/probe/") == "one-before:one:one"
    before, parts = everything(app), dict(routes.parts)
    for new in (full("two"), None, plugin("three")):
        staged, undo = swap(routes, one, new)
        undo()
        staged.retire()
        assert everything(app) == before
        assert routes.parts == parts
        assert get(app, "/probe/") == "one-before:one:one"


def test_undo_does_nothing_after_retire(app, routes):
    staged, undo = swap(routes, None, plugin("one"))
    staged.retire()
    undo()
    assert get(app, "/probe/") == "one"


def test_a_commit_that_fails_changes_nothing(app, routes, monkeypatch):
    one = full("one")
    swap(routes, None, one)
    before = everything(app)
    staged = routes.stage(one, full("two"))
    monkeypatch.setattr("evonic_lsp.bridge.flask_routes.Templates.clear", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        staged.commit()
    monkeypatch.undo()
    assert everything(app) == before


def test_a_commit_after_somebody_elses(app, routes):
    staged = routes.stage(None, plugin("probe"))
    third = Blueprint("third", __name__)
    third.add_url_rule("/third", "index", lambda: "third")
    swap(routes, None, third)
    staged.commit()
    assert (get(app, "/third"), get(app, "/probe/")) == ("third", "probe")


# ── Requests in flight ──


def during(app, path, action):
    """The answer to a request at whose first hook `action` runs."""
    done = []

    def first():
        if not done:
            done.append(True)
            action()

    app.before_request_funcs[None].insert(0, first)
    try:
        return get(app, path)
    finally:
        for registry in [app.before_request_funcs]:
            registry[None] = [each for each in registry[None] if each is not first]


@pytest.mark.parametrize("new", [full("two"), None, plugin("three", "/elsewhere")], ids=["all", "nothing", "other"])
@pytest.mark.parametrize("path", ["/probe/", "/probe/teapot", "/probe/page", "/probe/link", "/probe/child/"])
def test_a_request_keeps_its_version(app, routes, path, new):
    one = full("one")
    swap(routes, None, one)
    expected = get(app, path)
    assert during(app, path, lambda: swap(routes, one, new)) == expected
    if new is None:
        assert get(app, path) == 404


def test_a_request_keeps_its_version_over_several(app, routes):
    one, two, three = full("one"), full("two"), full("three")

    def twice():
        swap(routes, one, two)
        swap(routes, None, Blueprint("third", __name__))
        swap(routes, two, three)

    swap(routes, None, one)[0].retire()
    assert during(app, "/probe/", twice) == "one-before:one:one"
    assert get(app, "/probe/") == "three-before:three:three"


def test_hooks_of_a_new_plugin_do_not_touch_older_requests(app, routes):
    blueprint = plugin()
    for register in (blueprint.before_app_request, blueprint.after_app_request, blueprint.app_context_processor):
        register(lambda *args: abort(500))
    assert during(app, "/", lambda: swap(routes, None, blueprint)) == "home"
    assert get(app, "/") == 500


@pytest.mark.parametrize(("degraded", "swaps"), [(None, 101), ("for the test", 15)])
def test_many_threads(app, degraded, swaps):
    routes = Routes(app)
    routes.degraded = degraded
    old = full("v0")
    swap(routes, None, old)
    stop, wrong, finished = threading.Event(), [], [0] * 3
    paths = ["/", "/item/3", "/other/", "/probe/", "/probe/child/", "/probe/page", "/probe/teapot"]

    def hammer(seed):
        client, choose = app.test_client(), random.Random(seed)
        while not stop.is_set():
            path = choose.choice(paths)
            response = client.get(path)
            versions = set(re.findall(r"v\d+", response.get_data(True) + response.headers.get("X-Probe", "none")))
            if response.status_code != 200 or len(versions) != 1:
                wrong.append((path, response.status_code, response.get_data(True), versions))
            finished[seed] += 1

    threads = [threading.Thread(target=hammer, args=(seed,)) for seed in range(len(finished))]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    waiting = []
    try:
        for thread in threads:
            thread.start()
        for number in range(1, swaps + 1):
            new = full(f"v{number}")
            new.add_url_rule(f"/moving{number}", "moving", lambda: "x")
            staged, _ = swap(routes, old, new)
            waiting.append((staged, list(finished)))
            # Drained: every thread has finished the request that it may have been in.
            while waiting and all(now > then for now, then in zip(finished, waiting[0][1])):
                waiting.pop(0)[0].retire()
            old = new
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        sys.setswitchinterval(interval)
    assert wrong[:3] == []
    assert min(finished) > 0


# ── Nothing leaks ──


def sizes(app, routes):
    result = {name: len(those) for name, those in values(app).items()}
    result["slots"] = sum(isinstance(view, Pinned) for view in app.view_functions.values())
    for registry in SCOPED:
        result[registry] = sum(map(len, getattr(app, registry).values())), len(getattr(app, registry))
    result["errors"] = sum(len(handlers) for codes in app.error_handler_spec.values() for handlers in codes.values())
    result["scopes"] = len(app.error_handler_spec)
    result["lineages"] = [len(part.lineage) for part in routes.parts.values()]
    result["views"], result["rules"] = len(app.view_functions), len(list(app.url_map.iter_rules()))
    result["blueprints"], result["parts"], result["layers"] = len(app.blueprints), len(routes.parts), len(routes.layers)
    return result


def test_no_leaks(app, routes):
    first = None
    ghosts, pending = [], []
    old = None
    for number in range(12):
        new = full(str(number))
        new.add_url_rule(f"/moving/{number}/<int:n>", f"moving{number}", lambda n: "x")
        ghosts += [weakref.ref(new), weakref.ref(new.deferred_functions[-1])]
        staged, _ = swap(routes, old, new)
        get(app, "/probe/page"), get(app, "/nowhere"), get(app, "/probe/teapot")
        # As the bridge does it: tombstones live as long as the generation that made them.
        pending.append(staged)
        if number > 0:
            pending.pop(0).retire()
        old = new
        if number == 5:
            first = sizes(app, routes)
    assert sizes(app, routes) == first
    del new, staged
    pending.clear()
    routes.stage(old, None).commit()
    gc.collect()
    # The last two versions are still there: one serves, the other may be needed by requests.
    assert [ghost() for ghost in ghosts[:-4]] == [None] * len(ghosts[:-4])


def test_a_removal_takes_all_versions_along(app, routes):
    old = None
    for number in range(4):
        new = full(str(number))
        new.add_url_rule(f"/moving/{number}", f"moving{number}", lambda: "x")
        swap(routes, old, new)
        old = new
    ghost = weakref.ref(old)
    staged, _ = swap(routes, old, None)
    staged.retire()
    assert leftovers(app) == []
    del old, new, staged
    gc.collect()
    assert ghost() is None


def test_a_value_that_goes_and_comes_back(app, routes):
    def blueprint(*names):
        result = plugin()
        for name in names:
            result.record(lambda state, name=name: state.app.config.update({name: True}))
            result.add_app_template_filter(lambda value: "filtered", name)
        return result

    one, two, three = blueprint("PROBE"), blueprint(), blueprint("PROBE")
    stages = [swap(routes, None, one)[0], swap(routes, one, two)[0]]
    assert "PROBE" not in app.config
    stages.append(swap(routes, two, three)[0])
    for staged in stages:
        staged.retire()
        assert app.config["PROBE"]
        with app.test_request_context():
            assert render_template_string("{{ 1|PROBE }}") == "filtered"
    swap(routes, three, two)
    swap(routes, two, None)[0].retire()
    assert leftovers(app) == []


def test_the_matcher_does_not_grow(app):
    def states(state):
        return 1 + sum(map(states, state.static.values())) + sum(states(each) for _, each in state.dynamic)

    routes = Routes(app)
    counts, old = set(), None
    for number in range(5):
        new = plugin("x", f"/moving{number}/<int:n>/deep")
        swap(routes, old, new)[0].retire()
        counts.add(states(app.url_map._matcher._root))
        old = new
    assert len(counts) == 1


@pytest.mark.parametrize("seed", range(6))
def test_any_history_ends_where_a_fresh_start_does(seed):
    """Plugins come, change and go at random, with undos between; what is left equals a fresh application's."""
    choose = random.Random(seed)
    app = Flask("host", static_folder=None)
    app.add_url_rule("/", "home", lambda: "home")
    get(app, "/")
    routes = Routes(app)
    routes.degraded = "for the test" if seed % 2 else None
    serving, pending = {}, {}

    def make(name):
        blueprint = Blueprint(name, __name__, url_prefix=f"/{name}")
        for endpoint in choose.sample("abcdef", choose.randint(0, 4)):
            rule = choose.choice([f"/{endpoint}", f"/<int:n>/{endpoint}", f"/{endpoint}/<path:n>"])
            text = f"{name} {endpoint} {choose.random()}"
            blueprint.add_url_rule(rule, endpoint, lambda text=text, **values: text)
        for _ in range(choose.randint(0, 2)):
            blueprint.before_app_request(lambda: None)
        return blueprint

    for _ in range(40):
        name = choose.choice(["p", "q", "r"])
        new = make(name) if choose.random() < 0.8 else None
        staged = routes.stage(serving.get(name), new)
        undo = staged.commit()
        if choose.random() < 0.2:
            undo()
            continue
        pending.setdefault(name, []).append(staged)
        if new is None:
            serving.pop(name, None)
        else:
            serving[name] = new
        if choose.random() < 0.7:
            for each in pending.pop(name):
                each.retire()
    for staged in itertools.chain(*pending.values()):
        staged.retire()
    fresh = Flask("host", static_folder=None)
    fresh.add_url_rule("/", "home", lambda: "home")
    for blueprint in app.blueprints.values():
        fresh.register_blueprint(blueprint)
    paths = [re.sub("<.*?>", "7", rule.rule) for rule in fresh.url_map.iter_rules()]
    assert {path: get(app, path) for path in paths} == {path: get(fresh, path) for path in paths}
    rules = [sorted(str(rule) for rule in each.url_map.iter_rules()) for each in (app, fresh)]
    assert rules[0] == rules[1]
    assert {k: v for k, v in app.view_functions.items() if k != "home"} == {
        k: v for k, v in fresh.view_functions.items() if k != "home"
    }
    assert sorted(map(id, app.before_request_funcs.get(None, []))) == sorted(
        map(id, fresh.before_request_funcs.get(None, []))
    )


# ── A Werkzeug whose private names are others ──


def renamed(*names):
    """Werkzeug's routing, from its own source, with other private names."""
    package = {}
    for module in ("rules", "matcher", "map"):
        spec = importlib.util.find_spec(f"werkzeug.routing.{module}")
        source = re.sub(rf"\b({'|'.join(names)})\b", r"\1_renamed", spec.loader.get_source(spec.name))
        for other in ("rules", "matcher"):
            source = source.replace(f"from .{other} import", f"from renamed_{other} import")
        source = source.replace("from .", "from werkzeug.routing.").replace("werkzeug.routing..", "werkzeug.")
        package[module] = loaded = type(sys)(f"renamed_{module}")
        sys.modules[loaded.__name__] = loaded
        exec(compile(source, spec.origin, "exec"), vars(loaded))
    return package


PRIVATE = ("_matcher", "_rules_by_endpoint", "_root", "_remap", "_parts", "_trace", "_converters", "_build")


@pytest.mark.parametrize("names", [*((name,) for name in PRIVATE), ("dynamic",), ("static",), PRIVATE])
def test_private_names_that_have_changed(names, monkeypatch):
    for name in ("renamed_rules", "renamed_matcher", "renamed_map"):
        monkeypatch.setitem(sys.modules, name, None)
    package = renamed(*names)

    class Host(Flask):
        url_map_class = package["map"].Map
        url_rule_class = package["rules"].Rule

    app = Host("host", static_folder=None)
    app.add_url_rule("/item/<int:n>", "item", lambda n: f"item {n}")
    app.add_url_rule("/socket", "socket", lambda: "x", websocket=True)
    get(app, "/")
    routes = Routes(app)
    used = {"_matcher", "_rules_by_endpoint", "_root", "dynamic", "static"}
    assert bool(routes.degraded) == bool(used & set(names))
    one = full("one")
    swap(routes, None, one)[0].retire()
    _, undo = swap(routes, one, full("two"))
    assert get(app, "/probe/") == "two-before:two:two"
    assert (get(app, "/item/3"), get(app, "/socket")) == ("item 3", 400)
    undo()
    assert get(app, "/probe/") == "one-before:one:one"
    swap(routes, one, None)[0].retire()
    assert leftovers(app) == []
