"""Putting the bridge into an Evonic, upgrading it, taking it out; and what the doctor finds."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from cli_helpers import calls, rejected, reloaded, status_of

from evonic_lsp import doctor, install, roots, versions
from evonic_lsp.bridge import rendezvous, wire
from evonic_lsp.bridge.wire import PluginInfo, Problem, WireError

ENABLE = "plugin enable evonic_lsp"
DEAD = 4194305  # above Linux's highest process number


@pytest.fixture
def folder(root: Path) -> Path:
    return root / "plugins" / "evonic_lsp"


def age(folder: Path) -> None:
    """Makes an installed bridge one of another version."""
    (folder / "wire.py").write_text('VERSION = "0.0.1"\n')
    (folder / "gone.py").touch()


# ── Install ──


def test_a_first_install(run, root, folder):
    done = run("install", root)
    assert done.exit_code == 0
    assert done.stdout.startswith(f"installed: evonic-lsp {wire.VERSION} in {folder}, enabled\nnext: start Evonic")
    assert calls(root) == [ENABLE]
    assert install.is_same(folder)
    assert (folder / "kinds" / "base.py").is_file()
    assert not list(folder.rglob("__pycache__"))
    assert sorted(os.listdir(root / "plugins")) == ["evonic_lsp"]


def test_again_is_an_upgrade(run, root, folder):
    assert install.install(root).state == "installed"
    assert install.install(root).state == "unchanged"
    (folder / "client.py").write_text("broken")
    (folder / "__pycache__").mkdir()
    assert install.install(root).state == "refreshed"
    age(folder)
    done = run("install", root)
    assert f"upgraded: evonic-lsp {wire.VERSION} (was 0.0.1)" in done.stdout
    assert install.is_same(folder)
    assert not (folder / "gone.py").exists()
    assert sorted(os.listdir(root / "plugins")) == ["evonic_lsp"]
    assert calls(root) == [ENABLE] * 4


def test_a_folder_with_half_a_bridge_is_replaced(root, folder):
    folder.mkdir()
    (folder / "handler.py").touch()
    assert install.install(root).state == "installed"
    assert install.is_same(folder)


def test_while_evonic_runs_with_the_bridge(run, root, folder, host):
    assert "restart Evonic: the one that runs" in run("install", root).stdout  # written after that host started
    for file in folder.rglob("*.*"):
        os.utime(file, (1, 1))
    done = install.install(root)
    assert (done.state, done.restart) == ("unchanged", False)
    age(folder)
    assert install.install(root).restart


@pytest.mark.parametrize("where", ["run", "shared/run"])
def test_while_evonic_runs_without_the_bridge(root, where):
    (root / where).mkdir(parents=True)
    (root / where / "evonic.pid").write_text(f"{os.getpid()}\n")
    done = install.install(root)
    assert done.restart
    assert f"(pid {os.getpid()})" in done.following
    (root / where / "evonic.pid").write_text(str(DEAD))
    assert not install.install(root).restart
    (root / where / "evonic.pid").write_text("nonsense")
    assert not install.install(root).restart


def test_a_plugins_folder_that_is_a_link(root, tmp_path):
    shared = tmp_path / "shared-plugins"
    (root / "plugins").rename(shared)
    (root / "plugins").symlink_to(shared)
    done = install.install(root)
    assert done.folder == shared / "evonic_lsp"
    assert install.is_same(shared / "evonic_lsp")
    assert (root / "plugins").is_symlink()
    assert install.uninstall(root).removed
    assert list(shared.iterdir()) == []


def test_a_release_layout(make_root, tmp_path):
    release = make_root("app/releases/v2")
    (tmp_path / "app" / "current").symlink_to("releases/v2")
    (tmp_path / "app" / "shared" / "run").mkdir(parents=True)
    (tmp_path / "app" / "shared" / "run" / "evonic.pid").write_text(str(os.getpid()))
    done = install.install(tmp_path / "app")
    assert done.folder == release / "plugins" / "evonic_lsp"
    assert done.restart
    assert calls(release) == [ENABLE]
    assert roots.find_root(tmp_path / "app" / "current" / "plugins") == release


def test_a_developers_link_is_left_alone(run, root, folder, tmp_path):
    (tmp_path / "mine").mkdir()
    folder.symlink_to(tmp_path / "mine")
    done = run("install", root)
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"is a link to {tmp_path / 'mine'}" in done.stderr
    assert list((tmp_path / "mine").iterdir()) == []
    assert calls(root) == []
    folder.unlink()
    folder.symlink_to(tmp_path / "nowhere")
    assert run("install", root).exit_code == 1
    assert not (tmp_path / "nowhere").exists()


def test_a_link_to_this_very_package_is_enabled(root, folder):
    folder.symlink_to(install.SOURCE)
    before = install.contents(install.SOURCE)
    assert install.install(root).state == "linked"
    assert calls(root) == [ENABLE]
    done = install.uninstall(root)
    assert (done.removed, folder.is_symlink()) == (False, True)
    assert install.contents(install.SOURCE) == before


def test_a_file_in_the_way(run, root, folder):
    folder.touch()
    done = run("install", root)
    assert done.exit_code == 1
    assert "is in the way" in done.stderr


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("echo 'Error: no such table'; exit 4", "failed with exit status 4:\n    Error: no such table"),
        ("echo \"ModuleNotFoundError: No module named 'flask'\" >&2; exit 1", ".venv/bin/pip install -r requirements"),
        ("exit 0", "ended without doing it"),
        ("printf 'a \\033[2J b'; exit 1", "a \\x1b[2J b"),
    ],
)
def test_evonics_own_command_line_fails(run, root, folder, fault, told):
    (root / "broken").write_text(fault)
    done = run("install", root)
    assert (done.exit_code, done.stdout) == (1, "")
    assert told in done.stderr
    assert f"`evonic-lsp install {root}` again" in done.stderr
    (root / "broken").unlink()
    assert run("install", root).exit_code == 0
    (root / "broken").write_text(fault)
    done = run("uninstall", root)
    assert done.exit_code == 1
    assert f"rm -r {folder}" in done.stderr
    assert install.is_same(folder)


def test_evonics_own_command_line_cannot_be_run(run, root, monkeypatch):
    (root / "evonic").chmod(0o644)
    done = run("install", root)
    assert done.exit_code == 1
    assert f"chmod +x {root / 'evonic'}" in done.stderr
    (root / "evonic").write_text("#!/bin/sh\nexec sleep 60\n")
    (root / "evonic").chmod(0o755)
    monkeypatch.setattr(install, "_LIMIT", 0.05)
    assert "did not end within 0.05 s" in run("install", root).stderr


def test_a_wait_for_evonics_own_command_line_is_told(root, monkeypatch):
    """As by a plugin that waits when it is loaded: until the wait is told, here."""
    (root / "broken").write_text('while [ ! -f "$root/told" ]; do sleep 0.01; done')
    monkeypatch.setattr(install, "_PATIENCE", 0.05)
    told = []

    def warning(*message):
        told.append(message[0] % message[1:])
        (root / "told").touch()

    monkeypatch.setattr(install._logger, "warning", warning)
    assert install.install(root).state == "installed"
    assert told == [f"waiting for `./evonic {ENABLE}` in {root}, which loads every plugin first (for 120 s at most) …"]


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_no_evonic(run, tmp_path, command):
    done = run(command, tmp_path / "elsewhere")
    assert done.exit_code == 2
    assert "is not an Evonic" in done.stderr
    assert run(command, tmp_path / "nowhere").exit_code == 2
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.skipif(os.getuid() == 0, reason="nothing is read-only for root")
def test_a_plugins_folder_that_cannot_be_written(run, root):
    (root / "plugins").chmod(0o555)
    done = run("install", root)
    (root / "plugins").chmod(0o755)
    assert done.exit_code == 1
    assert "run this as the user that Evonic runs as" in done.stderr


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(28, "No space left on device")])
def test_a_failure_half_way_puts_the_old_bridge_back(run, root, folder, monkeypatch, error):
    install.install(root)
    age(folder)
    before = install.contents(folder)
    rename = os.rename

    def failing(source, target):
        if Path(source).name == "new":
            raise error
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    done = run("install", root)
    assert done.exit_code == 1
    assert error.strerror in done.stderr
    assert install.contents(folder) == before
    assert sorted(os.listdir(root / "plugins")) == ["evonic_lsp"]


def test_what_a_killed_install_left_is_removed(root):
    left = root / "plugins" / f".evonic_lsp-{DEAD}"
    (left / "new").mkdir(parents=True)
    install.install(root)
    assert not left.exists()


# ── Uninstall ──


def test_uninstall(run, root, folder):
    install.install(root)
    leftovers = rendezvous.private_folder(rendezvous.run_dir(root))
    (leftovers / f"host-{DEAD}.sock").touch()
    (leftovers / f"host-{DEAD}.json").touch()
    done = run("uninstall", root)
    assert (done.exit_code, done.stdout) == (0, f"removed: {folder}\nnext: nothing\n")
    assert calls(root) == [ENABLE, "plugin disable evonic_lsp"]
    assert list((root / "plugins").iterdir()) == []
    assert not leftovers.exists()
    done = run("uninstall", root)
    assert (done.exit_code, done.stdout) == (0, f"not removed: {folder}\nnext: nothing: it was not there\n")


def test_uninstall_while_evonic_runs(run, root, host):
    install.install(root)
    assert f"restart Evonic (pid {os.getpid()})" in run("uninstall", root).stdout
    assert len(rendezvous.hosts(root)) == 1


# ── Doctor ──


def marks(root: Path) -> dict[str, str]:
    """Check's text -> its mark."""
    return {check.what: check.mark for check in doctor.checks(root)}


