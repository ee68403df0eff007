import sqlite3

version = sqlite3.sqlite_version_info
# All before 3.51.3 have it, but for the fixed 3.50.7 and 3.44.6, and what came after these.
fixed = {(3, 50): 7, (3, 44): 6}.get(version[:2])
if version[2] < fixed if fixed is not None else version < (3, 51, 3):
    print(
        f"warning: the image has SQLite {sqlite3.sqlite_version}, with the WAL-reset bug: where several processes write, "
        "a checkpoint at the wrong moment can lose what was committed, or corrupt the database. Fixed in 3.51.3, 3.50.7 and "
        '3.44.6; docs/application.md, "A fixed SQLite", has the lines for the Dockerfile'
    )
