"""A program: checks a JSON schema, or data against one, and is ended when that takes too long.

A schema comes from an agent. Its patterns, or references that multiply, can make checking take for
ever, and a regular expression holds Python's lock: only the end of the process stops it.
faulthandler ends it from a thread that needs no lock, on every platform, and also when whoever
asked is gone.

    stdin    {"schema": ..., "limit_seconds": ..., "data": ...}; without data the schema is checked
    stdout   a line when the check begins, and one with its verdict, [kind, reason]
"""

import faulthandler
import json
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
    """Not told: the process ends with exit code 1 instead."""
    NOT_CHECKED = "not_checked"


def main() -> None:
    """Check what stdin asks for, once."""
    request = json.load(sys.stdin.buffer)
    # Imported before the time counts; a machine under load takes its time.
    import jsonschema
    import jsonschema_specifications  # type: ignore[import-untyped]  # no types

    _say("checking")
    faulthandler.dump_traceback_later(request["limit_seconds"], exit=True)
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
