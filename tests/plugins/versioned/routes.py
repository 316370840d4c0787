"""Answers with the versions of all that a request has met, and some that only this version has."""

from flask import Blueprint, g, jsonify, render_template

from . import handler

VERSION = 1
bp = Blueprint("versioned", __name__, template_folder="templates")


class Failure(Exception):
    version = VERSION


def met():
    return [*g.versions, VERSION, *handler.versions()]


@bp.before_request
def begin():
    g.versions = [VERSION, *handler.versions()]


@bp.after_request
def end(response):
    response.headers["X-Versions"] = repr(met())
    return response


@bp.context_processor
def context():
    return {"met": met}


@bp.errorhandler(Failure)
def failed(error):
    return jsonify([*met(), error.version]), 418


@bp.route("/plugin/versioned/version")
def version():
    return jsonify(met())


@bp.route("/plugin/versioned/item/<int:number>", methods=["GET", "POST"])
def item(number):
    return jsonify(met())


@bp.route("/plugin/versioned/page")
def page():
    return render_template("versioned.html")


@bp.route("/plugin/versioned/fail")
def fail():
    raise Failure


@bp.route("/plugin/versioned/wait/<gate>")
def wait(gate):
    return jsonify([*handler.passing(gate), *met()])


bp.add_url_rule(f"/plugin/versioned/only/{VERSION}", f"only_{VERSION}", version)


def create_blueprint():
    return bp
