"""A member of a crew that does as its jobs say: `python -m echo DESCRIPTOR PARENT`."""

from __future__ import annotations

import os
import time

from cambrian.search.engines.crew import PIECE, join_crew
from cambrian.search.engines.frames import Inbox, pack


def main() -> None:
    channel, inbox = join_crew(), Inbox(dict)
    while data := channel.recv(PIECE):
        for job in inbox.feed(data):
            os.write(2, b"x" * job.get("chatter", 0) + b"last words")
            if "exit" in job:
                os._exit(job["exit"])
            time.sleep(job.get("seconds", 0))
            channel.sendall(b"\xff" * 8 if "noise" in job else pack(job))


if __name__ == "__main__":
    main()
