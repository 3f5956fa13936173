"""The command line. One file per group of commands; importing it imports neither torch nor numpy."""

from __future__ import annotations

import json
import signal
import sys

from cambrian.cli.app import app
from cambrian.errors import CambrianError


class Terminated(KeyboardInterrupt):
    """SIGTERM: stop as cleanly as for Ctrl-C, but say so in the exit code."""


def main() -> None:
    """Run one command. A mistake of the user's is one sentence on stderr and exit code 2; a run that
    cannot be used is 3; Ctrl-C is 130 and SIGTERM 143, with the command that goes on."""
    import cambrian.cli.commands  # noqa: F401  (registers the commands)

    def terminate(signum: int, frame: object) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, terminate)
    try:
        app()
    except CambrianError as error:
        if "--json" in sys.argv:
            print(json.dumps({"error": type(error).__name__, "message": str(error)}))
        print(f"cambrian: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt as stop:
        sys.exit(143 if isinstance(stop, Terminated) else 130)
    except BrokenPipeError:  # `cambrian status RUN | head`
        sys.stderr.close()
        sys.exit(141)
