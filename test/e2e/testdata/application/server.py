"""An application that knows nothing of tarot: the contract, and no library."""

import json
import os
import signal
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    """Tells what the platform has given."""

    def do_GET(self) -> None:
        """Answer every path alike."""
        with open(os.environ["PAYMENT_KEY_FILE"]) as file:
            secret = file.read()
        body = json.dumps(
            {
                "instance": socket.gethostname(),
                "environment": dict(os.environ),
                "secret_length": len(secret),
                "files": sorted(os.listdir("/app/static")),
                "forwarded": self.headers.get("X-Forwarded-Proto"),
                "user": os.getuid(),
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
ThreadingHTTPServer(
    (os.environ["HOST"], int(os.environ["PORT"])), Handler
).serve_forever()
