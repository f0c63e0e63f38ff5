"""What the browser's tests share: a Chromium, a folder served next door, a place for
pictures."""

import contextlib
import functools
import http.server
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import course  # noqa: E402

SHOTS = ROOT / "build" / "browser"


def chromium() -> str:
    """The path of a Chromium; SystemExit where there is none."""
    found = course.chromium()
    if found is None:
        sys.exit(
            "no Chromium found: install it (Debian, Ubuntu: sudo apt install chromium), "
            "or name it: CHROMIUM=/path/to/chrome make test-browser"
        )
    return found


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A page that is closed while it loads is no error."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server of this folder, as long as it is needed."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with _Server(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
