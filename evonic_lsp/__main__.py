"""``python -m evonic_lsp``: the same as ``evonic-lsp``."""

from evonic_lsp.cli import main

if __name__ == "__main__":
    main(prog_name="evonic-lsp")
