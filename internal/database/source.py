# Copies a file of SQLite, as one that nobody writes to: its whole content of one moment.
#   source.py FROM TO [EQUAL]   prints the number of rows of each table, as JSON; with EQUAL it is an
#                               error where those of FROM are others, as something writes to it
# It is what the platform knows of the rows, whatever the application says. What Litestream keeps in the
# file for itself is no row of anybody's.
import json
import os
import sqlite3
import sys
import urllib.parse


def opened(path):
    # One that is not there is not made.
    where = "file:" + urllib.parse.quote(path) + "?mode=rw"
    return sqlite3.connect(where, uri=True, timeout=30, isolation_level=None)


def rows(db):
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!' AND name NOT LIKE '!_litestream!_%' ESCAPE '!'")]
    return {name: db.execute('SELECT count(*) FROM "' + name.replace('"', '""') + '"').fetchone()[0] for name in names}


source, target = sys.argv[1:3]
new = target + ".new"
for end in ("", "-wal", "-shm", "-journal"):
    for path in (new + end, target + end):
        if os.path.exists(path):
            os.remove(path)
db = opened(source)
db.execute("VACUUM INTO ?", (new,))
copy = opened(new)
said = copy.execute("PRAGMA integrity_check").fetchone()[0]
if said != "ok":
    sys.exit(source + " is damaged: " + said)
found = rows(copy)
copy.close()
if sys.argv[3:] and rows(db) != found:
    sys.exit("something writes to " + source)
db.close()
with open(new) as file:
    os.fsync(file.fileno())
os.rename(new, target)
print(json.dumps(found))
