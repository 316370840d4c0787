"""``python -m evonic_lsp.sandbox FOLDER``: makes a sandbox and says how to start it."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import List

from . import NEEDS_FLASK, NotASandbox, create, has_flask


def main(arguments: List[str]) -> int:
    """Runs the command; the exit status is 0, 1 (it could not be made) or 2 (usage)."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m evonic_lsp.sandbox FOLDER", file=sys.stderr)
        return 2
    if not has_flask():
        print(f"error: {NEEDS_FLASK}", file=sys.stderr)
        return 1
    try:
        root = create(Path(arguments[0]).absolute())
    except (NotASandbox, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"A sandbox host is in {root}. Start it:")
    print(f"    cd {shlex.quote(str(root))} && export EVONIC_PYTHON={shlex.quote(sys.executable)}")
    print('    "$EVONIC_PYTHON" -m evonic_lsp install .   # the bridge; `evonic-lsp install` does the same')
    print("    ./evonic plugin enable hello && ./evonic start --port 8080   # then see http://127.0.0.1:8080/")
    print("Then open plugins/hello/handler.py in your editor, and save it.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
