"""The settings table: one SQLite file, shared by the server and every command."""

import os
import sqlite3
from contextlib import closing
from typing import Optional

import config


class Database:
    """Settings by key; a connection for each call, so it works from any thread."""

    def __init__(self, db_path: str = config.DB_PATH) -> None:
        self.db_path = db_path
        os.makedirs(os.path.dirname(db_path), exist_ok=True)
        with closing(self._connect()) as connection, connection:
            connection.execute("CREATE TABLE IF NOT EXISTS app_settings (key TEXT PRIMARY KEY, value TEXT)")

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.db_path, timeout=10)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def get_setting(self, key: str, default: Optional[str] = None) -> Optional[str]:
        """The value of `key`, `default` if it was never set."""
        with closing(self._connect()) as connection:
            row = connection.execute("SELECT value FROM app_settings WHERE key = ?", (key,)).fetchone()
        return default if row is None else row[0]

    def set_setting(self, key: str, value: str) -> None:
        """Sets `key`; seen by every process at once."""
        with closing(self._connect()) as connection, connection:
            connection.execute("REPLACE INTO app_settings (key, value) VALUES (?, ?)", (key, value))


db = Database()
