"""How a host starts, in both ways, and what a plugin sees of it."""

from __future__ import annotations

import json
import re
import urllib.request


def traces(host, pid):
    lines = (host.root / "plugins" / "trace" / "trace.txt").read_text().splitlines()
    return [each for each in map(json.loads, lines) if each["pid"] == pid]


def test_it_tells_its_health(any_host):
    health = any_host.get("/api/health")
    assert health["status"] == "ok"
    assert health["version"]


def test_a_plugin_is_loaded_before_the_manager_is_there_and_registered_once(any_host):
    loaded, registered = traces(any_host, any_host.process.pid)
    assert loaded["what"] == "loaded"
    assert re.fullmatch(r"plugin_pkg_trace_\d+\.handler", loaded["name"])
    assert loaded["package"] == loaded["name"].rpartition(".")[0]
    assert loaded["manager_is_there"] is False
    # `./evonic start` loads all plugins before it imports the application; in `python app.py` that is `__main__`.
    assert loaded["app_is_there"] is False
    assert registered["what"] == "registered"


def test_where_the_application_is(any_host, look_at):
    found = look_at(any_host)("""
import sys
from flask import current_app
app = current_app._get_current_object()
result = {name: getattr(sys.modules.get(name), "app", None) is app for name in ("__main__", "app")}
result["served"] = app._got_first_request
""")
    assert found == {"__main__": any_host.way == "app", "app": any_host.way == "start", "served": True}


def test_plugins_are_loaded_in_the_order_of_their_names(any_host, look_at):
    order = look_at(any_host)("""
from backend.plugin_manager import plugin_manager
result = list(plugin_manager._modules)
""")
    mine = [each for each in order if each in ("clidemo", "early", "looker", "trace")]
    assert mine == sorted(mine)
    assert len(mine) == 4


def test_a_broken_plugin_keeps_nobody_from_starting(any_host):
    found = any_host.inspect("registries")
    assert "clibroken" not in found["modules"]
    assert "badjson" not in found["modules"]
    assert "looker" in found["modules"]
    assert "Failed to load plugin 'clibroken': broken on purpose" in whole_log(any_host)


def whole_log(host):
    return (host.root / "test-server.log").read_text(errors="replace")


def test_templates_are_those_of_the_folders_that_were_there(host, look):
    render = "from flask import render_template\nresult = render_template(name)"
    with urllib.request.urlopen(f"http://127.0.0.1:{host.port}/plugin/early/page") as answer:
        assert answer.read() == b"the page of early"
    assert look(render, name="early_off.html") == "the page of early_off"  # switched off, and there all the same
    late = host.root / "plugins" / "late" / "templates"
    late.mkdir(parents=True)
    (late / "late.html").write_text("late")
    missing = "from jinja2 import TemplateNotFound\nfrom flask import render_template\n"
    missing += "try: result = render_template(name)\nexcept TemplateNotFound as error: result = [error.name]"
    assert look(missing, name="late.html") == ["late.html"]
    loaders = "from flask import current_app\nloaders = current_app.jinja_loader.loaders\n"
    loaders += "result = [type(each).__name__ for each in loaders]"
    assert look(loaders) == ["FileSystemLoader", "FileSystemLoader"]


def test_a_plugin_that_is_switched_on_later_is_loaded_but_its_routes_are_not_served(host, plugin, look):
    name = plugin(handler="VALUE = 1\n", routes="from flask import Blueprint\n" + RECORDING)
    assert name in host.inspect("registries")["modules"]
    assert name in host.inspect("registries")["blueprints"]
    assert host.status_of(f"/plugin/{name}/x") == 404
    assert look("from flask import current_app\nresult = name in current_app.blueprints", name=name) is False
    module = "from backend.plugin_manager import plugin_manager\nimport sys\n"
    module += "result = sys.modules[plugin_manager._blueprints[name].import_name].RECORDED"
    assert look(module, name=name) == []


RECORDING = """
RECORDED = []
def create_blueprint():
    blueprint = Blueprint(__name__.split(".")[0].replace("plugin_pkg_", ""), __name__)
    blueprint.record(lambda state: RECORDED.append(state.app.name))
    return blueprint
"""


def test_a_request_is_served_within_the_application(host, plugin, look):
    """What a plugin that is switched on from the web page sees at its import."""
    name = plugin(handler="from flask import has_app_context\nSEEN = has_app_context()\n")
    assert (
        look(
            f"from plugins.{name} import handler\nfrom backend.plugin_manager import plugin_manager as m\n"
            "result = m._modules[name].SEEN",
            name=name,
        )
        is True
    )


def test_it_tells_its_version(look):
    assert look("from backend.version import get_version\nresult = get_version()")