def found(root: Path, part: str) -> doctor.Check:
    (check,) = [check for check in doctor.checks(root) if part in check.what]
    return check


def test_all_is_well(run, root, host):
    install.install(root)
    for file in (root / "plugins").rglob("*.*"):
        os.utime(file, (1, 1))
    host.answers["hotreload/status"] = status_of(root, PluginInfo("kanban", "Kanban", "1", True, True))
    assert set(marks(root).values()) == {"ok"}
    done = run("doctor")  # the only one that runs
    assert (done.exit_code, done.stderr) == (0, "")
    assert "ok   hot reload on save: kanban" in done.stdout
    assert "->" not in done.stdout


def test_nothing_is_installed(run, root):
    done = run("doctor", "--evonic", root)
    assert done.exit_code == 3
    assert f"FAIL the bridge is not installed in {root}/plugins/evonic_lsp\n     -> evonic-lsp install" in done.stdout
    assert "FAIL no running Evonic with the bridge" in done.stdout
    done = run("doctor")
    assert done.exit_code == 3
    assert "-> evonic-lsp install ROOT, then start Evonic" in done.stdout


def test_what_is_to_be_typed_is_quoted(run, make_root):
    root = make_root("a place")
    checks = [check.fix for check in doctor.checks(root) if check.mark == "fail"]
    assert checks == [f"evonic-lsp install '{root}'", f"cd '{root}' && ./evonic start (restart it if it runs)"]
    (root / "evonic").chmod(0o644)
    assert f"`chmod +x '{root}/evonic'`" in run("install", root).stderr


