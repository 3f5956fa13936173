"""Who may see the page: one with its token, who asks this machine by its own name, from the page itself.

A token alone would not do: a web site whose name is made to point at 127.0.0.1 (DNS rebinding) has the
browser ask here under the site's name, which the check of `Host` refuses; a script of another origin is
refused by `Origin`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from urllib.parse import parse_qs

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(?::(\d{1,5}))?")
"""Any port: a tunnel to this machine may begin at another one."""
POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Styles are within the pictures; no script but the one file runs, whatever a name of a class holds."""
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """Passes on to `app` what may pass, by whatever method or protocol it comes."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)
        else:  # a WebSocket, which the page does not use: closed before it is accepted, an HTTP 403
            await send({"type": "websocket.close", "code": 1008})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, sentence = self._judge(scope)
        kept = self._asks_with_token(scope) and status == 200

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                more = dict(HEADERS)
                if kept:
                    more["set-cookie"] = self._cookie(scope)
                pairs = [(k.encode(), v.encode()) for k, v in more.items()]
                message["headers"] = [*message.get("headers", ()), *pairs]
            await send(message)

        allow = {"allow": "GET, HEAD"} if status == 405 else {}
        refusal = PlainTextResponse(f"{sentence}\n", status, headers=allow)
        await (self._app if status == 200 else refusal)(scope, receive, send_guarded)

    def _judge(self, scope: Scope) -> tuple[int, str]:
        """The status, 200 for one that may pass, and the sentence of a refusal."""
        hosts, origins = _read_headers(scope, b"host"), _read_headers(scope, b"origin")
        if len(hosts) != 1 or not LOOPBACK.fullmatch(hosts[0]):
            return 403, "this page is asked for as 127.0.0.1 or localhost alone"
        if any(origin != f"http://{hosts[0]}" for origin in origins):
            return 403, "another site may not ask for this page"
        if not (self._asks_with_token(scope) or any(map(self._is_token, _read_cookies(scope)))):
            return 401, "this page needs the token of the address that cambrian watch has printed"
        if scope["method"] not in ("GET", "HEAD"):
            return 405, "this page is read only"
        return 200, ""

    def _asks_with_token(self, scope: Scope) -> bool:
        values = parse_qs(scope["query_string"].decode("latin-1")).get("token", [])
        return len(values) == 1 and self._is_token(values[0])

    def _is_token(self, text: str) -> bool:
        # Digests are of one length, and compared in a time that does not tell how much of them agrees.
        return hmac.compare_digest(_digest(text), _digest(self._token))

    def _cookie(self, scope: Scope) -> str:
        return f"{_name_cookie(scope)}={self._token}; HttpOnly; SameSite=Strict; Path=/"


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _name_cookie(scope: Scope) -> str:
    """Cookies know no ports: two pages on one machine need two names. The port is the one that the browser
    asks at, since tunnels to the same port of two machines begin at two ports of this one."""
    (host,) = _read_headers(scope, b"host")
    known = LOOPBACK.fullmatch(host)
    assert known is not None  # others were refused
    return f"cambrian-{known[2] or 80}"


def _read_headers(scope: Scope, name: bytes) -> Sequence[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _read_cookies(scope: Scope) -> Sequence[str]:
    """The tokens that the browser has kept for this page."""
    # Not by `http.cookies`, which stops at the first cookie that it cannot read: any other program on this
    # machine may have set one.
    pairs = [pair.partition("=") for header in _read_headers(scope, b"cookie") for pair in header.split(";")]
    return [value.strip() for name, _, value in pairs if name.strip() == _name_cookie(scope)]
