# Finds what moves have kept beside a file of SQLite: kept.py FILE, and removes some of it: kept.py FILE NAME...
# Prints what is there as JSON. Nothing else has a name of that form, whatever is asked for.
import json
import os
import re
import sys

folder, name = os.path.split(sys.argv[1])
form = re.compile(re.escape(name) + r"\.(moved|undone)-[0-9]{8}-[0-9]{6}-[a-z0-9]+")
there = {n: os.path.getsize(os.path.join(folder, n)) for n in os.listdir(folder) if form.fullmatch(n)}
for n in sys.argv[2:]:
    if n not in there:
        sys.exit(n + " is not there")
    os.remove(os.path.join(folder, n))
    del there[n]
print(json.dumps(there))
