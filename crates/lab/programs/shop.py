"""The shop in Python: exception, chained, recursion, group, syntax, sysexit, thread-exception, async, oom, segv, abort,
kill, exit/N. What is raised is raised in the main thread: an exception elsewhere ends no Python process."""

import asyncio
import ctypes
import http.server
import json
import os
import queue
import resource
import signal
import sys
import threading
import time
from urllib.parse import parse_qs, urlsplit


class OrderNotFound(Exception):
    pass


ORDERS = {1: 300, 7: 321}
crashes = queue.Queue()


def load_order(number):
    try:
        return ORDERS[number]
    except KeyError as error:
        raise OrderNotFound(f"order {number} of jane@example.org not found") from error


def handle_request(path):
    return load_order(int(path.rsplit("/", 1)[1]))


def total(cart):
    return sum(item["cents"] for item in cart)


def count_down(number):
    return count_down(number - 1)


async def fetch_order(number):
    await asyncio.sleep(0)
    return load_order(number)


async def fetch_orders():
    await asyncio.gather(fetch_order(1), fetch_order(42))


def eat_memory():
    in_use = int(open("/proc/self/statm").read().split()[0]) * 4096
    resource.setrlimit(resource.RLIMIT_AS, (in_use + (64 << 20),) * 2)
    hoard = []
    while True:
        hoard.append(bytearray(1 << 20))


def crash(how):
    how, _, argument = how.partition("/")
    if how == "exception":
        total([{"cents": 100}, {"price": 200}])
    elif how == "chained":
        handle_request("/orders/42")
    elif how == "recursion":
        count_down(0)
    elif how == "group":
        raise ExceptionGroup("2 orders failed", [OrderNotFound("order 1"), ValueError("order 2")])
    elif how == "syntax":
        exec("def total(:\n  pass")
    elif how == "sysexit":
        sys.exit("fatal: cannot open the database of jane@example.org")
    elif how == "async":
        asyncio.run(fetch_orders())
    elif how == "oom":
        eat_memory()
    elif how == "segv":
        ctypes.string_at(0)
    elif how == "abort":
        os.abort()
    elif how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "exit":
        sys.exit(int(argument or 1))
    elif how == "thread-exception":
        threading.Thread(target=handle_request, args=("/orders/42",), name="order").start()
    else:
        print(f"no way to crash is called {how}", file=sys.stderr)


class Shop(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path.startswith("/crash/"):
            crashes.put(url.path.removeprefix("/crash/"))
            time.sleep(2)  # The main thread crashes while this request waits for its answer.
            self.answer(200, "still alive\n")
        elif url.path.startswith("/orders/"):
            self.answer(200, json.dumps({"total_cents": ORDERS.get(7)}))
        elif url.path == "/slow":
            time.sleep(min(int(parse_qs(url.query).get("ms", ["1000"])[0]), 60_000) / 1000)
            self.answer(200, "slow\n")
        elif url.path == "/env":
            self.answer(200, json.dumps({name: os.environ.get(name) for name in ("PORT", "WEBSITE_INSTANCE_ID")}))
        elif url.path == "/":
            self.answer(200, "a shop that crashes on request\n")
        else:
            self.answer(404, "no such page\n")

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8000"))), Shop)
    print(f"the shop listens on 127.0.0.1:{server.server_port}", flush=True)
    threading.Thread(target=server.serve_forever, name="shop", daemon=True).start()
    if "LAB_CRASH" in os.environ:
        crash(os.environ["LAB_CRASH"])
    while True:
        crash(crashes.get())


main()
