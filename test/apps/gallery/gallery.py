"""A gallery: photos in a folder, what they show in SQLite, settings from the environment."""

import getpass
import json
import logging
import os
import signal
import sqlite3
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

VERSION = 1
HERE = Path(__file__).parent
MEDIA = HERE / "media"
CACHE = HERE / "cache"
SECRET = os.environ["GALLERY_SECRET"]
SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "gallery.example").split(",")
DEBUG = bool(os.environ.get("DEBUG"))  # as many have it
logging.basicConfig(level=os.environ.get("LOG_LEVEL", "INFO"))


def database() -> sqlite3.Connection:
    """Open the database, and make its table if it is new."""
    connection = sqlite3.connect(os.environ.get("GALLERY_DB", "gallery.db"), timeout=10)
    connection.execute("CREATE TABLE IF NOT EXISTS photos (name TEXT PRIMARY KEY, shows TEXT)")
    return connection


class Handler(BaseHTTPRequestHandler):
    """Answers as the site, and to its names alone."""

    def answer(self, status: int, body: object = None, **headers: str) -> None:
        """Send an answer."""
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def known(self) -> bool:
        """Refuse other hosts."""
        if self.headers.get("Host", "").split(":")[0] in ALLOWED_HOSTS:
            return True
        self.answer(400, "unknown host")
        return False

    def do_GET(self) -> None:
        """Health, a photo, or what the gallery knows of itself."""
        if not self.known():
            return
        if self.path == "/healthz/":
            with database() as connection:
                connection.execute("SELECT 1")
            self.answer(200, "well")
        elif self.path == "/healthz":
            self.answer(301, Location="/healthz/")
        elif self.path.startswith("/photos/"):
            name = Path(self.path).name
            with database() as connection:
                row = connection.execute("SELECT shows FROM photos WHERE name = ?", (name,)).fetchone()
            if row is None:
                self.answer(404, "no such photo")
                return
            self.answer(200, {"shows": row[0], "photo": (MEDIA / name).read_text()})
        elif self.path == "/":
            (CACHE / "thumbnail").write_text("x")
            self.answer(
                200,
                {
                    "version": VERSION,
                    "secret": SECRET,
                    "key": SECRET_KEY,
                    "debug": DEBUG,
                    "greeting": os.environ.get("GREETING"),
                    "static_url": os.environ.get("STATIC_URL"),
                    "uid": os.getuid(),
                    "home": str(Path.home()),
                    "user": getpass.getuser(),
                },
            )
        else:
            self.answer(404, "nothing is here")

    def do_POST(self) -> None:
        """Take a photo."""
        if not self.known():
            return
        photo = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        (MEDIA / photo["name"]).write_text(photo["photo"])
        with database() as connection:
            connection.execute(
                "INSERT INTO photos VALUES (?, ?)", (photo["name"], photo["shows"])
            )
        self.answer(201, Location=f"/photos/{photo['name']}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    ThreadingHTTPServer(("0.0.0.0", 5000), Handler).serve_forever()
