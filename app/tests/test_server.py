"""The real server, as the container starts it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest

APP = Path(__file__).resolve().parent.parent
PATIENCE = 30


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`python -m tarot` in a process of its own."""

    def __init__(self, environ, tmp_path, code=APP, **variables):
        self.port = free_port()
        self.environ = environ | {
            "PATH": os.environ["PATH"],
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "TMPDIR": str(tmp_path),
            "PYTHONPATH": str(code),
            "PYTHONDONTWRITEBYTECODE": "1",
            "ENABLE_TEST_ENDPOINTS": "true",
            **variables,
        }
        self.log = (tmp_path / "log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tarot"], env=self.environ, stdout=self.log, cwd=code
        )

    def get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()

    def wait(self, condition) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.lines()
            try:
                if condition():
                    return
            except OSError:
                pass
            time.sleep(0.05)
        pytest.fail(f"waited in vain: {self.lines()}")

    def healthy(self) -> bool:
        return self.get("/health")[0] == 200

    def lines(self) -> list[dict]:
        self.log.seek(0)
        return [json.loads(line) for line in self.log.read().splitlines()]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@pytest.fixture
def server(environ, tmp_path):
    started = []

    def start(**variables):
        started.append(Server(environ, tmp_path, **variables))
        started[-1].wait(started[-1].healthy)
        return started[-1]

    yield start
    for one in started:
        one.process.kill()
        one.process.wait()
        one.log.close()


@pytest.mark.parametrize("workers", ["1", "3"])
def test_sigterm_drains(server, workers):
    running = server(WORKERS=workers)
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(running.get("/api/v1/debug/slow?seconds=2")))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.7)
    started = time.monotonic()
    running.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    with pytest.raises(ConnectionRefusedError):
        running.get("/health")
    for thread in threads:
        thread.join()
    assert [status for status, _ in answers] == [200] * 6
    assert running.process.wait(PATIENCE) == 0
    assert time.monotonic() - started < 5
    assert all(line["time"].endswith("Z") for line in running.lines())


def test_an_idle_worker_sleeps(server):
    running = server()
    switches = Path(f"/proc/{running.process.pid}/status")

    def woken() -> int:
        text = switches.read_text()
        return int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0])

    before = woken()
    time.sleep(3)
    assert woken() - before <= 2  # uvicorn's own loop: 30
    assert running.stop() == 0


def test_answers_have_the_time(server):
    connection = http.client.HTTPConnection("127.0.0.1", server().port, timeout=PATIENCE)
    connection.request("GET", "/health")
    (told,) = connection.getresponse().headers.get_all("Date")
    assert abs((datetime.now(UTC) - parsedate_to_datetime(told)).total_seconds()) < PATIENCE


def test_sigterm_ends_in_time(server):
    running = server(WORKERS="2", GRACEFUL_TIMEOUT="1")
    thread = threading.Thread(target=lambda: running.get("/api/v1/debug/slow?seconds=20"))
    thread.start()
    time.sleep(0.7)
    started = time.monotonic()
    assert running.stop() == 0
    assert time.monotonic() - started < 4
    thread.join()


def test_a_dead_worker_is_replaced(server):
    running = server(WORKERS="2")

    def started():
        lines = [line for line in running.lines() if line["message"] == "worker started"]
        return [line["worker"] for line in lines]

    os.kill(started()[0], signal.SIGKILL)
    running.wait(lambda: len(started()) == 3 and running.healthy())
    _, text = running.get("/metrics")
    assert b"http_requests_in_progress 1.0" in text
    assert running.stop() == 0


def test_keep_alive_answers_without_delay(server):
    running = server(WORKERS="2")
    connection = http.client.HTTPConnection("127.0.0.1", running.port)
    times = []
    for _ in range(20):
        started = time.monotonic()
        connection.request("GET", "/api/v1/cards/the-fool")
        connection.getresponse().read()
        times.append(time.monotonic() - started)
    # With Nagle's algorithm all but the first few take 40 ms.
    assert sorted(times)[10] < 0.035


def test_proxy_headers_from_the_network_only(server):
    for networks, expected in (("127.0.0.0/8", "203.0.113.9"), ("10.0.0.0/8", "127.0.0.1")):
        running = server(FORWARDED_ALLOW_IPS=networks)
        connection = http.client.HTTPConnection("127.0.0.1", running.port)
        # The first address is the client's invention, the last one the proxy's observation.
        headers = {"X-Forwarded-For": "1.2.3.4, 203.0.113.9"}
        connection.request("GET", "/api/v1/daily", headers=headers)
        connection.getresponse().read()
        connection.close()
        assert running.stop() == 0
        lines = [line for line in running.lines() if line.get("path") == "/api/v1/daily"]
        assert lines[0]["client"] == expected


def test_reload(server, tmp_path):
    code = tmp_path / "app"
    (code / "static").mkdir(parents=True)
    subprocess.run(["cp", "-r", str(APP / "tarot"), str(code)], check=True)
    running = server(code=code, DEBUG="true", STATIC_DIR=str(code / "static"))
    module = code / "tarot" / "routes" / "daily.py"
    text = module.read_text()
    module.write_text("this is not Python")
    running.wait(lambda: any(line["message"] == "worker died" for line in running.lines()))
    module.write_text(text.replace('{"date"', '{"changed": 1, "date"'))
    running.wait(lambda: b'"changed":1' in running.get("/api/v1/daily")[1])
    assert running.stop() == 0


def test_health_check(server):
    running = server()

    def check() -> tuple[int, str]:
        command = ["bash", str(APP / "healthcheck.sh")]
        result = subprocess.run(command, env=running.environ, capture_output=True, text=True)
        return result.returncode, result.stdout

    code, told = check()
    assert (code, json.loads(told)["status"]) == (0, "ok")
    path = Path(running.environ["DATABASE_URL"].removeprefix("sqlite:///"))
    path.rename(path.with_suffix(".away"))
    code, told = check()
    assert code == 1
    assert json.loads(told)["status"] != "ok"
    running.stop()
    assert check() == (1, f"no connection to 127.0.0.1:{running.environ['PORT']}\n")


def test_settings_errors_are_told(environ, tmp_path):
    command = [sys.executable, "-m", "tarot", "serve"]
    variables = environ | {"PATH": os.environ["PATH"], "PORT": "x", "PYTHONPATH": str(APP)}
    result = subprocess.run(command, env=variables, cwd=APP, capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr == "settings: PORT='x': allowed is a whole number from 1 to 65535\n"


def test_migrate_command(environ, tmp_path):
    variables = {"DATABASE_URL": environ["DATABASE_URL"], "PYTHONPATH": str(APP)}
    command = [sys.executable, "-m", "tarot", "migrate"]
    result = subprocess.run(
        command, env=variables | {"PATH": os.environ["PATH"]}, cwd=APP, capture_output=True
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["revision"] == "0002"
    assert Path(environ["DATABASE_URL"].removeprefix("sqlite:///")).exists()
