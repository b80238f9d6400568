"""A program: checks a JSON schema, or data against one, and is ended when that takes too long.

A schema comes from an agent. Its patterns, or references that multiply, can make checking take for
ever, and a regular expression holds Python's lock: only the end of the process stops it. The system
ends it by a timer that needs no lock, also when whoever asked is gone.

    stdin    {"schema": ..., "limit_seconds": ..., "data": ...}; without data the schema is checked
    stdout   a line when the check begins, and one with its verdict, [kind, reason]
"""

import json
import signal
import sys
from enum import StrEnum
from typing import Any

PROGRAM = "llama_mcp.turns.schema_check"


class Kind(StrEnum):
    """What came of a check."""

    FINE = "fine"
    FAULT = "fault"
    TOO_DEEP = "too_deep"
    TOO_LONG = "too_long"
    """Not told: the process ends instead."""
    NOT_CHECKED = "not_checked"


def main() -> None:
    """Check what stdin asks for, once."""
    request = json.load(sys.stdin.buffer)
    # Imported before the time counts; a machine under load takes its time.
    import jsonschema
    import jsonschema_specifications  # type: ignore[import-untyped]  # no types

    _say("checking")
    end_after(request["limit_seconds"])
    try:
        if "data" in request:
            # With this registry no reference is fetched, neither by HTTP nor from a file.
            checker = jsonschema.Draft202012Validator(
                request["schema"], registry=jsonschema_specifications.REGISTRY
            )
            fault = next(checker.iter_errors(request["data"]), None)
        else:
            fault = _fault_of(request["schema"])
        verdict = (Kind.FAULT, fault.message) if fault else (Kind.FINE, "")
    except RecursionError as error:
        verdict = (Kind.TOO_DEEP, str(error))
    except Exception as error:  # whatever a schema refers to
        verdict = (Kind.NOT_CHECKED, str(error))
    _say(verdict)


if sys.platform == "win32":
    import ctypes
    from ctypes import wintypes

    ENDED_BY_LIMIT = 1
    _WT_EXECUTEINTIMERTHREAD = 0x20

    def end_after(seconds: float) -> None:
        """Have the system end this process then, unless it has ended by itself.

        The timer calls TerminateProcess itself: its own argument is the process (-1, this one), and
        the TRUE that a timer passes is the exit code.
        """
        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
        create_timer = kernel32.CreateTimerQueueTimer
        create_timer.argtypes = [
            *(ctypes.c_void_p, wintypes.HANDLE, ctypes.c_void_p, ctypes.c_void_p),
            *(wintypes.DWORD, wintypes.DWORD, wintypes.ULONG),
        ]
        end = ctypes.cast(kernel32.TerminateProcess, ctypes.c_void_p)
        timer = wintypes.HANDLE()
        milliseconds = int(seconds * 1000)
        if not create_timer(
            ctypes.byref(timer), None, end, -1, milliseconds, 0, _WT_EXECUTEINTIMERTHREAD
        ):
            raise ctypes.WinError(ctypes.get_last_error())

else:
    ENDED_BY_LIMIT = -signal.SIGALRM

    def end_after(seconds: float) -> None:
        """Have the system end this process then, unless it has ended by itself."""
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds)


def _say(answer: Any) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _fault_of(schema: Any) -> Any:
    import jsonschema

    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        return error
    return None


if __name__ == "__main__":
    main()
