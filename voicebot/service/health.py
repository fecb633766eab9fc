"""HTTP for machines: /metrics (Prometheus), /health (do the processes live?), /ready (may calls come?)."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import structlog

from voicebot.domain.errors import SettingsError

log = structlog.get_logger()

Check = Callable[[], Mapping[str, str]]  # what is wrong, by part; empty = all well


class HealthServer:
    """Answers in threads of its own; whatever happens there, the rest does not notice."""

    def __init__(
        self, bind: str, port: int, metrics: Callable[[], bytes], health: Check, ready: Check
    ) -> None:
        """Take where to listen (port 0 = any free one) and what to tell. Raises SettingsError."""
        pages: dict[str, Callable[[], tuple[int, str, bytes]]] = {
            "/metrics": lambda: (200, "text/plain; version=0.0.4; charset=utf-8", metrics()),
            "/health": lambda: _verdict(health()),
            "/ready": lambda: _verdict(ready()),
        }

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # http.server's name
                page = pages.get(self.path.partition("?")[0])
                status, kind, body = page() if page else (404, "text/plain", b"/metrics /health /ready\n")
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing: a probe comes every few seconds."""

        try:
            self._server = ThreadingHTTPServer((bind, port), Handler)
        except OSError as error:
            raise SettingsError(
                f"health and metrics can not be served on {bind}:{port}: {error.strerror}",
                hint="choose another port (VOICEBOT_METRICS_PORT), or 0 for none",
            ) from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._server.server_address[1])

    def __enter__(self) -> HealthServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _verdict(wrong: Mapping[str, str]) -> tuple[int, str, bytes]:
    body = json.dumps({"status": "failing" if wrong else "ok", "wrong": dict(wrong)}, ensure_ascii=False)
    return (503 if wrong else 200), "application/json", body.encode() + b"\n"
