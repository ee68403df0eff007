"""A Valkey for tests: a real socket, the real protocol (RESP2), and the few commands that the
application uses, with the answers and the errors of Valkey 9.1. The tests have no network and
the development image has no Valkey, so that is what they all talk to, always."""

import socketserver
import threading
import time

PASSWORD = "a word"
USER = "app"
OOM = b"-OOM command not allowed when used memory > 'maxmemory'.\r\n"
NOPERM = b"-NOPERM User app has no permissions to run the '%s' command\r\n"


class Valkey(socketserver.ThreadingTCPServer):
    """Listens from its making to `stop`. Its behaviour may be changed while it runs."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, port: int = 0, behaviour: str = "works") -> None:
        # works, silent (takes all, answers nothing), closes (each connection, at once),
        # garbage, full (noeviction), forbids (this user may only read)
        self.behaviour = behaviour
        self.passwords = {PASSWORD}
        self.kept: dict[bytes, bytes] = {}
        self.seconds: dict[bytes, int] = {}
        self.commands: list[bytes] = []
        self._open = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Connection)
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"redis://{USER}:{PASSWORD.replace(' ', '%20')}@127.0.0.1:{self.port}"

    def process_request(self, request, client_address):
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request, client_address):
        """A client that is gone is no error."""

    def stop(self) -> None:
        """As a kill does: the port refuses, and open connections end."""
        self.shutdown()
        self.server_close()
        for request in list(self._open):
            self.shutdown_request(request)

    def refusal(self, name: bytes) -> bytes | None:
        """Why a command is not run; None: it is."""
        if self.behaviour == "full" and name in (b"set", b"incrby"):
            return OOM  # EXPIRE takes no memory
        if self.behaviour == "forbids" and name in (b"set", b"incrby", b"expire"):
            return NOPERM % name
        return None

    def run(self, name: bytes, words: list[bytes]) -> bytes:
        """The answer to a command of somebody who has logged in."""
        if refused := self.refusal(name):
            return refused
        with self._lock:
            self.commands.append(name)
            if name == b"ping":
                return b"+PONG\r\n"
            if name == b"get":
                value = self.kept.get(words[0])
                return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)
            if name == b"set":
                self.kept[words[0]] = words[1]
                self.seconds[words[0]] = int(words[3])
                return b"+OK\r\n"
            if name == b"incrby":
                self.kept[words[0]] = b"%d" % (int(self.kept.get(words[0], b"0")) + int(words[1]))
                return b":" + self.kept[words[0]] + b"\r\n"
            if name == b"expire":
                self.seconds[words[0]] = int(words[1])
                return b":1\r\n"
        return b"-ERR unknown command '%s'\r\n" % name


class _Connection(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        known, queued, spoiled = False, None, False
        while words := self._command():
            name, behaviour = words.pop(0).lower(), self.server.behaviour
            if behaviour == "closes":
                return
            if behaviour == "silent":
                time.sleep(5)
                return
            if behaviour == "garbage":
                answer = b"HTTP/1.1 400 Bad Request\r\n\r\n"
            elif name == b"auth":
                known = words[0].decode() == USER and words[1].decode() in self.server.passwords
                wrong = b"-WRONGPASS invalid username-password pair or user is disabled.\r\n"
                answer = b"+OK\r\n" if known else wrong
            elif not known:
                answer = b"-NOAUTH Authentication required.\r\n"
            elif name == b"multi":
                queued, spoiled, answer = [], False, b"+OK\r\n"
            elif name == b"exec":
                answer = b"-EXECABORT Transaction discarded because of previous errors.\r\n"
                if not spoiled:
                    answers = [self.server.run(*command) for command in queued]
                    answer = b"*%d\r\n" % len(answers) + b"".join(answers)
                queued = None
            elif queued is not None:
                # What would be refused is refused at once, and spoils the rest.
                refused = self.server.refusal(name)
                spoiled = spoiled or refused is not None
                queued.append((name, words))
                answer = refused or b"+QUEUED\r\n"
            else:
                answer = self.server.run(name, words)
            self.wfile.write(answer)

    def _command(self) -> list[bytes] | None:
        count = self.rfile.readline()
        if not count:
            return None
        words = []
        for _ in range(int(count[1:])):
            length = int(self.rfile.readline()[1:])
            words.append(self.rfile.read(length + 2)[:-2])
        return words
