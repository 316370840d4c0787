"""All plugins that come with the host: enabled, reloaded and timed."""

from __future__ import annotations

import pytest
from engine.conftest import Observed

OURS = {"evonic_lsp", "inspector", "observer"}
ROUNDS = 2


@pytest.fixture
def bundled(kind, watched_root):
    """A host with all of them on, from its start; and their ids."""
    running = Observed(watched_root(kind)).start()
    ids = sorted(folder.parent.name for folder in running.root.glob("plugins/*/plugin.json"))
    ids = [each for each in ids if each not in OURS]
    for plugin in ids:
        assert running.host.inspect("toggle", plugin=plugin, enabled=True)
    running.stop()
    running.start()
    yield running, ids
    running.stop()


def test_every_bundled_plugin_reloads(kind, bundled):
    observed, ids = bundled
    before = {plugin: observed.observe("contents", plugin=plugin) for plugin in ids}
    commands = observed.host.inspect("registries")["commands"]
    rows = []
    for _ in range(ROUNDS):
        for plugin in ids:
            outcome = observed.reload(plugin)
            assert [each.message for each in outcome.problems if each.severity == "error"] == []
            rows.append((plugin, outcome))
    steps = list(rows[0][1].timings)
    print(f"\n[{kind}] {'plugin':20}" + "".join(f"{step:>10}" for step in ["total", *steps]) + "  ms")
    for plugin, outcome in rows:
        times = [outcome.duration_ms, *(outcome.timings.get(step, 0.0) for step in steps)]
        print(f"[{kind}] {plugin:20}" + "".join(f"{each:10.1f}" for each in times))
    for plugin in ids:
        after = observed.observe("contents", plugin=plugin)
        # What the host's own load has under other names.
        left_out = ("sys.modules", "staged", "plugins", "loggers", "_modules", "commands")
        changed = {name for name in after if name not in left_out and after[name] != before[plugin][name]}
        assert changed == set(), (plugin, changed)
    assert observed.host.inspect("registries")["commands"] == commands
    assert len(observed.client.status().plugins) >= len(ids)
