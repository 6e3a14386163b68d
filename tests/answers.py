"""A server on loopback with answers scripted by a test."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

Answer = tuple[int, bytes]  # HTTP code and content; the code 0 hangs up instead


@contextmanager
def answering(
    otherwise: Answer, answers: dict[str, Answer] | None = None, location: str = ""
) -> Iterator[tuple[str, list[str | None]]]:
    """A server that answers by method and path: its address, and the authorisations it received."""
    shown = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self):
            shown.append(self.headers["Authorization"])
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            code, content = (answers or {}).get(f"{self.command} {self.path}", otherwise)
            if code == 0:
                return
            self.send_response(code)
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = answer  # noqa: N815  (http.server's names)

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", shown
        finally:
            server.shutdown()
            thread.join()


def version(number: str) -> bytes:
    """Ray's description of its version."""
    return json.dumps({"version": "4", "ray_version": number}).encode()
