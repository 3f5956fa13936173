"""The page and its events as a web application."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from cambrian.pictures.markup import STYLE, escape
from cambrian.reports.page import LOOK
from cambrian.watching.board import PAUSE, Board
from cambrian.watching.guard import Guard
from cambrian.watching.parts import PARTS, describe_failed, make_detail, make_parts
from cambrian.watching.run_view import RunReader, View

STATIC = files("cambrian.watching") / "static"
NUMBER = re.compile("[0-9]{1,18}")  # thousands of digits are more than `int` reads
SECTIONS = ("anytime", "cells", "front", "gates", "trials", "failures")
"""The parts that the page's navigation leads to."""


def make_app(place: Path, token: str, *, ended: Callable[[], bool] = lambda: False) -> ASGIApp:
    """The application that shows the run in `place` to whoever has `token`. `ended` says that the server is
    about to stop, so that no stream holds it."""
    return Guard(_Pages(place, PAUSE, ended).make(), token)


class _Pages:
    def __init__(self, place: Path, pause: float, ended: Callable[[], bool]) -> None:
        self._reader, self._ended, self._pause = RunReader(place), ended, pause
        self._view, self._reading = View(self._reader.place), threading.Lock()
        self._parts: dict[str, str] = {}

    def make(self) -> Starlette:
        routes = [
            Route("/", self._show_page),
            Route("/events", self._send_events),
            Route("/trial/{number}", self._show_trial),
            Route("/final/{number}", self._show_final),
            Route("/watch.js", self._send_script),
            Route("/watch.css", self._send_style),
        ]
        return Starlette(routes=routes, lifespan=self._work)

    @asynccontextmanager
    async def _work(self, _app: Starlette) -> AsyncIterator[None]:
        self._board = Board(self._look, self._pause)
        work = asyncio.create_task(self._board.work())
        try:
            yield
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work

    def _look(self) -> dict[str, str]:
        try:
            before, view = self._view, self._read()
            same = view.story is not None and view.story is before.story
            self._parts = make_parts(view, self._parts if same else None)
        except (
            Exception
        ) as error:  # of any kind: what was shown stays, and the next look may see the run again
            self._parts = {**self._parts, "state": describe_failed(error)}
        return self._parts

    def _read(self) -> View:
        with self._reading:
            self._view = self._reader.read()
        return self._view

    def _make_detail(self, number: int, final: bool) -> str:
        # The view is the one that the page shows; where it shows none yet, that of now.
        return make_detail(self._view if self._view.result is not None else self._read(), number, final)

    async def _show_page(self, _request: Request) -> Response:
        return HTMLResponse(_write_page(self._reader.place))

    async def _send_events(self, request: Request) -> Response:
        kind = "text/event-stream"
        if request.method == "HEAD":  # which has no body, and must not wait for one
            return Response(media_type=kind)
        return StreamingResponse(self._stream(), media_type=kind)

    async def _stream(self) -> AsyncIterator[str]:
        async for news in self._board.follow():
            for name, html in news.items():
                yield f"event: part\ndata: {json.dumps({'name': name, 'html': html})}\n\n"
            if not news:
                yield ": still here\n\n"
            if self._ended():
                return

    async def _show_trial(self, request: Request) -> Response:
        return await self._show_detail(request, final=False)

    async def _show_final(self, request: Request) -> Response:
        return await self._show_detail(request, final=True)

    async def _show_detail(self, request: Request, final: bool) -> Response:
        written = request.path_params["number"]
        number = int(written) if NUMBER.fullmatch(written) else -1
        html = await asyncio.to_thread(self._make_detail, number, final)
        return HTMLResponse(html) if html else PlainTextResponse("the run has no such trial\n", 404)

    async def _send_script(self, _request: Request) -> Response:
        return Response((STATIC / "watch.js").read_text("utf-8"), media_type="text/javascript")

    async def _send_style(self, _request: Request) -> Response:
        own = (STATIC / "watch.css").read_text("utf-8")
        return Response(f"{STYLE}\n{LOOK}\n{own}", media_type="text/css")


def _write_page(place: Path) -> str:
    """The page without its parts, which come as events."""
    live = {"state": ' role="status" aria-live="polite"'}
    parts = "".join(f'<div class="part" id="{name}"{live.get(name, "")}></div>' for name in PARTS)
    names = {"anytime": "best so far", "cells": "architectures"}
    links = "".join(f'<a href="#{name}">{names.get(name, name)}</a>' for name in SECTIONS)
    title = escape(place.name or str(place))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        f'<title>{title}: cambrian watch</title><link rel="stylesheet" href="watch.css"></head>'
        f'<body class="cambrian"><header><h1>{title}</h1>'
        '<p id="line" class="note" role="status">connecting</p></header>'
        f'<nav aria-label="parts of the page">{links}</nav>'
        f"<main>{parts}<noscript><p>This page needs its one script to follow the run.</p></noscript></main>"
        '<dialog id="detail" aria-label="a trial"><form method="dialog"><button class="close">close</button>'
        '</form><div id="content"></div></dialog><script src="watch.js" defer></script></body></html>\n'
    )
