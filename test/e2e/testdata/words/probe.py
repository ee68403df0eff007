"""python probe.py PORT: 0 if /health answers 200, by the address."""

import sys
import urllib.request

urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/health", timeout=3)
