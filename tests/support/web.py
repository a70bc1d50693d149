# SPDX-License-Identifier: Apache-2.0
"""A web server on this machine whose every path is one behaviour: a whole answer, or one way in which it goes wrong."""

import contextlib
import hashlib
import http.server
import threading
import time
from typing import Iterator, List

BODY = bytes(range(256)) * 12_000  # about 3 MiB, more than one block
OTHER = BODY[::-1]
HALF = len(BODY) // 2


class Handler(http.server.BaseHTTPRequestHandler):
    """`server.asked` lists the paths, `server.headers` what came with each. `NAME_once` misbehaves the first time."""

    def do_GET(self):
        self.server.asked.append(self.path)
        self.server.headers.append(self.headers)
        name = self.path.strip("/")
        if self.path.startswith("http://"):  # as a proxy is asked
            name = "through_proxy"
        elif name.endswith("_once"):
            name = name[: -len("_once")] if self.server.asked.count(self.path) == 1 else "whole"
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            getattr(self, name)()

    def send(self, body, status=200, length=None, etag=None, **headers):
        self.send_response(status)
        if length is not None:
            self.send_header("Content-Length", str(length))
        if etag:
            self.send_header("ETag", etag)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def send_body(self, body, tag=True, until=None):
        """The body or the range that was asked for; `until` breaks it off."""
        etag = f'"{hashlib.md5(body).hexdigest()}"' if tag else None
        start = self.headers.get("Range", "bytes=0-")[len("bytes=") : -1]
        if "Range" in self.headers and self.headers["If-Range"] == etag:
            part = body[int(start) :]
            place = f"bytes {start}-{len(body) - 1}/{len(body)}"
            self.send(part[:until], 206, len(part), etag, Content_Range=place)
        else:
            self.send(body[:until], 200, len(body), etag)

    def whole(self):
        self.send_body(self.server.body)

    def without_length(self):
        self.send(BODY)

    def chunked(self):
        self.protocol_version = "HTTP/1.1"
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        for start in range(0, len(BODY), 100_000):
            piece = BODY[start : start + 100_000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def chunked_and_broken(self):
        self.protocol_version = "HTTP/1.1"
        self.send(b"fff\r\nabc", Transfer_Encoding="chunked", Connection="close")
        self.close_connection = True

    def breaks(self):
        """Half of what is left, each time."""
        left = len(BODY) - int(self.headers.get("Range", "bytes=0-")[len("bytes=") : -1])
        self.send_body(BODY, until=left // 2)

    def half(self):
        self.send_body(BODY, until=HALF)

    def half_untagged(self):
        self.send_body(BODY, tag=False, until=HALF)

    def nothing_more(self):
        """Half of it, then connections that end at once."""
        self.send_body(BODY, until=0 if "Range" in self.headers else HALF)

    def changes(self):
        """Half of one file, then another."""
        first = self.server.asked.count(self.path) == 1
        self.send_body(OTHER if first else BODY, until=HALF if first else None)

    def mixes(self):
        """Claims that the second half is of the file whose first half it gave."""
        if self.server.asked.count(self.path) > 1:
            return self.send_body(BODY)
        self.send(OTHER[:HALF], 200, len(BODY), f'"{hashlib.md5(BODY).hexdigest()}"')

    def wrong_place(self):
        if "Range" in self.headers:
            return self.send(BODY[5:], 206, len(BODY) - 5, Content_Range=f"bytes 5-{len(BODY) - 1}/{len(BODY)}")
        self.whole() if len(self.server.asked) > 2 else self.half()

    def range_refused(self):
        if "Range" in self.headers:
            return self.send(b"", 416, 0, Content_Range=f"bytes */{len(BODY)}")
        self.half() if len(self.server.asked) == 1 else self.whole()

    def stalls(self):
        self.send(BODY[:1000], 200, len(BODY))
        time.sleep(2 * self.server.patience)

    def drips(self):
        """Slow, but never silent for long."""
        self.send(b"", 200, len(BODY))
        for start in range(0, len(BODY), HALF // 4):
            self.wfile.write(BODY[start : start + HALF // 4])
            time.sleep(self.server.patience / 3)

    def other(self):
        self.send_body(OTHER)

    def short(self):
        self.send(BODY[:-1000])

    def longer(self):
        self.send(BODY + b"more", 200, len(BODY) + 4)

    def longer_without_length(self):
        self.send(BODY + b"more" * 1000)

    def missing(self):
        self.send(b"no", 404, 2)

    def forbidden(self):
        self.send(b"no", 403, 2)

    def busy(self):
        self.send(b"wait", 503, 4, Retry_After=self.server.retry_after)

    def moved(self):
        self.send(b"", 302, 0, Location="/whole")

    def circle(self):
        self.send(b"", 302, 0, Location="/circle")

    def far(self):
        self.send(b"", 302, 0, Location="/far" + str(len(self.server.asked)))

    def __getattr__(self, name):
        if name.startswith("far"):
            return self.far
        raise AttributeError(name)

    def unencrypted(self):
        self.send(b"", 302, 0, Location="http://127.0.0.1/whole")

    def through_proxy(self):
        wanted = self.server.proxy_authorization
        if wanted and self.headers["Proxy-Authorization"] != wanted:
            return self.send(b"", 407, 0)
        self.whole()

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    patience = 0.75  # seconds of silence that a client may bear
    retry_after = "0"
    proxy_authorization = ""
    body = BODY

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: List[str] = []
        self.headers: List = []

    def url(self, path: str, scheme: str = "http") -> str:
        return f"{scheme}://127.0.0.1:{self.server_port}/{path}"

    def handle_error(self, request, client_address):
        pass  # a client that hangs up


@contextlib.contextmanager
def serve(wrap=lambda socket: socket, body: bytes = BODY) -> Iterator[Server]:
    """A server in a thread; `wrap` may put TLS around its socket, `body` is what `whole` gives."""
    with Server() as server:
        server.body = body
        server.socket = wrap(server.socket)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
