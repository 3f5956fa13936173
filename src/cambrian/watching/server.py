"""The server of the page: on this machine's loopback address alone, on a free port unless one is named."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from cambrian.errors import MissingExtra, UsageError

HOST = "127.0.0.1"


def serve(place: Path, port: int, announce: Callable[[str], object]) -> None:
    """Show the run in `place` until Ctrl-C; `announce` is told the address with its token once the port is
    open. Raises MissingExtra, and UsageError where the port is taken."""
    try:
        import uvicorn

        from cambrian.watching.app import make_app
    except ModuleNotFoundError as error:
        raise MissingExtra(str(error.name), "ui", "cambrian watch") from None
    token = secrets.token_urlsafe(32)
    with bind(port) as listening:
        # One page cannot wait for ever: a stream ends when the server is asked to.
        app = make_app(place, token, ended=lambda: server.should_exit)
        config = uvicorn.Config(
            app,
            ws="none",
            log_level="critical",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=3,
        )
        server = uvicorn.Server(config)
        announce(f"http://{HOST}:{listening.getsockname()[1]}/?token={token}")
        server.run(sockets=[listening])


def bind(port: int) -> socket.socket:
    """A socket on the loopback address; port 0 is any free one."""
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
        listening.listen()  # from here on a browser waits, and is not refused
    except (OSError, OverflowError) as error:
        listening.close()
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"cannot open port {port}: {reason}; leave out --port for a free one, or name another"
        ) from error
    return listening


def has_browser() -> bool:
    """Whether a browser can open a window here: not over ssh, and not from a script."""
    shows = sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    return shows and sys.stdout.isatty()
