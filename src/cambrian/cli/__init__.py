"""The command line. One file per group of commands; importing it imports neither torch nor numpy."""

from __future__ import annotations

import errno
import signal
import sys
from collections import namedtuple
from contextlib import nullcontext
from typing import Any, NamedTuple

import typer

from cambrian import NO_WINDOWS
from cambrian.cli.app import app
from cambrian.cli.display.output import Document, only_json, replace_unknown_signs
from cambrian.errors import CambrianError

# Faults of the disk that the user can mend; any other OSError is a fault of ours, with its traceback.
_DISK = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
_PARSING: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""The error of the command line's parser. It is found by its name, since typer may bring its own click."""


class _End(NamedTuple):
    """How a command ended: its exit code and, where it failed, the name of the error and its sentence."""

    code: int
    kind: str = ""
    message: str = ""


def main() -> None:
    """Run one command. A mistake of the user's is one sentence on stderr and exit code 2; a run that
    cannot be used is 3; Ctrl-C is 130, SIGTERM 143 and SIGHUP 129, with the command that goes on."""
    if sys.platform == "win32":
        sys.exit(f"cambrian: {NO_WINDOWS}")
    import cambrian.cli.commands  # noqa: F401  (registers the commands)

    replace_unknown_signs()
    # By the arguments themselves: the parser may be the one that fails.
    with only_json() if "--json" in sys.argv[1:] else nullcontext() as document:
        end = _perform(document)
        if document is not None:
            document.give(_account(end))
    if end.kind == "Interrupted":
        forget_interrupt()
    sys.exit(end.code)


def forget_interrupt() -> None:
    """Let this process end with the exit code it is given. An interrupt that comes while CPython runs code
    from a string, as the definition of dataclasses and named tuples does, makes `python -m` end by SIGINT
    at last, though it was handled (importing torch is full of such code). The next code of the kind makes
    it forget."""
    namedtuple("Nothing", ())


def _perform(document: Document | None) -> _End:
    interrupted = signal.SIGINT

    def terminate(signum: int, frame: object) -> None:
        """Stop as cleanly as for Ctrl-C, but say so in the exit code."""
        nonlocal interrupted
        interrupted = signal.Signals(signum)
        raise KeyboardInterrupt

    # Commands know one way to be stopped, KeyboardInterrupt; `interrupted` keeps the signals apart.
    signal.signal(signal.SIGTERM, terminate)
    # A terminal that goes away, as with the line to another machine, is no evidence against the trials under
    # way, as a kill without a word is. Whoever began it by `nohup` wants it to go on.
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, terminate)
    try:
        code = int(app(standalone_mode=False) or 0)
    except CambrianError as error:
        print(f"cambrian: {error}", file=sys.stderr)
        return _End(error.exit_code, type(error).__name__, str(error))
    except _PARSING as error:
        error.show(sys.stderr)
        return _End(error.exit_code, "UsageError", error.format_message())
    except KeyboardInterrupt:
        code = 130  # as typer has it
    except SystemExit as end:  # of code that a command imports, such as a space of the user's
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except OSError as error:
        if error.errno == errno.EIO and interrupted not in (signal.SIGINT, signal.SIGTERM):
            code = 130  # the terminal is gone, to which it was said how to go on
        elif error.errno not in _DISK:
            raise
        else:
            return _report_refusal(error)
    except Exception as error:
        # A fault of ours keeps its traceback, and whoever reads JSON gets a document all the same.
        if document is not None:
            document.give(_account(_End(1, type(error).__name__, str(error))))
        raise
    if code == 130:
        return _End(128 + interrupted, "Interrupted", f"stopped by {interrupted.name}")
    return _End(code, "Failed" if code else "", "see standard error" if code else "")


def _report_refusal(error: OSError) -> _End:
    where = f": {error.filename}" if error.filename else ""
    message = f"the disk or its permissions do not allow it{where}: {error.strerror}"
    print(f"cambrian: {message}", file=sys.stderr)
    return _End(3, "RunError", message)


def _account(end: _End) -> dict[str, Any]:
    """The document for standard output where the command itself gave none."""
    return {"error": end.kind, "message": end.message} if end.kind else {"message": "see standard error"}
