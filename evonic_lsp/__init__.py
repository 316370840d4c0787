"""Save a file of an Evonic plugin, and the running Evonic serves the new code a moment later."""

from evonic_lsp.bridge.wire import VERSION as __version__

__all__ = ["__version__"]
