"""A server that only gives one file, as fast as a loopback connection takes it."""

from __future__ import annotations

import json
import socket
import typing as t
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

if t.TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from auditlogs_sandbox.vendors.index_exchange.generator import GeneratedFile


def serve(ready: Connection, file: GeneratedFile, hours: int = 1) -> None:
    """Serve until the process is ended.

    Args:
        ready: Told the port.
        file: The file.
        hours: How many hours have it.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path == "/file":
                self._send_head(file.size)
                with file.path.open("rb") as content:
                    self.connection.sendfile(content)
                return
            entries = [
                {
                    "subscriptionID": 41,
                    "hour": (file.hour - timedelta(hours=back)).strftime("%Y-%m-%dT%H:00:00Z"),
                    "downloadURL": f"http://{self.headers['Host']}/file",
                    "md5sum": file.md5sum,
                }
                for back in range(hours)
            ]
            self._send_json({"data": [], "count": hours, "availableDownloads": entries})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._send_json({"access_token": "benchmark-token", "expires_in": 3600})

        def _send_json(self, content: object) -> None:
            body = json.dumps(content).encode()
            self._send_head(len(body))
            self.wfile.write(body)

        def _send_head(self, size: int) -> None:
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    ready.send(server.server_port)
    server.serve_forever()
