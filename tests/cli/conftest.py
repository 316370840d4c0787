"""A folder that looks like an Evonic; a running host; the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from cli_helpers import STUB, FakeHost
from click.testing import CliRunner, Result

from evonic_lsp.cli import main


@pytest.fixture(autouse=True)
def runtime_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Ours alone; and a current folder that lies in no Evonic."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "rt"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path / "rt" / "evonic-lsp"


@pytest.fixture
def make_root(tmp_path: Path) -> Callable[[str], Path]:
    """make_root(name) -> the root of a stub Evonic."""

    def make(name: str) -> Path:
        root = tmp_path / name
        (root / "backend").mkdir(parents=True)
        (root / "plugins").mkdir()
        (root / "app.py").touch()
        (root / "backend" / "plugin_manager.py").touch()
        (root / "evonic").write_text(STUB)
        (root / "evonic").chmod(0o755)
        return root

    return make


@pytest.fixture
def root(make_root: Callable[[str], Path]) -> Path:
    return make_root("evonic")


@pytest.fixture
def host(root: Path):
    fake = FakeHost(root)
    fake.listener.start()
    yield fake
    fake.listener.stop()


@pytest.fixture
def run() -> Callable[..., Result]:
    """run(*arguments) -> click's result: exit_code, stdout, stderr. An exception of ours fails the test."""

    def invoke(*arguments: object) -> Result:
        result = CliRunner().invoke(main, [str(each) for each in arguments], prog_name="evonic-lsp")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        return result

    return invoke
