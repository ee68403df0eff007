"""An application that keeps something: it is healthy while its table is there."""

import os
import signal
import sqlite3
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Counts the notes."""

    def do_GET(self) -> None:
        """Answer every path alike."""
        db = sqlite3.connect("data/prod.db", timeout=30)
        count = db.execute("SELECT count(*) FROM notes").fetchone()[0]
        db.close()
        body = f"{count} notes\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
ThreadingHTTPServer(
    (os.environ["HOST"], int(os.environ["PORT"])), Handler
).serve_forever()
