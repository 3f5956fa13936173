"""The command line. One file per group of commands; importing it imports neither torch nor numpy."""

from __future__ import annotations

import json
import signal
import sys

from cambrian.cli.app import app
from cambrian.errors import CambrianError


def main() -> None:
    """Run one command. A mistake of the user's is one sentence on stderr and exit code 2; a run that
    cannot be used is 3; Ctrl-C is 130 and SIGTERM 143, with the command that goes on."""
    import cambrian.cli.commands  # noqa: F401  (registers the commands)

    interrupted = 130

    def terminate(signum: int, frame: object) -> None:
        """Stop as cleanly as for Ctrl-C, but say so in the exit code."""
        nonlocal interrupted
        interrupted = 128 + signum
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, terminate)
    try:
        app()
    except CambrianError as error:
        if "--json" in sys.argv:
            print(json.dumps({"error": type(error).__name__, "message": str(error)}))
        print(f"cambrian: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(interrupted)
    except SystemExit as end:
        sys.exit(interrupted if end.code == 130 else end.code)  # typer's code for KeyboardInterrupt
    except BrokenPipeError:  # `cambrian status RUN | head`
        sys.stderr.close()
        sys.exit(141)
