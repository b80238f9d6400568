"""A program: checks a JSON schema, or data against one, and is ended when that takes too long.

A schema comes from an agent. Its patterns, or references that multiply, can make checking take for
ever, and a regular expression holds Python's lock: only the end of the process stops it. The system
ends it by a timer that needs no lock, also when whoever asked is gone.

    stdin    {"schema": ..., "limit_seconds": ..., "data": ...}; without data the schema is checked
    stdout   a line when the check begins, and one with its verdict, [kind, reason]

A schema is judged by the draft that its `$schema` names. Without one it is judged by the newest
draft in which it is valid: an `items` that is a list, or an `exclusiveMinimum` that is true, is
right in older ones only.
"""

import json
import re
import signal
import sys
from enum import StrEnum
from itertools import islice
from typing import Any

from llama_mcp.turns.schemas.keywords import TYPES, every_object
from llama_mcp.wording import shortened

PROGRAM = "llama_mcp.turns.schema_check"

# As many faults of a reply are told, each with as many characters.
MAX_FAULTS = 5
MAX_SHOWN = 200

_DRAFT = re.compile(r"json-schema\.org/(?:draft-0?(\d)|draft/(\d{4}-\d\d))/(?:hyper-)?schema")
# Keywords that newer drafts ignore, and those that came instead of them.
_OLD = {"dependencies", "additionalItems"}
_NEW = {"dependentRequired", "dependentSchemas", "prefixItems", "unevaluatedProperties"}


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

    _say("checking")
    end_after(request["limit_seconds"])
    try:
        verdict = _verdict(request)
    except RecursionError as error:
        verdict = (Kind.TOO_DEEP, str(error))
    except jsonschema.SchemaError as error:
        verdict = (Kind.FAULT, _told(error) + _types(error))
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


def _verdict(request: Any) -> tuple[Kind, str]:
    schema = request["schema"]
    draft = _draft_of(schema)
    if "data" not in request:
        return Kind.FINE, ""
    import jsonschema_specifications  # type: ignore[import-untyped]  # no types

    # With this registry no reference is fetched, neither by HTTP nor from a file.
    checker = draft(schema, registry=jsonschema_specifications.REGISTRY)
    faults = list(islice(checker.iter_errors(request["data"]), MAX_FAULTS))
    return (Kind.FAULT, "; ".join(map(_told, faults))) if faults else (Kind.FINE, "")


def _draft_of(schema: Any) -> Any:
    """Return the validator class by which the schema is judged.

    Raises:
        jsonschema.SchemaError: It is valid in no draft, or not in the one that it names.
    """
    import jsonschema

    drafts = {
        "2020-12": jsonschema.Draft202012Validator,
        "2019-09": jsonschema.Draft201909Validator,
        "7": jsonschema.Draft7Validator,
        "6": jsonschema.Draft6Validator,
        "4": jsonschema.Draft4Validator,
        "3": jsonschema.Draft3Validator,
    }
    named = _DRAFT.search(str(schema.get("$schema", "")))
    if named and (draft := drafts.get(named[1] or named[2])):
        draft.check_schema(schema)
        return draft
    newest, *older = drafts.values()
    candidates = [newest, *older[:-1]]
    if any(_OLD & set(part) and not _NEW & set(part) for part in every_object(schema)):
        candidates = [jsonschema.Draft7Validator, *candidates]
    for draft in candidates:
        if not any(draft(draft.META_SCHEMA).iter_errors(schema)):
            return draft
    newest.check_schema(schema)
    return newest


def _told(fault: Any) -> str:
    where = fault.json_path.removeprefix("$").removeprefix(".")
    shown = shortened(str(fault.message), MAX_SHOWN)
    return f"{shown} (at {where})" if where else shown


def _types(fault: Any) -> str:
    """Return which types there are, where a schema names another."""
    is_type = isinstance(fault.instance, str) and list(fault.absolute_path)[-1:] == ["type"]
    return f"; types are {', '.join(sorted(TYPES))}" if is_type else ""


if __name__ == "__main__":
    main()
