"""Imported in the middle of a request."""

from plugins.everything.db import VERSION, store

__all__ = ["ROWS", "VERSION"]
ROWS = len(store.rows)
