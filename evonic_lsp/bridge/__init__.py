"""The bridge: an Evonic plugin that reloads the others. Installed into ``plugins/evonic_lsp/``."""
