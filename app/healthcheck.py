"""The container's health check: is /health's answer 200?

It runs every few seconds in every container, so it imports nothing but the socket module and
is started with `python -SsE`, which skips site-packages; it takes some 20 ms.
"""

import os
import socket
import sys

# The server promises an answer within one second.
TIMEOUT = 3


def main() -> int:
    """Ask once; returns the exit code."""
    host = os.environ.get("HOST") or "0.0.0.0"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    port = int(os.environ.get("PORT") or 8000)
    try:
        with socket.create_connection((host, port), TIMEOUT) as connection:
            connection.settimeout(TIMEOUT)
            connection.sendall(b"GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n")
            answer = b""
            while part := connection.recv(4096):
                answer += part
    except OSError as error:
        print(f"no answer from {host}:{port}: {error}")
        return 1
    # `docker inspect` shows the body.
    print(answer.partition(b"\r\n\r\n")[2].decode(errors="replace"))
    return 0 if answer.split(b" ", 2)[1:2] == [b"200"] else 1


if __name__ == "__main__":
    sys.exit(main())
