"""Takes one job after the other. After SIGTERM it finishes the one that it is at: one that is cut off is lost."""

import os
import signal
import sys
import time

import jobs

stopped = False


def stop(*_):
    global stopped
    stopped = True


if not os.environ.get("API_KEY"):
    sys.exit("there is no API_KEY")
with open("/state/starts", "a", encoding="utf-8") as starts:  # in a volume of its own
    print(jobs.VERSION, file=starts)
signal.signal(signal.SIGTERM, stop)
db = jobs.connect()
print("at work", flush=True)
while not stopped:
    db.execute("BEGIN IMMEDIATE")
    job = db.execute("SELECT id FROM jobs WHERE state = 'waiting' ORDER BY id LIMIT 1").fetchone()
    if job:
        db.execute("UPDATE jobs SET state = 'taken' WHERE id = ?", job)
    db.execute("COMMIT")
    if not job:
        time.sleep(0.05)
        continue
    time.sleep(0.3)
    db.execute("UPDATE jobs SET state = 'done', runs = runs + 1, by = ? WHERE id = ?", (jobs.VERSION, job[0]))
