"""What a program of the application would find at the addresses in its variables.

Reads the variables of process 1, as some are loaded from a file, and prints a line of JSON for each address. A
password is in none of them.
"""

import json
import os
import re
import socket
import sys
from urllib.parse import urlsplit

ports = {"postgresql": 5432, "postgres": 5432, "redis": 6379, "rediss": 6379, "valkey": 6379, "valkeys": 6379, "mysql": 3306, "mariadb": 3306, "amqp": 5672, "amqps": 5671, "mongodb": 27017}


def variables():
    found = dict(os.environ)
    try:
        with open("/proc/1/environ", "rb") as file:
            for pair in file.read().split(b"\0"):
                name, _, value = pair.decode("utf-8", "replace").partition("=")
                if name:
                    found[name] = value
    except OSError:
        pass
    for name, value in list(found.items()):
        if name.endswith("_FILE") and name[:-5] not in found and value.startswith("/"):
            try:
                with open(value) as file:
                    found[name[:-5]] = file.read(4096).strip()
            except (OSError, UnicodeDecodeError):
                pass
    return found


def sqlite(path):
    import sqlite3

    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        return "there is no folder %s" % folder
    if not os.path.exists(path):
        return "there is no file %s" % path
    try:
        sqlite3.connect("file:%s?mode=ro" % path, uri=True, timeout=1).execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.Error as error:
        return "%s: %s" % (path, error)
    return ""


def reach(host, port):
    try:
        found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return "the name %s is not known: %s" % (host, error)
    try:
        socket.create_connection((host, port), 2).close()
    except OSError as error:
        return "%s port %s, which is %s: %s" % (host, port, found[0][4][0], error)
    return ""


def look(name, value):
    scheme = value.partition(":")[0].partition("+")[0].lower()
    said = {"name": name, "scheme": scheme}
    if scheme == "sqlite":
        path = value.partition("://")[2].partition("?")[0][1:]
        if not path or path == ":memory:":
            return
        said["to"], said["error"] = path, sqlite(path)
    elif scheme in ports:
        try:
            url = urlsplit(value)
            host, port = url.hostname, url.port or ports[scheme]
        except ValueError as error:
            said["error"] = "it is no address: %s" % re.sub(r"'.*'", "its port", str(error))
            print(json.dumps(said))
            return
        if not host:
            said["error"] = "it names no host"
        else:
            said["to"], said["error"] = "%s:%d" % (host, port), reach(host, port)
    elif name == "DATABASE_URL" and "://" not in value:
        said["scheme"], said["error"] = "", "it is no address: there is no :// in it"
    else:
        return
    print(json.dumps(said))


for resolver in sys.argv[1:]:  # a name server that this container's machine can ask
    print(json.dumps({"name": "", "scheme": "out", "to": resolver, "error": reach(resolver, 53)}))
for name, value in sorted(variables().items()):
    if "\n" not in value:
        look(name, value)
