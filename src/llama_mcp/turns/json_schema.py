"""The JSON schema of a reply: checked before anything is sent, and the reply against it."""

import json
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.llama_server.ready_server import ReadyServer
from llama_mcp.turns.chat_request import Sampling, build_body

# jsonschema is imported where it is used: 60 ms that only these calls need.

# Patterns, or references that multiply, can make checking take for ever.
CHECK_SECONDS = 0.25
TAKE_SECONDS = 10
# JSON readers, those of MCP clients too, stop at about 200 levels.
MAX_DEPTH = 100


def check_schema(schema: Mapping[str, Any]) -> None:
    """Raise InvalidArgumentError when json_schema is not a JSON schema."""
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise InvalidArgumentError(
            "json_schema", f"is not a JSON schema ({error.message})", "Correct it and try again."
        ) from error
    except RecursionError as error:
        raise InvalidArgumentError(
            "json_schema", "is nested too deeply", "Make it flatter and try again."
        ) from error


async def check_taken(server: ReadyServer, sampling: Sampling) -> None:
    """Check that llama-server can enforce the schema. A build that cannot tell is trusted.

    Raises:
        InvalidArgumentError: It cannot.
        LlamaMCPError: It does not answer.
    """
    body = build_body([{"role": "user", "content": "."}], sampling)
    try:
        problem = await server.why_refused(body, TAKE_SECONDS)
    except TimeoutError as error:
        raise InvalidArgumentError(
            "json_schema",
            f"keeps llama-server busy for more than {TAKE_SECONDS} s",
            "Use a smaller one.",
        ) from error
    if problem is not None:
        raise InvalidArgumentError(
            "json_schema",
            f"cannot be kept to by llama-server ({problem})",
            "Use a simpler one: types, properties, required, enum, items.",
        )


def parse_reply(text: str, sampling: Sampling) -> tuple[Any, list[str]]:
    """Return the reply as data when a schema was asked for, and what is wrong with it."""
    if sampling.json_schema is None:
        return None, []
    from jsonschema import Draft202012Validator
    from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]  # no types

    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return None, ["The reply is not complete JSON; a larger max_tokens may help."]
    if _is_deeper(data, MAX_DEPTH):
        return None, ["The reply is JSON nested too deeply to be given as parsed."]
    try:
        # With this registry no reference is fetched, neither by HTTP nor from a file.
        checker = Draft202012Validator(sampling.json_schema, registry=REGISTRY)
        with time_limit(CHECK_SECONDS):
            fault = next(checker.iter_errors(data), None)
    except Exception as error:  # whatever a schema refers to, the reply itself is given
        return data, [f"The reply could not be checked against json_schema: {error}"[:300]]
    return data, [f"The reply does not keep to json_schema: {fault.message[:200]}"] if fault else []


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in code that takes longer, also in the middle of a regular expression.

    The code must run on the main thread: regular expressions hold Python's lock, and no thread can
    be ended. On other threads, and where there is no timer signal (Windows), there is no limit.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if sys.platform == "win32" or not is_main:
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"it takes longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, stop)
    # Repeated, because Python swallows what is raised in a finalizer.
    signal.setitimer(signal.ITIMER_REAL, seconds, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _is_deeper(data: Any, levels: int) -> bool:
    if not isinstance(data, dict | list):
        return False
    items = data.values() if isinstance(data, dict) else data
    return levels == 0 or any(_is_deeper(item, levels - 1) for item in items)
