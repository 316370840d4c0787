"""Failures at any step of the engine, one at a time."""

import sys

from backend.plugin_manager import plugin_manager

ERRORS = {"RuntimeError": RuntimeError, "SystemExit": SystemExit}
_undo = []


def bridge():
    """The service of the bridge in this server."""
    return plugin_manager._modules["evonic_lsp"]._service


def kinds():
    """The names of all kinds of registration, in their order."""
    return [kind.name for kind in bridge().engine.kinds]


def inject(method, error, kind=None, after=False):
    """From now on `method` of a kind fails, or the step of that name where no kind is given: before it does its
    work, or `after`. The kind ``"end"`` is one behind all others."""
    failure = ERRORS[error]
    if kind is None:
        _patch_step(method, failure, after)
    elif kind == "end":
        _append_kind(method, failure)
    else:
        _patch_kind(next(each for each in bridge().engine.kinds if each.name == kind), method, failure, after)
    return True


def heal():
    """Takes back all failures."""
    while _undo:
        _undo.pop()()
    return True


def _patch_step(name, failure, after):
    run = sys.modules[type(bridge().engine).__module__].Run
    step = run.step

    def failing(self, this, action):
        if this == name and not after:
            raise failure("injected")
        result = step(self, this, action)
        if this == name:
            raise failure("injected")
        return result

    run.step = failing
    _undo.append(lambda: setattr(run, "step", step))


def _patch_kind(kind, method, failure, after):
    work = getattr(kind, method)

    def failing(*args):
        if after:
            list(work(*args) or ())
        raise failure("injected")

    setattr(kind, method, failing)
    _undo.append(lambda: delattr(kind, method))


def _append_kind(method, failure):
    engine = bridge().engine
    base = next(each for each in type(engine.kinds[0]).__mro__ if each.__name__ == "Kind")

    def failing(*args):
        raise failure("injected")

    last = type("Last", (base,), {"name": "end", "commit": lambda *args: lambda: None, method: failing})
    engine.kinds.append(last(engine.host))
    _undo.append(engine.kinds.pop)
