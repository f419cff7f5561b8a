"""An OTLP receiver that reads requests, forgets them and answers 200. Prints its port; runs until it is ended."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from benchmarks.lifetime import end_with_parent


class Sink(BaseHTTPRequestHandler):
    """Keeps connections open, as collectors do."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer an empty success."""
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


def main() -> None:
    """Serve."""
    end_with_parent()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
