"""
The local AWS's HTTP: one thread a connection, and connections that stay open.

The standard library's server, since the one that comes with moto closes every connection after its call: a client that
makes thousands would open thousands.
"""

from __future__ import annotations

import io
import socketserver
import sys
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote_to_bytes

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_CALLS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")


class Front(ThreadingHTTPServer):
    """
    A server of *application* on this machine's loopback.

    Parameters
    ----------
    port
        Where to listen; 0 takes any that is free.
    application
        WSGI. A ``ConnectionError`` that it raises closes the connection without an answer.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, application: Application) -> None:
        self.application = application
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        """Bind without asking a resolver for this machine's name."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away."""
        if not isinstance(sys.exc_info()[1], ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer goes out in one piece
    server: Front

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing of every request: the trail records them."""

    def handle_expect_100(self) -> bool:
        """Let a client that asks first go on at once: it would wait a second for what is still in the buffer."""
        goes_on = super().handle_expect_100()
        self.wfile.flush()
        return goes_on

    def answer(self) -> None:
        """Answer one call."""
        began: list[tuple[str, list[tuple[str, str]]]] = []
        try:
            environ = self._environ(self._body())
            body = b"".join(self.server.application(environ, lambda status, headers: began.append((status, headers))))
        except ConnectionError:
            self.close_connection = True
            return
        except ValueError:  # a length that is no number
            self.send_error(400)
            return
        status, headers = began[0]
        code, _, phrase = status.partition(" ")
        self.send_response_only(int(code), phrase)
        for name, value in headers:
            if name.lower() not in {"content-length", "connection", "transfer-encoding"}:
                self.send_header(name, value)
        bodiless = int(code) in {204, 304}
        length = next((value for name, value in headers if name.lower() == "content-length"), "")
        if not bodiless:  # what HEAD tells of is not sent
            self.send_header("Content-Length", length if self.command == "HEAD" and length else str(len(body)))
        self.end_headers()
        if self.command != "HEAD" and not bodiless:
            self.wfile.write(body)

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return b"".join(iter(self._chunk, b""))
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().partition(b";")[0], 16)
        chunk = self.rfile.read(size)
        while self.rfile.readline() not in {b"\r\n", b"\n", b""}:  # after the last, trailers
            pass
        return chunk

    def _environ(self, body: bytes) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "RAW_URI": self.path,
            "REQUEST_URI": self.path,
            "REMOTE_ADDR": self.client_address[0],
            "SERVER_NAME": self.server.server_name,
            "SERVER_PORT": str(self.server.server_port),
            "SERVER_PROTOCOL": self.request_version,
            "ecs_runbook.connection": self.connection,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            key = name.upper().replace("-", "_")
            if "_" not in name and key not in {"TRANSFER_ENCODING", "CONTENT_LENGTH"}:
                key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
                environ[key] = f"{environ[key]},{value}" if key in environ else value
        return environ | {"CONTENT_LENGTH": str(len(body))}


for _method in _CALLS:
    setattr(_Handler, f"do_{_method}", _Handler.answer)
