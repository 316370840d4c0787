"""The requests in flight: those of an old version of a plugin end before what they still need is dropped."""

from __future__ import annotations

import threading
import weakref
from typing import Any, Callable, Collection, Dict, List, NamedTuple

from flask import Flask
from werkzeug.wsgi import ClosingIterator

Environ = Dict[str, Any]


class _Waiting(NamedTuple):
    names: Collection[str]
    requests: List[Environ]
    then: Callable[[], None]


class Requests:
    """Counts the requests of a live application, from the first byte of the answer's making to its last."""

    def __init__(self, app: Flask) -> None:
        self._flying: Dict[int, Environ] = {}
        self._waiting: List[_Waiting] = []
        self._lock = threading.Lock()
        serve = app.wsgi_app

        def counted(environ: Environ, start_response: Any) -> Any:
            with self._lock:
                self._flying[id(environ)] = environ
            try:
                answer = ClosingIterator(serve(environ, start_response), [lambda: self._leave(environ)])
            except BaseException:
                self._leave(environ)
                raise
            # Where the client has gone, Werkzeug's own server does not always close the answer.
            weakref.finalize(answer, self._lost, environ).atexit = False
            return answer

        app.wsgi_app = counted  # type: ignore[method-assign]

    def when_over(self, names: Collection[str], then: Callable[[], None]) -> None:
        """Calls `then` once no request for the blueprints `names` that is in flight now is left: at once, or in the
        thread of the last one. Those that come later do not count."""
        with self._lock:
            waiting = _Waiting(names, list(self._flying.values()), then)
            if _open(waiting):
                self._waiting.append(waiting)
                return
        then()

    def _lost(self, environ: Environ) -> None:
        if id(environ) in self._flying:  # in a thread of its own: the garbage collector runs anywhere
            threading.Thread(target=self._leave, args=[environ], name="evonic-lsp request", daemon=True).start()

    def _leave(self, environ: Environ) -> None:
        with self._lock:
            if self._flying.pop(id(environ), None) is None:
                return
            for waiting in self._waiting:
                waiting.requests[:] = [each for each in waiting.requests if each is not environ]
            over = [waiting for waiting in self._waiting if not _open(waiting)]
            self._waiting = [waiting for waiting in self._waiting if waiting not in over]
        for waiting in over:
            waiting.then()


def _open(waiting: _Waiting) -> bool:
    return any(_belongs(environ, waiting.names) for environ in waiting.requests)


def _belongs(environ: Environ, names: Collection[str]) -> bool:
    request = environ.get("werkzeug.request")
    if request is None:  # so young that nobody knows yet whose it is
        return True
    endpoint = getattr(getattr(request, "url_rule", None), "endpoint", None)
    return isinstance(endpoint, str) and endpoint.partition(".")[0] in names
