"""The parts of the page as they are now, and who waits for them to change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

PAUSE = 1.0
"""Seconds at least between two looks at the run."""
SHARE = 100.0
"""A look is followed by a pause of so many times the processor's seconds that it took: the page takes about
1 % of a core from the search that it watches, however large the run is."""


class Board:
    """`look` makes all parts; it is called while somebody follows, and by no two at once."""

    def __init__(self, look: Callable[[], Mapping[str, str]], pause: float = PAUSE) -> None:
        self._look, self._pause = look, pause
        self.looks = 0
        self._parts: dict[str, str] = {}
        self._followers = 0
        self._changed = asyncio.Condition()
        self._wanted = asyncio.Event()

    async def work(self) -> None:
        """Look again and again, until it is cancelled."""
        while True:
            await self._wanted.wait()
            spent = await asyncio.to_thread(self._refresh)
            async with self._changed:
                self._changed.notify_all()
            await asyncio.sleep(max(self._pause, SHARE * spent))

    def _refresh(self) -> float:
        """Returns the processor's seconds that it took. The first look counts as none: it imports code and
        draws all that is there, which no later one does again."""
        began = time.thread_time()
        self._parts = dict(self._look())
        self.looks += 1
        return time.thread_time() - began if self.looks > 1 else 0.0

    async def follow(self) -> AsyncIterator[dict[str, str]]:
        """All parts at first, then those that have changed; {} where none has for a while, so that the caller
        can see whether anybody still listens."""
        sent: dict[str, str] = {}
        async with self._following():
            while True:
                news = {name: html for name, html in self._parts.items() if sent.get(name) != html}
                sent |= news
                yield news
                await self._wait()

    async def _wait(self) -> None:
        async with self._changed:
            try:
                await asyncio.wait_for(self._changed.wait(), 2 * self._pause)
            except TimeoutError:
                return

    @asynccontextmanager
    async def _following(self) -> AsyncIterator[None]:
        self._followers += 1
        self._wanted.set()
        try:
            yield
        finally:
            self._followers -= 1
            if not self._followers:
                self._wanted.clear()
