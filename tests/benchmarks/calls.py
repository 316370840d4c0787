"""What counting costs: microseconds that a watched call takes more than a plain one.

Run it: ``python tests/benchmarks/calls.py``. It must stay below 5 µs for each call.
"""

from __future__ import annotations

import sys
import tempfile
import timeit
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Callable

sys.path.insert(0, str(Path(__file__).parents[2]))

from evonic_lsp.bridge.kinds.hooks import HookList
from evonic_lsp.bridge.runtime import Runtime
from evonic_lsp.bridge.watch import EVENT, Watch

CALLS, ROUNDS = 20_000, 15
PLUGIN = """
def on_event(event, sdk):
    pass

def guard(agent, tool, args):
    pass

def fail(event, sdk):
    {}['x']
"""


def microseconds(call: Callable[[], Any]) -> float:
    """The best time of a call: what disturbs it is not its own."""
    return min(timeit.repeat(call, number=CALLS, repeat=ROUNDS)) / CALLS * 1e6


def compare(what: str, plain: Callable[[], Any], watched: Callable[[], Any]) -> None:
    before, after = microseconds(plain), microseconds(watched)
    print(f"{what:<32} plain {before:6.2f} µs   watched {after:6.2f} µs   more {after - before:6.2f} µs")


def survive(call: Callable[..., Any], *arguments: Any) -> None:
    try:
        call(*arguments)
    except KeyError:
        pass


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        watch = Watch(folder)
        hooks = SimpleNamespace()
        host: Any = SimpleNamespace(watch=watch, hooks=hooks, plugins_dir=folder, root=folder)
        Runtime(host, lambda plugin: None, lambda method, params: None, lambda delay, work: True)
        names: dict[str, Any] = {}
        exec(compile(PLUGIN, f"{folder}/probe/handler.py", "exec"), names)
        event, sdk = {"n": 1}, object()
        on_event, guard, fail = names["on_event"], names["guard"], names["fail"]

        compare("an event handler", lambda: on_event(event, sdk), lambda: watch.call(EVENT, "e", on_event, event, sdk))

        guards = HookList(host, "_tool_guards", [guard])
        plain = [guard]

        def dispatch(registry: Any) -> None:
            for each in list(registry):
                each("agent", "tool", {})

        # Whose globals these are is what the registry looks at.
        guards._dispatcher = globals()
        compare("a tool guard", lambda: dispatch(plain), lambda: dispatch(guards))
        compare(
            "a handler that fails, again",
            lambda: survive(fail, event, sdk),
            lambda: survive(watch.call, EVENT, "e", fail, event, sdk),
        )
        counted = watch.counters("probe")
        print(f"{sum(each.calls for each in counted):,} calls of {len(counted)} functions were counted")


if __name__ == "__main__":
    main()
