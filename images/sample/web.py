"""The sample's web server: says hello and counts visits in Redis, which it finds by its Service's name.

GET /         a page with the number of visits
GET /healthz  200 once Redis answers
GET /plain    a few bytes, without Redis
"""
import os
import signal
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REDIS = (os.environ.get("REDIS_HOST", "redis"), 6379)
GREETING = os.environ.get("GREETING", "Hello from Atoll")


def redis(*words):
    """One command, one line of reply."""
    with socket.create_connection(REDIS, timeout=2) as connection:
        connection.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in (x.encode() for x in words)))
        return connection.makefile("rb").readline().decode().strip().lstrip(":+")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        try:
            if self.path == "/plain":
                self.answer(200, GREETING + "\n")
            elif self.path == "/healthz":
                self.answer(200, redis("PING") + "\n")
            elif self.path == "/":
                self.answer(200, f"{GREETING}: visit {redis('INCR', 'visits')}, served by {socket.gethostname()}\n")
            else:
                self.answer(404, "no such page\n")
        except OSError as error:
            self.answer(503, f"Redis at {REDIS[0]} does not answer: {error}\n")

    def answer(self, status, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if stopping.is_set():
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, form, *args):
        print(self.address_string(), form % args, flush=True)


class Server(ThreadingHTTPServer):
    daemon_threads = False  # server_close() waits for requests under way
    request_queue_size = 128


stopping = threading.Event()
server = Server(("", 8080), Handler)
Handler.timeout = 5


def stop(*_):
    stopping.set()
    threading.Thread(target=server.shutdown).start()


signal.signal(signal.SIGTERM, stop)
print("listening on 8080", flush=True)
server.serve_forever(poll_interval=0.05)
server.server_close()
print("stopped", flush=True)
