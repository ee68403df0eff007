"""What its owner has for a check: it needs the settings that the gallery has."""

import os
import urllib.request

assert os.environ["GALLERY_SECRET"]
host = os.environ["ALLOWED_HOSTS"].split(",")[0]
request = urllib.request.Request("http://127.0.0.1:5000/healthz/", headers={"Host": host})
urllib.request.urlopen(request, timeout=5).read()
