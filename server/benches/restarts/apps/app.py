"""The same app as app.js, for gunicorn."""
import json
import os
import time
from urllib.parse import parse_qs

WORK_S = 0.02
PADDING = "x" * 2000


def note(line):
    with open(os.environ["BENCH_JOURNAL"], "a") as journal:
        journal.write(f"{line}\n")


def application(environ, start_response):
    status, body = "404 Not Found", ""
    if environ["PATH_INFO"] == "/work":
        name = parse_qs(environ["QUERY_STRING"])["id"][0]
        if environ["REQUEST_METHOD"] == "POST":
            note(f"post {name}")
            environ["wsgi.input"].read()
        time.sleep(WORK_S)
        status, body = "200 OK", f"{name}\n{PADDING}\n"
    elif environ["PATH_INFO"] == "/env":
        status, body = "200 OK", json.dumps({"pid": os.getpid()})
    start_response(status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body.encode()]