def test_what_is_installed_is_wrong(run, root, folder, host):
    install.install(root)
    (root / "enabled").unlink()
    assert found(root, "disabled in Evonic").fix.endswith("./evonic plugin enable evonic_lsp, then restart Evonic")
    age(folder)
    assert found(root, "is version 0.0.1").fix == f"evonic-lsp install {root}"
    assert run("doctor", "--evonic", root).exit_code == 1
    shutil.rmtree(folder)
    folder.mkdir()
    assert found(root, "is not complete").mark == "fail"
    install.install(root)
    (folder / "client.py").write_text("changed")
    assert found(root, "is not that of this").mark == "warn"
    (root / "broken").write_text("exit 1")
    assert found(root, "failed with exit status 1").mark == "fail"


def test_evonic_runs_without_the_bridge(run, root):
    install.install(root)
    (root / "run").mkdir()
    (root / "run" / "evonic.pid").write_text(str(os.getpid()))
    check = found(root, "but without the bridge")
    assert (check.mark, check.no_host) == ("fail", True)
    assert run("doctor", "--evonic", root).exit_code == 3


def test_the_host_refuses(run, root, host):
    install.install(root)
    host.answers["initialize"] = WireError(wire.WRONG_PROTOCOL, "the other speaks 2")
    check = found(root, "the other speaks 2")
    assert (check.mark, check.fix) == ("fail", f"evonic-lsp install {root}, then restart Evonic")
    assert run("doctor", "--evonic", root).exit_code == 3


