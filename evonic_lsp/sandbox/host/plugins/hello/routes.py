"""The pages of the sample plugin."""

from flask import Blueprint

from . import handler


def create_blueprint():
    blueprint = Blueprint("hello", __name__)

    @blueprint.route("/plugin/hello/")
    def index():
        return handler.greet("web")

    return blueprint
