"""What the extension's README tells of commands and settings is what its manifest says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

EXTENSION = Path(__file__).parents[2] / "editors" / "vscode"
MANIFEST: dict[str, Any] = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))
README = (EXTENSION / "README.md").read_text(encoding="utf-8")
CONTRIBUTES = MANIFEST["contributes"]
SETTINGS = {key: each for group in CONTRIBUTES["configuration"] for key, each in group["properties"].items()}


def rows(heading: str) -> list[list[str]]:
    """The table under a heading, without its head."""
    section = README.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_command_of_the_palette_by_its_title() -> None:
    hidden = {each["command"] for each in CONTRIBUTES["menus"]["commandPalette"] if each["when"] == "false"}
    offered = {
        f"`{each['command']}`": f"{each['category']}: {each['title']}"
        for each in CONTRIBUTES["commands"]
        if each["command"] not in hidden
    }
    assert {command: title for title, command, _ in rows("Commands")} == offered


def test_every_setting_with_its_default() -> None:
    assert {name: default for name, default, _ in rows("Settings")} == {
        f"`{key}`": f"`{json.dumps(each['default'])}`" for key, each in SETTINGS.items()
    }


def test_the_settings_that_no_workspace_has_a_say_in() -> None:
    told = README.split(" are yours:")[0].split("\n\n")[-1]
    assert set(re.findall(r"`([^`]+)`", told)) == {
        key for key, each in SETTINGS.items() if each.get("scope") == "machine"
    }


def test_versions() -> None:
    changes = (EXTENSION / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"(?m)^## (\S+)", changes)[0] == MANIFEST["version"]
    assert f"code --install-extension evonic-lsp-{MANIFEST['version']}.vsix " in README
    assert MANIFEST["engines"]["vscode"].removeprefix("^").rsplit(".", 1)[0] in README
