"""All that a blueprint can bring."""

from flask import Blueprint, g, jsonify, render_template, request, url_for

VERSION = 1


class Failure(Exception):
    pass


def create_blueprint():
    bp = Blueprint("everything", __name__, template_folder="templates", url_prefix="/plugin/everything")
    child = Blueprint("child", __name__, url_prefix="/child")

    @bp.before_request
    def begin():
        g.everything = VERSION

    @bp.after_request
    def end(response):
        response.headers["X-Everything"] = str(g.everything)
        return response

    @bp.teardown_request
    def over(error):
        g.pop("everything", None)

    @bp.before_app_request
    def anywhere():
        g.anywhere = VERSION

    @bp.app_template_filter("everything")
    def doubled(text):
        return f"{text}{VERSION}"

    @bp.app_context_processor
    def context():
        return {"everything": VERSION}

    @bp.errorhandler(Failure)
    def failed(error):
        return jsonify(failed=g.everything), 418

    @bp.route("/")
    def index():
        return render_template("everything.html")

    @bp.route("/fail")
    def fail():
        raise Failure

    @bp.route("/item/<int:number>", methods=["GET", "POST", "DELETE"])
    def item(number):
        from . import late

        return jsonify(version=VERSION, late=late.VERSION, url=url_for(".item", number=number), method=request.method)

    @child.route("/")
    def inner():
        return jsonify(VERSION)

    for number in range(20):
        bp.add_url_rule(f"/more/{number}/<path:rest>", f"more_{number}", lambda rest: rest)
    bp.register_blueprint(child)
    return bp
