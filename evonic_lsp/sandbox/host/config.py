"""Settings of the host, from the environment."""

import logging
import os

ROOT = os.path.dirname(os.path.abspath(__file__))
HOST = os.environ.get("HOST", "127.0.0.1")
PORT = int(os.environ.get("PORT", "8080"))
DEBUG = os.environ.get("DEBUG", "0") == "1"
DB_PATH = os.path.join(ROOT, "data", "db", "evonic.db")
RUN_DIR = os.path.join(ROOT, "run")


def configure_logging():
    """Everything from INFO on goes to stderr."""
    logging.basicConfig(level=logging.INFO, format="[%(levelname)s] [%(name)s] %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
