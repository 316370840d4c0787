"""What the README promises is there: commands, settings, messages, links, figures."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from evonic_lsp import cli, commands, settings

PROJECT = Path(__file__).parents[2]
README = (PROJECT / "README.md").read_text("utf-8")
PACKAGE = json.loads((PROJECT / "editors" / "vscode" / "package.json").read_text("utf-8"))
BRIDGE = json.loads((PROJECT / "evonic_lsp" / "bridge" / "plugin.json").read_text("utf-8"))
PAGES = ["README.md", "editors/README.md", "evonic_lsp/README.md", "evonic_lsp/how-a-reload-works.md"]


def table(title: str) -> list[list[str]]:
    """The rows of the first table under a heading, without its head."""
    section = README.partition(f"\n## {title}\n")[2]
    rows = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert rows, title
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows.group().splitlines()[2:]]


def test_every_command_is_there():
    shell, editor, inside = ("\n".join(column) for column in list(zip(*table("Commands")))[:3])
    assert set(re.findall(r"`(?:evonic-lsp )?([a-z-]+)[^`]*`", shell)) == set(cli.main.commands)
    assert set(re.findall(r"`evonic\.(\w+)`", editor)) == set(commands.NAMES)
    (hotreload,) = BRIDGE["cli_commands"]
    assert set(re.findall(r"hotreload (\w+)", inside)) == {each["name"] for each in hotreload["subcommands"]}


def test_every_setting_is_there():
    named = {row[0].strip("`"): row[1].strip("`") for row in table("Settings")}
    declared = {}
    for part in PACKAGE["contributes"]["configuration"]:
        declared.update(part["properties"])
    assert set(declared) == {f"evonic.{name}" for name in named}
    ours = {name: getattr(settings.Settings, attribute) for name, (attribute, *_) in settings._SETTINGS.items()}
    assert set(ours) <= set(named)
    for name, default in ours.items():
        assert named[name] == ("found out" if default is None else str(default).replace("True", "true"))


def test_every_message_that_is_explained_is_one_of_ours():
    sources = "\n".join(file.read_text("utf-8") for file in (PROJECT / "evonic_lsp").rglob("*.py"))
    messages = [text.strip("… ") for row in table("Troubleshooting") for text in re.findall(r"`([^`]+)`", row[0])]
    assert len(messages) >= 5
    assert [message for message in messages if message not in sources] == []


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page):
    text = (PROJECT / page).read_text("utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s#]+)", text) if "://" not in link]
    assert links
    assert [link for link in links if not ((PROJECT / page).parent / link).exists()] == []


def test_the_figures_are_those_of_the_results(tmp_path):
    (tmp_path / "README.md").write_text(README, "utf-8")
    code = (
        "import json, pathlib, sys, readme, report\n"
        "found = json.loads(pathlib.Path('results.json').read_text('utf-8'))\n"
        "readme.write(found, pathlib.Path(sys.argv[1]))\n"
        "assert report.markdown(found) == pathlib.Path('results.md').read_text('utf-8')\n"
    )
    here, tests = PROJECT / "tests" / "benchmarks", PROJECT / "tests"
    command = [sys.executable, "-c", f"import sys; sys.path.append({str(tests)!r})\n{code}", tmp_path / "README.md"]
    done = subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "README.md").read_text("utf-8") == README
