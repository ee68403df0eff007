"""Another web server: it tells what it was asked for. With BROKEN it answers nothing else than that."""

import json
import os
import pathlib
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

VERSION = pathlib.Path(__file__).with_name("VERSION").read_text().strip()


class Server(ThreadingHTTPServer):
    daemon_threads = False  # what has begun is finished
    request_queue_size = 128


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_GET(self):
        if self.path.startswith("/slow"):
            time.sleep(5)
        body = json.dumps({"version": VERSION, "path": self.path, "database": os.environ.get("DATABASE_URL")}).encode()
        self.send_response(500 if os.environ.get("BROKEN") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = Server(("0.0.0.0", int(os.environ["PORT"])), Handler)


def end():
    time.sleep(2)  # in which whoever still knows this one is served
    server.shutdown()


signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=end).start())
server.serve_forever()
server.server_close()
