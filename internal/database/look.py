# Tells how large a file is, and what is free beside it: look.py FILE
import json
import os
import sys

disk = os.statvfs(os.path.dirname(sys.argv[1]))
size = sum(os.path.getsize(sys.argv[1] + end) for end in ("", "-wal") if os.path.exists(sys.argv[1] + end))
print(json.dumps({"there": os.path.exists(sys.argv[1]), "bytes": size, "free": disk.f_bavail * disk.f_frsize}))
