import pytest

from tarot.settings import RedisAddress, SettingsError, load


def test_defaults(environ):
    settings = load(environ)
    assert (settings.host, settings.port, settings.workers) == ("0.0.0.0", 8000, 1)
    assert settings.admin_password == "correct horse"  # without the file's line end
    assert settings.db_busy_timeout_ms >= 5000
    assert settings.db_synchronous == "full"


def test_development_logs_more(environ):
    assert load(environ).log_level == "info"
    assert load(environ | {"DEBUG": "true"}).log_level == "debug"
    assert load(environ | {"DEBUG": "true", "LOG_LEVEL": "error"}).log_level == "error"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PORT", "http", "PORT='http': allowed is a whole number from 1 to 65535"),
        ("PORT", "0", "PORT='0': allowed is a whole number from 1 to 65535"),
        ("WORKERS", "-1", "WORKERS='-1': allowed is a whole number from 1 to 64"),
        ("DEBUG", "yes", "DEBUG='yes': allowed is true or false"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL='loud': allowed is one of debug, info,"),
        ("DEBUGGER_PORT", "x", "DEBUGGER_PORT='x': allowed is a whole number"),
        ("FORWARDED_ALLOW_IPS", "*", "FORWARDED_ALLOW_IPS='*': allowed is networks in CIDR"),
        ("STATIC_URL", "static/", "STATIC_URL='static/': allowed is a path that begins with /"),
        ("STATIC_DIR", "/nowhere", "STATIC_DIR='/nowhere': allowed is a folder that exists"),
        ("DATABASE_URL", "sqlite://", "DATABASE_URL='sqlite:…': allowed is sqlite:///<path"),
        ("DATABASE_URL", "sqlite:///:memory:", "DATABASE_URL='sqlite:…': allowed is"),
        ("DATABASE_URL", "sqlite:////no/where/a.db", "allowed is a file in a folder that exists"),
        ("DB_SYNCHRONOUS", "off", "DB_SYNCHRONOUS='off': allowed is one of normal, full, extra"),
        ("ADMIN_PASSWORD_FILE", "/nowhere", "allowed is a readable text file (No such file"),
        ("ADMIN_PASSWORD_FILE", "", "ADMIN_PASSWORD_FILE is not set, or empty"),
        ("ADMIN_PASSWORD", "another one", "ADMIN_PASSWORD and ADMIN_PASSWORD_FILE are both set"),
        ("REDIS_URL", "rediss://u:hunter2@h", "REDIS_URL='rediss:…': allowed is redis://USER:P"),
        ("REDIS_URL", "redis://u:hunter2@h:x", "REDIS_URL='redis:…': allowed is redis://"),
        ("REDIS_URL", "redis://h/cache", "REDIS_URL='redis:…': allowed is redis://"),
        ("REDIS_URL", "redis://h?db=1", "REDIS_URL='redis:…': allowed is redis://"),
        ("REDIS_URL", "redis://", "REDIS_URL='redis:…': allowed is redis://"),
        ("REDIS_URL", "hunter2", "REDIS_URL='…': allowed is redis://"),
        ("REDIS_URL_FILE", "/nowhere", "REDIS_URL_FILE='/nowhere': allowed is a readable text"),
        ("REDIS_URL_FILE", "/dev/null", "REDIS_URL='…': allowed is redis://"),
        ("READINGS_PER_MINUTE", "-1", "READINGS_PER_MINUTE='-1': allowed is a whole number"),
    ],
)
def test_fault(environ, name, value, message):
    with pytest.raises(SettingsError) as caught:
        load(environ | {name: value})
    assert len(caught.value.faults) == 1
    assert message in caught.value.faults[0]
    assert "hunter2" not in caught.value.faults[0]


def test_redis_url(environ, tmp_path):
    assert load(environ).redis is None
    (tmp_path / "redis").write_text("redis://app:a%2Fb%40c@valkey:6380/2\n")
    found = load(environ | {"REDIS_URL_FILE": str(tmp_path / "redis")})
    assert found.redis == RedisAddress("valkey", 6380, 2, "app", "a/b@c")
    assert "a/b@c" not in repr(found)
    plain = load(environ | {"REDIS_URL": "redis://valkey"}).redis
    assert plain == RedisAddress("valkey", 6379, 0, None, None)
    both = {"REDIS_URL_FILE": str(tmp_path / "redis"), "REDIS_URL": "redis://valkey"}
    assert load(environ | both).redis == plain
    assert load(environ | {"REDIS_URL": "nonsense"}, secrets=False).redis is None


def test_all_faults_at_once(environ):
    with pytest.raises(SettingsError) as caught:
        load(environ | {"PORT": "x", "WORKERS": "x", "DEBUG": "x"})
    assert [fault.split("=")[0] for fault in caught.value.faults] == ["PORT", "WORKERS", "DEBUG"]


def test_secrets_are_never_told(environ, tmp_path):
    assert "correct horse" not in repr(load(environ))
    (tmp_path / "jwt").write_text("short-secret")
    password = "mysql://user:hunter2@host/db"
    with pytest.raises(SettingsError) as caught:
        load(environ | {"DATABASE_URL": password})
    assert "short-secret" not in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert len(caught.value.faults) == 2


def test_a_migration_needs_no_secrets(environ):
    assert load({"DATABASE_URL": environ["DATABASE_URL"]}, secrets=False).admin_password == ""


def test_an_empty_variable_is_unset(environ):
    assert load(environ | {"DEBUGGER_PORT": "", "PORT": ""}).debugger_port is None


def test_networks_are_canonical(environ):
    settings = load(environ | {"FORWARDED_ALLOW_IPS": "10.1.2.3/8, 192.0.2.1"})
    assert settings.forwarded_allow_ips == ("10.0.0.0/8", "192.0.2.1/32")
