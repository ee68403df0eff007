"""An application with habits that frameworks have: it wants single addresses in FORWARDED_ALLOW_IPS, as Gunicorn
before 24.1 does, answers to one host name only, and its health check does not look at its data.

With the word migrate it is its own migration, and fails where it does not know the database."""

import ipaddress
import json
import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ALLOWED_HOST = os.environ.get("ALLOWED_HOST", "")


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def say(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        host = self.headers.get("Host", "").partition(":")[0]
        if self.path == "/health" and host == "127.0.0.1":  # the image's own check
            return self.say(200, {})
        if ALLOWED_HOST and host != ALLOWED_HOST:
            return self.say(400, {"error": f"invalid host {host}"})
        trusted = os.environ["FORWARDED_ALLOW_IPS"] == "*"
        return self.say(200, {
            "database": os.environ.get("DATABASE_URL"), "file": open(os.environ["DATABASE_URL_FILE"]).read() if "DATABASE_URL_FILE" in os.environ else None,
            "scheme": self.headers.get("X-Forwarded-Proto") if trusted else "http", "env": os.environ.get("ENV"), "port": os.environ["PORT"],
        })


if __name__ == "__main__":
    if sys.argv[1:] == ["migrate"]:
        sys.exit(0 if os.environ.get("DATABASE_URL", "").startswith("postgresql://") or not ALLOWED_HOST else "no database to migrate")
    for address in os.environ["FORWARDED_ALLOW_IPS"].split(","):
        if address != "*":
            try:
                ipaddress.ip_address(address)
            except ValueError as error:
                sys.exit(f"Error: {error}")
    server = ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print("listening", flush=True)
    server.serve_forever()
