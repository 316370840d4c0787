"""The demo and the sandbox where something is missing."""

from __future__ import annotations

from evonic_lsp import demo
from evonic_lsp.sandbox import __main__ as sandbox


def test_an_evonic_without_its_environment(run, root):
    (root / "broken").write_text("echo \"ModuleNotFoundError: No module named 'flask'\" >&2; exit 1")
    done = run("demo", "--evonic", root)
    assert done.exit_code == 1
    assert f"`./evonic plugin enable greeting` in {root} failed with exit status 1" in done.stderr
    assert f"cd {root} && python3 -m venv .venv && .venv/bin/pip install -r requirements.txt" in done.stderr
    assert "evonic-lsp-demo-" not in done.stderr  # the copy, which is gone by then


def test_an_evonic_that_cannot_be_copied(run, root):
    (root / "plugins" / "greeting").mkdir()
    done = run("demo", "--evonic", root)
    assert (done.exit_code, f"{root}/plugins/greeting" in done.stderr) == (1, True)


def test_without_flask(run, tmp_path, monkeypatch, capsys):
    for module in (demo, sandbox):
        monkeypatch.setattr(module, "has_flask", lambda: False)
    done = run("demo")
    assert done.exit_code == 1
    assert "pipx install --force '.[demo]'" in done.stderr
    assert sandbox.main([str(tmp_path / "sandbox")]) == 1
    assert "pipx install --force '.[demo]'" in capsys.readouterr().err
    assert not (tmp_path / "sandbox").exists()
