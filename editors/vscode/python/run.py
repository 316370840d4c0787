"""Runs the evonic-lsp that comes with the extension, with whatever Python is there.

The libraries are put on the path here and not by PYTHONPATH, which Evonic's own Python, run by `install`, would
inherit. This file must be readable by any Python, so that an old one can say that it is too old.
"""

import os
import sys

if sys.version_info < (3, 10):
    sys.exit("%s is Python %s; evonic-lsp needs 3.10 or newer" % (sys.executable, sys.version.split()[0]))

sys.path[0] = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libs")

from evonic_lsp.cli import main  # noqa: E402

main(prog_name="evonic-lsp")
