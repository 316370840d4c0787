"""The web server. Run as ``python app.py``, or imported by ``./evonic start``."""

import os
import time

import config
from flask import Flask, abort, jsonify, render_template, request
from jinja2 import ChoiceLoader, FileSystemLoader

config.configure_logging()

from backend.plugin_lifecycle import PLUGINS_DIR  # noqa: E402
from backend.plugin_manager import plugin_manager  # noqa: E402
from backend.scheduler import scheduler  # noqa: E402
from backend.version import get_version  # noqa: E402

_started = time.monotonic()
app = Flask(__name__)
_folders = [os.path.join(PLUGINS_DIR, name, "templates") for name in sorted(os.listdir(PLUGINS_DIR))]
app.jinja_loader = ChoiceLoader(
    [app.jinja_loader, FileSystemLoader([each for each in _folders if os.path.isdir(each)])]
)

for _blueprint in plugin_manager.get_blueprints().values():
    app.register_blueprint(_blueprint)
scheduler.start()


@app.route("/api/health")
def health():
    """Whether the server lives."""
    return jsonify(status="ok", uptime=round(time.monotonic() - _started, 1), version=get_version())


@app.route("/")
def index():
    """All plugins, with a switch each, and the dashboard cards."""
    plugins = plugin_manager.list_plugins()
    cards = plugin_manager.get_dashboard_cards()
    links = plugin_manager.get_nav_items()
    return render_template("index.html", plugins=plugins, cards=cards, links=links, version=get_version())


@app.route("/api/plugins")
def list_plugins():
    """All plugins."""
    return jsonify(plugins=plugin_manager.list_plugins())


@app.route("/api/plugins/<plugin_id>/toggle", methods=["PUT"])
def toggle_plugin(plugin_id):
    """Switches a plugin: ``{"enabled": true}``."""
    result = plugin_manager.set_plugin_enabled(plugin_id, bool(request.get_json().get("enabled", True)))
    return (jsonify(result), 400) if "error" in result else jsonify(success=True, plugin=result)


@app.route("/api/plugins/<plugin_id>/logs")
def plugin_logs(plugin_id):
    """The log of a plugin."""
    if plugin_manager.get_plugin(plugin_id) is None:
        abort(404)
    return jsonify(logs=plugin_manager.get_logs(plugin_id))


if __name__ == "__main__":
    print(f"Sandbox host {get_version()} on http://{config.HOST}:{config.PORT}", flush=True)
    app.run(host=config.HOST, port=config.PORT, debug=config.DEBUG, use_reloader=False)
