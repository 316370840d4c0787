"""What is published: built, and installed into a clean environment without a network."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from evonic_lsp.bridge import wire

PROJECT = Path(__file__).parents[2]
LIMIT = 100.0


def succeeds(*command: object, cwd: Path = PROJECT) -> str:
    plain = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PIP_INDEX_URL")}
    arguments = [str(each) for each in command]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=LIMIT, cwd=cwd, env=plain)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """A folder with the sdist and the wheel."""
    folder = tmp_path_factory.mktemp("dist")
    succeeds(sys.executable, "-m", "hatchling", "build", "-d", folder)
    return folder


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return sorted(archive.namelist())


def test_the_sdist_makes_the_same_wheel(dist, tmp_path):
    (sdist,) = dist.glob("*.tar.gz")
    (wheel,) = dist.glob("*.whl")
    pip = (sys.executable, "-m", "pip", "wheel", "--no-index", "--no-deps", "--no-build-isolation")
    succeeds(*pip, "-w", tmp_path, sdist)
    (again,) = tmp_path.glob("*.whl")
    assert names(again) == names(wheel)
    held = {each for each in names(wheel) if ".dist-info/" not in each}
    source = subprocess.run(["git", "ls-files", "evonic_lsp"], capture_output=True, text=True, cwd=PROJECT, check=False)
    assert held >= set(source.stdout.split())
    assert {"evonic_lsp/py.typed", "evonic_lsp/plugin.schema.json", "evonic_lsp/bridge/plugin.json"} <= held


def test_the_sdist_is_the_whole_project(dist):
    """Its README has its pictures and links, its Makefile can run every test."""
    (sdist,) = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert {"Makefile", ".ci/run", "editors/demo.svg", "editors/vscode/package-lock.json"} <= held
    assert not [name for name in held if "node_modules/" in name or name.startswith("editors/vscode/bundled/")]
    tracked = subprocess.run(["git", "ls-files"], capture_output=True, text=True, cwd=PROJECT, check=False)
    assert held >= set(tracked.stdout.split())


def test_it_installs_offline_from_a_wheelhouse(dist, tmp_path):
    (wheel,) = dist.glob("*.whl")
    house = tmp_path / "house"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary", ":all:", "-d", str(house), str(wheel)]
    filled = subprocess.run(pip, capture_output=True, text=True, timeout=LIMIT, check=False)
    if filled.returncode != 0:
        pytest.skip(f"no wheelhouse: PyPI is not reached ({filled.stderr.strip().splitlines()[-1:]})")
    succeeds(sys.executable, "-m", "venv", tmp_path / "clean")
    bin = tmp_path / "clean" / "bin"
    succeeds(bin / "pip", "install", "--quiet", "--no-index", "--find-links", house, "evonic-lsp")
    assert succeeds(bin / "evonic-lsp", "--version", cwd=tmp_path).startswith(f"evonic-lsp, version {wire.VERSION}\n")
    ready = "import evonic_lsp.server, evonic_lsp.install as i; print(sorted(i.contents(i.SOURCE))[:1])"
    assert succeeds(bin / "python", "-c", ready, cwd=tmp_path) == "['__init__.py']\n"
