"""A helper module with a class, caches and a logger, as plugins have them."""

import functools
import logging

VERSION = 1
logger = logging.getLogger(__name__)


class Store:
    def __init__(self):
        self.rows = [{"id": number, "title": "x" * 40} for number in range(200)]

    @functools.lru_cache(maxsize=None)  # noqa: B019 - it keeps its instance alive, and must go with it
    def find(self, number):
        return self.rows[number]


store = Store()
store.find(7)
