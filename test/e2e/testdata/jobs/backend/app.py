"""POST /jobs puts a job into the queue, GET /jobs tells what has become of all."""

import json
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jobs


class Server(ThreadingHTTPServer):
    daemon_threads = False  # what has begun is finished
    request_queue_size = 128


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def say(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        db = jobs.connect()
        number = db.execute("INSERT INTO jobs DEFAULT VALUES").lastrowid
        db.close()
        self.say(201, {"id": number})

    def do_GET(self):
        if self.path == "/health":
            return self.say(200, {})
        db = jobs.connect()
        stored, done, twice = db.execute("SELECT count(*), sum(state = 'done'), sum(runs > 1) FROM jobs").fetchone()
        by = dict(db.execute("SELECT by, count(*) FROM jobs WHERE state = 'done' GROUP BY by"))
        db.close()
        self.say(200, {"version": jobs.VERSION, "stored": stored, "done": done or 0, "twice": twice or 0, "by": by})


jobs.connect().close()
server = Server((os.environ["HOST"], int(os.environ["PORT"])), Handler)


def end():
    time.sleep(2)  # in which whoever still knows this one is served
    server.shutdown()


signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=end).start())
server.serve_forever()
server.server_close()