def test_the_socket_is_gone(run, root, host):
    install.install(root)
    os.unlink(rendezvous.hosts(root)[0].endpoint[5:])
    check = found(root, "does not answer")
    assert (check.mark, "restart it" in check.fix) == ("fail", True)
    assert run("doctor", "--evonic", root).exit_code == 3


def test_the_switches_and_the_last_outcomes(root, host):
    host.answers["hotreload/status"] = status_of(
        root,
        PluginInfo("kanban", "Kanban", "1", False, True, outcome=rejected()),
        enabled=False,
        degraded=("no templates",),
    )
    told = marks(root)
    assert told["hot reload is off for all plugins"] == "warn"
    assert told["in this Evonic: no templates"] == "warn"
    assert told["kanban is switched off in Evonic"] == "warn"
    assert found(root, "on disk is not what serves").fix == "fix handler.py:3 and save"
    stuck = reloaded(status=wire.STUCK, message="no end", problems=[Problem("stuck", "no end")])
    host.answers["hotreload/status"] = status_of(root, PluginInfo("kanban", "K", "1", True, False, outcome=stuck))
    assert found(root, "on disk is not what serves").fix == "fix it then evonic-lsp reload kanban"
    host.answers["hotreload/status"] = status_of(root)
    assert found(root, "no plugin is reloaded on save").fix == "evonic-lsp hotreload-enable ID"


def test_several_hosts(run, root, host, tmp_path, runtime_dir):
    other = rendezvous.Announcement(1, "0", os.getppid(), str(tmp_path / "other"), "", "unix:/nowhere", 1.0)
    rendezvous.announce(other, [runtime_dir])
    done = run("doctor")
    assert done.exit_code == 3
    assert "several Evonics are running" in done.stdout
    same = rendezvous.Announcement(1, wire.VERSION, os.getppid(), str(root), "", "unix:/nowhere", 1.0)
    rendezvous.announce(same, [runtime_dir])
    assert found(root, "several servers of one Evonic").mark == "warn"


def test_the_runtime_directory_cannot_be_used(root, runtime_dir):
    runtime_dir.parent.mkdir(parents=True)
    runtime_dir.touch()
    told = marks(root)
    assert [mark for what, mark in told.items() if what.startswith("the runtime directory cannot be used")] == ["warn"]
    assert told["no runtime directory: a host is found by its root only"] == "fail"


def test_a_root_too_deep_for_a_socket(make_root, monkeypatch, tmp_path):
    deep = make_root("d" * 110)
    assert f"it goes to {tmp_path}" in found(deep, "too long a path").what or found(deep, "too long").mark == "fail"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / ("r" * 110)))
    assert found(deep, "every possible socket path is too long").mark == "fail"


def test_a_library_is_missing(root, monkeypatch):
    monkeypatch.setattr(versions, "NEEDS", ("click", "no-such-library"))
    check = found(root, "no-such-library")
    assert (check.mark, check.fix) == ("fail", wire.UPGRADE)
