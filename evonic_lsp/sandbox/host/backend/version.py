"""The version of the host."""

import os

import config


def get_version() -> str:
    """What the file VERSION says."""
    with open(os.path.join(config.ROOT, "VERSION"), encoding="utf-8") as file:
        return file.read().strip()
