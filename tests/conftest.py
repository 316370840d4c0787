"""What the suites share: which hosts to run against, and a runtime directory of their own."""

from __future__ import annotations

import os

import pytest
from windows import window  # noqa: F401 - a fixture for all suites

# Some shells set it, and then the faults of reloading hide.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for `kind` runs against the sandbox and, where EVONIC_ROOT is set, the real Evonic."""
    if "kind" in metafunc.fixturenames:
        unset = pytest.mark.skipif(
            not os.environ.get("EVONIC_ROOT"), reason="EVONIC_ROOT is unset: not run against the real Evonic"
        )
        real = pytest.param("evonic", marks=[pytest.mark.evonic, unset])
        metafunc.parametrize("kind", ["sandbox", real], scope="session")
