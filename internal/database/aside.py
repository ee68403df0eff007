# Renames a file of SQLite, once all is in it that has been written: whoever still has its address
# finds no database, in place of one where nobody looks.
#   aside.py FROM TO ROWS   an error where the rows of a table are not as many as ROWS, as JSON, says
#   aside.py back FROM TO   undoes it
# Each can be done again.
import json
import os
import sqlite3
import sys
import urllib.parse

if sys.argv[1] == "back":
    file, aside = sys.argv[2:4]
    if os.path.exists(aside):
        if os.path.exists(file):
            sys.exit("both are there: " + file + " and " + aside + ", which had its name")
        os.rename(aside, file)
    elif not os.path.exists(file):
        sys.exit("neither is there: " + file + ", nor " + aside)
    sys.exit()
file, aside, expected = sys.argv[1:4]
if os.path.exists(aside):
    if os.path.exists(file):
        sys.exit("something has made " + file + " anew, since it was renamed to " + aside)
    sys.exit()
db = sqlite3.connect("file:" + urllib.parse.quote(file) + "?mode=rw", uri=True, timeout=30, isolation_level=None)
if db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
    sys.exit("something has " + file + " open")
for table, rows in json.loads(expected).items():
    if db.execute('SELECT count(*) FROM "' + table.replace('"', '""') + '"').fetchone()[0] != rows:
        sys.exit("something has written to " + file + " since it was copied")
db.close()
os.rename(file, aside)
for end in ("-wal", "-shm"):
    if os.path.exists(file + end):
        os.remove(file + end)
