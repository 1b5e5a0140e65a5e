"""The app of `cargo xtask machine`: answers its process, crashes, and takes all memory, as it is asked."""

import ctypes
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def crash():
    ctypes.string_at(0)


def take_all_memory():
    taken = []
    while True:
        taken.append(b"x" * (16 << 20))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        {"/crash": crash, "/leak": take_all_memory}.get(self.path, lambda: None)()
        body = f"{os.getpid()} {os.getuid()}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128


Server(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
