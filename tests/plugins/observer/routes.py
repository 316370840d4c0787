"""``POST /plugin/observer/<call>`` runs a function of ``calls.py`` with the JSON body as its arguments."""

from flask import Blueprint, jsonify, request

from . import calls

bp = Blueprint("observer", __name__)


@bp.route("/plugin/observer/<call>", methods=["POST"])
def call(call):
    return jsonify(getattr(calls, call)(**request.get_json()))


@bp.route("/plugin/observer/ping")
def ping():
    return jsonify("pong")


def create_blueprint():
    return bp
