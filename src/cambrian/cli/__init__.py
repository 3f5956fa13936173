"""The command line. One file per group of commands; importing it imports neither torch nor numpy."""

from __future__ import annotations

import signal
import sys
import traceback

from cambrian.cli.app import app
from cambrian.cli.streams import documents, replace_signs_that_cannot_be_written
from cambrian.errors import CambrianError

INTERRUPTED = 130


def main() -> None:
    """Run one command. A mistake of the user's is one sentence on stderr and exit code 2; a run that
    cannot be used is 3; Ctrl-C is 130 and SIGTERM 143, with the command that goes on. With `--json`
    standard output is one JSON document however the command ends: an object with "error" where it fails."""
    import cambrian.cli.commands  # noqa: F401  (registers the commands)

    replace_signs_that_cannot_be_written()
    as_json = "--json" in sys.argv
    if as_json:
        documents.reserve()
    try:
        code = _run(as_json)
        if as_json and not documents.written:
            documents.write(_last_word(code))
        _flush()
    except BrokenPipeError:  # `cambrian status RUN | head`
        sys.stderr.close()
        code = 141
    except OSError as error:
        _complain(f"cannot write standard output: {error.strerror or error}")
        _silence()
        code = 1
    finally:
        documents.release()
    sys.exit(code)


def _run(as_json: bool) -> int:
    """Run the command of `sys.argv`; the exit code."""
    interrupted = INTERRUPTED

    def terminate(signum: int, frame: object) -> None:
        """Stop as cleanly as for Ctrl-C, but say so in the exit code."""
        nonlocal interrupted
        interrupted = 128 + signum
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, terminate)
    try:
        code = app(standalone_mode=False)
        return interrupted if code == INTERRUPTED else int(code or 0)  # typer's code for KeyboardInterrupt
    except KeyboardInterrupt:
        return interrupted
    except CambrianError as error:
        _complain(str(error))
        _fail(as_json, type(error).__name__, str(error))
        return error.exit_code
    except BrokenPipeError:
        raise
    except Exception as error:
        return _refuse(as_json, error)


def _refuse(as_json: bool, error: Exception) -> int:
    """Tell of a command line that cannot be read, as typer does, or of a mistake in cambrian."""
    explain = getattr(error, "format_message", None)
    if explain is None:
        traceback.print_exc()
        _fail(as_json, type(error).__name__, str(error))
        return 1
    error.show(file=sys.stderr)  # type: ignore[attr-defined]
    _fail(as_json, "UsageError", explain())
    return int(error.exit_code)  # type: ignore[attr-defined]


def _fail(as_json: bool, kind: str, message: str) -> None:
    if as_json and not documents.written:
        documents.write({"error": kind, "message": message})


def _last_word(code: int) -> dict[str, str]:
    """The document of a command that gave none: it was interrupted, or said how it is used."""
    if code == 0:
        return {"message": "the help is on standard error"}
    return {"error": "Interrupted" if code > 128 else "Exit", "message": "see standard error"}


def _complain(sentence: str) -> None:
    print(f"cambrian: {sentence}", file=sys.stderr)


def _flush() -> None:
    if sys.stdout is not None:
        sys.stdout.flush()


def _silence() -> None:
    """Standard output cannot be written: what is left in its buffer is not tried again at exit."""
    sys.stdout = None
