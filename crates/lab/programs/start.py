"""A server that starts in one of the ways that keep real ones from being reached: `start.py WAY [ARGUMENT]`.

at ADDRESS     listens there on $PORT
port NUMBER    listens on that port instead of $PORT
unix PATH      listens on a Unix socket instead of $PORT
after FILE     listens once the file is there, and waits for it
busy FILE      the same, and computes meanwhile
unready FILE   listens at once, and answers 503 until the file is there
silent         listens, and answers nobody
daemon         puts itself into the background, as init scripts expect it
slow SECONDS   needs so long until it listens
slow-daemon SECONDS  the same, then puts itself into the background
daemon-slow SECONDS  puts itself into the background, and needs so long there until it listens
"""

import os
import socket
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

PORT = int(os.environ.get("PORT", "8000"))
is_ready = lambda: True


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if is_ready() else 503)
        self.end_headers()
        self.wfile.write(f"{os.getpid()}\n".encode())

    def log_message(self, *_):
        pass


def serve(address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    server = type("Server", (HTTPServer,), {"address_family": family})
    server((address, port), Handler).serve_forever()


def detach():
    """As daemon(3) does it, with the second fork that old daemons have."""
    for _ in range(2):
        if os.fork():
            os._exit(0)
        if os.getsid(0) != os.getpid():
            os.setsid()


def main(way, argument=None):
    global is_ready
    if way == "at":
        serve(argument, PORT)
    elif way == "port":
        serve("127.0.0.1", int(argument))
    elif way == "unix":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(argument)
            listener.listen()
            while True:
                listener.accept()
    elif way in ("after", "busy"):
        while not os.path.exists(argument):
            time.sleep(0.01 if way == "after" else 0)
        serve("127.0.0.1", PORT)
    elif way == "unready":
        is_ready = lambda: os.path.exists(argument)
        serve("127.0.0.1", PORT)
    elif way == "silent":
        with socket.create_server(("127.0.0.1", PORT)):
            time.sleep(3600)
    elif way == "daemon":
        detach()
        serve("127.0.0.1", PORT)
    elif way in ("slow", "slow-daemon", "daemon-slow"):
        if way == "daemon-slow":
            detach()
        time.sleep(float(argument))
        if way == "slow-daemon":
            detach()
        serve("127.0.0.1", PORT)
    else:
        sys.exit(__doc__)


main(*sys.argv[1:])
