"""Settings: read from the environment once, checked all at once.

Every fault is reported, each with the variable, its value and what is allowed, so that one
look at the log is enough. Secrets come from files and are never part of a message.
"""

import ipaddress
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tarot import addresses
from tarot.addresses import Address, AddressError, SQLiteAddress

CODE = Path(__file__).resolve().parent


class SettingsError(Exception):
    """Says everything that is wrong with the environment."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("\n".join(f"settings: {fault}" for fault in faults))


@dataclass(frozen=True)
class RedisAddress:
    """Where a Valkey or Redis is, and as whom it is asked; None: the default user, no password."""

    host: str
    port: int
    database: int
    username: str | None
    password: str | None = field(repr=False)


@dataclass(frozen=True)
class Settings:
    """What the environment says; see README.md for the meaning of each variable."""

    host: str
    port: int
    workers: int
    database: Address
    debug: bool
    debugger_port: int | None
    log_level: str
    forwarded_allow_ips: tuple[str, ...]
    graceful_timeout: int
    release: str
    static_dir: Path
    static_url: str
    migrate_on_start: bool
    enable_test_endpoints: bool
    jwt_ttl_seconds: int
    db_pool_size: int
    db_max_overflow: int
    db_pool_timeout: int
    db_busy_timeout_ms: int
    db_synchronous: str
    readings_per_minute: int
    redis: RedisAddress | None
    # repr=False: a settings object in a log or a traceback must not tell them.
    jwt_secret_key: str = field(repr=False)
    admin_password: str = field(repr=False)
    instance: str = field(default_factory=socket.gethostname)


def load(environ: Mapping[str, str] | None = None, *, secrets: bool = True) -> Settings:
    """Read and check the environment; raises SettingsError with every fault found.

    A migration job needs no secrets: `secrets=False` leaves them empty.
    """
    read = _Reader(os.environ if environ is None else environ)
    settings = Settings(
        host=read.text("HOST", "0.0.0.0"),
        port=read.integer("PORT", 8000, 1, 65535),
        workers=read.integer("WORKERS", 1, 1, 64),
        database=read.database("DATABASE_URL", "sqlite:///./data/tarot.db"),
        debug=(debug := read.boolean("DEBUG", False)),
        debugger_port=read.optional_port("DEBUGGER_PORT"),
        log_level=read.choice(
            "LOG_LEVEL", "debug" if debug else "info", ("debug", "info", "warning", "error")
        ),
        forwarded_allow_ips=read.networks("FORWARDED_ALLOW_IPS", "127.0.0.1/32"),
        graceful_timeout=read.integer("GRACEFUL_TIMEOUT", 10, 1, 3600),
        release=read.text("RELEASE", "unreleased"),
        static_dir=read.folder("STATIC_DIR", str(CODE.parent / "static")),
        static_url=read.path("STATIC_URL", "/static"),
        migrate_on_start=read.boolean("MIGRATE_ON_START", True),
        enable_test_endpoints=read.boolean("ENABLE_TEST_ENDPOINTS", False),
        jwt_ttl_seconds=read.integer("JWT_TTL_SECONDS", 3600, 60, 86400),
        db_pool_size=read.integer("DB_POOL_SIZE", 5, 1, 100),
        db_max_overflow=read.integer("DB_MAX_OVERFLOW", 10, 0, 100),
        db_pool_timeout=read.integer("DB_POOL_TIMEOUT", 10, 1, 300),
        db_busy_timeout_ms=read.integer("DB_BUSY_TIMEOUT_MS", 10_000, 0, 60000),
        db_synchronous=read.choice("DB_SYNCHRONOUS", "full", ("normal", "full", "extra")),
        readings_per_minute=read.integer("READINGS_PER_MINUTE", 0, 0, 1_000_000),
        redis=read.redis("REDIS_URL") if secrets else None,
        # RFC 7518 asks of an HS256 key to be as long as the hash: 32 bytes.
        jwt_secret_key=read.secret("JWT_SECRET_KEY", 32) if secrets else "",
        admin_password=read.secret("ADMIN_PASSWORD", 8) if secrets else "",
    )
    if read.faults:
        raise SettingsError(read.faults)
    return settings


def load_addresses(environ: Mapping[str, str] | None = None) -> tuple[Address, Address]:
    """The databases to copy from and to; raises SettingsError."""
    read = _Reader(os.environ if environ is None else environ)
    source, target = (read.database(name, None) for name in ("SOURCE_DATABASE_URL", "DATABASE_URL"))
    if read.faults:
        raise SettingsError(read.faults)
    return source, target


class _Reader:
    """Reads variables and collects faults; a faulty one yields a stand-in value.

    An empty variable counts as unset: that is how `docker run -e NAME=` is meant.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.faults: list[str] = []

    def _fault(self, name: str, value: str, allowed: str) -> None:
        self.faults.append(f"{name}={value!r}: allowed is {allowed}")

    def text(self, name: str, default: str) -> str:
        return self._environ.get(name, "").strip() or default

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        value = self.text(name, str(default))
        if value.isascii() and value.isdecimal() and low <= int(value) <= high:
            return int(value)
        self._fault(name, value, f"a whole number from {low} to {high}")
        return default

    def optional_port(self, name: str) -> int | None:
        return self.integer(name, 0, 1, 65535) if self.text(name, "") else None

    def boolean(self, name: str, default: bool) -> bool:
        value = self.text(name, str(default))
        known = {"true": True, "1": True, "false": False, "0": False}
        if value.lower() in known:
            return known[value.lower()]
        self._fault(name, value, "true or false")
        return default

    def choice(self, name: str, default: str, allowed: tuple[str, ...]) -> str:
        value = self.text(name, default)
        if value.lower() in allowed:
            return value.lower()
        self._fault(name, value, "one of " + ", ".join(allowed))
        return default

    def folder(self, name: str, default: str) -> Path:
        value = self.text(name, default)
        if not Path(value).is_dir():
            self._fault(name, value, "a folder that exists")
        return Path(value)

    def path(self, name: str, default: str) -> str:
        value = self.text(name, default)
        if not value.startswith("/") or value.endswith("/"):
            self._fault(name, value, "a path that begins with / and does not end in one")
        return value

    def database(self, name: str, default: str | None) -> Address:
        """The address that NAME has, or else the file that NAME_FILE names; default None: it is
        needed."""
        value = self._either(name)
        if value is None:
            return SQLiteAddress(Path())
        if not (value := value or default or ""):
            self.faults.append(f"{name} is not set: allowed is {addresses.ALLOWED}")
            return SQLiteAddress(Path())
        try:
            return addresses.parse(value)
        except AddressError as error:
            self._fault(name, addresses.scheme(value), str(error))
            return SQLiteAddress(Path())

    def networks(self, name: str, default: str) -> tuple[str, ...]:
        value = self.text(name, default)
        try:
            # Written out canonically: uvicorn takes "10.0.0.1/8" for a host's name, silently.
            parts = [part.strip() for part in value.split(",") if part.strip()]
            return tuple(str(ipaddress.ip_network(part, strict=False)) for part in parts)
        except ValueError:
            self._fault(name, value, "networks in CIDR form, separated by commas")
            return ()

    def redis(self, name: str) -> RedisAddress | None:
        """The address that NAME or NAME_FILE's file has; None: neither is set."""
        value = self._either(name)
        if value is None or not (value or self.text(name + "_FILE", "")):
            return None
        try:
            url = urlsplit(value)
            database = url.path.removeprefix("/") or "0"
            # What a client library would read from ?… is decided here, so it would mean nothing.
            good = url.scheme == "redis" and url.hostname and not url.query and not url.fragment
            if good and database.isascii() and database.isdecimal():
                user, word = (unquote(part or "") or None for part in (url.username, url.password))
                return RedisAddress(url.hostname, url.port or 6379, int(database), user, word)
        except ValueError:  # the port is no number, or too large a one
            pass
        # What stands there may hold a password, so only the scheme is shown.
        self._fault(name, addresses.scheme(value), "redis://USER:PASSWORD@HOST:PORT/DATABASE")
        return None

    def _either(self, name: str) -> str | None:
        """NAME, or else the content of NAME_FILE's file; None after a fault.

        The contract gives both, with the same in them.
        """
        return self.text(name, "") or self._content(name)

    def _content(self, name: str) -> str | None:
        """The content of the file that NAME_FILE names, or NAME itself; None after a fault."""
        path, value = self.text(name + "_FILE", ""), self._environ.get(name, "")
        if path and value:
            self.faults.append(f"{name} and {name}_FILE are both set: allowed is one of them")
            return None
        if path:
            try:
                # The line end is an editor's, not the secret's.
                value = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
            except (OSError, UnicodeError) as error:
                reason = getattr(error, "strerror", None) or "not UTF-8"
                self._fault(name + "_FILE", path, f"a readable text file ({reason})")
                return None
        return value

    def secret(self, name: str, minimum: int) -> str:
        """The secret that NAME or the file that NAME_FILE names has."""
        value = self._content(name)
        if value is None:
            return ""
        if not value:
            self.faults.append(f"{name}_FILE is not set, or empty: the secret is needed")
        elif len(value.encode()) < minimum:
            self.faults.append(f"{name}: the secret is shorter than {minimum} bytes")
        return value
