"""An application that tells what it was deployed with."""

import json
import os
import signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Tells the same on every path."""

    def do_GET(self) -> None:
        """Answer every path alike."""
        body = json.dumps({k: os.environ.get(k) for k in ("DATABASE_URL", "GREETING", "RELEASE")})
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
