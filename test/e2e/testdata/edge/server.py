"""What browsers and programs ask of an application, without a library: streams, files,
large and slow requests. It says what it has got, so that dev and prod can be compared."""

import json
import mimetypes
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

STATIC = Path(os.environ.get("STATIC_DIR", "/app/static"))
BEGUN = Path("/app/data/begun")
KINDS = {
    "text": "text/plain; charset=utf-8",
    "json": "application/json",
    "html": "text/html; charset=utf-8",
    "events": "text/event-stream",
}
mimetypes.add_type("text/javascript", ".js")  # since Python 3.12 by itself
mimetypes.add_type("text/javascript", ".mjs")


class Handler(BaseHTTPRequestHandler):
    """Every request has a thread."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args) -> None:
        """Say nothing."""

    def say(self, body, status=200, kind="text/plain; charset=utf-8", **headers) -> None:
        data = body if isinstance(body, bytes) else body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def answer(self) -> None:
        parts = urlsplit(self.path)
        self.query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        first = parts.path.split("/")[1]
        route = getattr(self, "on_" + first, None)
        try:
            if route is None:
                self.say("no such page\n", 404)
            else:
                route(parts.path)
        except ConnectionError:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def body(self):
        """The request's body, piece by piece."""
        if self.headers.get("Transfer-Encoding") == "chunked":
            while size := int(self.rfile.readline(), 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return
        left = int(self.headers.get("Content-Length", 0))
        while left:
            data = self.rfile.read(min(left, 1 << 16))
            if not data:
                raise ConnectionError("cut off")
            left -= len(data)
            yield data

    def on_health(self, path) -> None:
        self.say("ok\n")

    def on_quick(self, path) -> None:
        self.say(f"{sum(map(len, self.body()))}\n")

    def on_large(self, path) -> None:
        self.say("x" * int(self.query["bytes"]), kind="application/json")

    def on_echo(self, path) -> None:
        """The request as it came: with all that nginx adds only where `all` is asked."""
        names = [n for n in self.headers if "all" in self.query or n.lower().startswith(("x-own", "x_own", "accept-l", "cookie"))]
        got = {"path": self.path, "method": self.command, "headers": {n: self.headers[n] for n in names}}
        got["body"] = sum(map(len, self.body()))
        self.say(json.dumps(got), kind="application/json")

    def on_to(self, path) -> None:
        self.say("", 307, Location="/quick", X_Own="kept", Set_Cookie="a=b; Path=/")

    def on_static(self, path) -> None:
        file = STATIC / unquote(path.removeprefix("/static/"))
        if file.is_dir():
            if not path.endswith("/"):
                self.say("", 301, Location=path + "/")
                return
            file /= "index.html"
        if not file.is_file():
            self.say("not here\n", 404)
            return
        kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
        self.say(file.read_bytes(), kind=kind + "; charset=utf-8" if kind.startswith("text/") else kind)

    def on_stream(self, path) -> None:
        self.send_response(200)
        self.send_header("Content-Type", KINDS[path.split("/")[2]])
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for word in b"you will meet a stranger".split():
            self.wfile.write(b"%x\r\n%s\n\r\n" % (len(word) + 1, word))
            time.sleep(0.3)
        self.wfile.write(b"0\r\n\r\n")

    def on_slow(self, path) -> None:
        with BEGUN.open("a") as file:  # which all replicas share
            file.write(self.query["id"] + "\n")
        for _ in self.body():
            pass
        time.sleep(float(self.query["seconds"]))
        self.say("done\n")

    def on_begun(self, path) -> None:
        self.say(str(BEGUN.read_text().split().count(self.query["id"])))

    def on_export(self, path) -> None:
        size = int(self.query["mb"])
        self.send_response(200)
        self.send_header("Content-Type", "application/zip")
        self.send_header("Content-Length", str(size << 20))
        self.end_headers()
        block = os.urandom(1 << 20)
        for _ in range(size):
            self.wfile.write(block)

    def on_cut(self, path) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/zip")
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(bytes(50000))
        self.close_connection = True


class Server(ThreadingHTTPServer):
    """Takes many connections at once."""

    request_queue_size = 128
    daemon_threads = True


server = Server((os.environ["HOST"], int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
