"""The JSON schema of a reply: checked before anything is sent, and the reply against it.

Each check runs in a process of its own (schema_check.py), because nothing else can end one that
takes for ever. It costs 0.1 s of CPU, most of it for importing jsonschema, which llama-mcp itself
never does; only calls with a json_schema pay for it.
"""

import json
import logging
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import anyio

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.keeper.spawning import CREATION_FLAGS
from llama_mcp.llama_server.ready_server import ReadyServer
from llama_mcp.turns.chat_request import Sampling, build_body
from llama_mcp.turns.schema_check import ENDED_BY_LIMIT, PROGRAM, Kind

logger = logging.getLogger(__name__)

# A check takes milliseconds, on a slow machine under load perhaps a second.
CHECK_SECONDS = 5.0
# Python has to start and to import; a machine under load takes its time.
PROCESS_SECONDS = 60.0
TAKE_SECONDS = 10
# JSON readers, those of MCP clients too, stop at about 200 levels.
MAX_DEPTH = 100
MAX_REASON = 300


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """A reply as data when a schema was asked for, and what is wrong with it."""

    data: Any = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a check, and why."""

    kind: Kind
    reason: str


async def check_schema(schema: Mapping[str, Any]) -> None:
    """Raise InvalidArgumentError when json_schema is not a JSON schema that can be checked."""
    verdict = await _ask(CHECK_SECONDS, schema=schema)
    if verdict.kind is Kind.FAULT:
        raise InvalidArgumentError(
            "json_schema", f"is not a JSON schema ({verdict.reason})", "Correct it and try again."
        )
    if verdict.kind is Kind.TOO_DEEP:
        raise InvalidArgumentError(
            "json_schema", "is nested too deeply", "Make it flatter and try again."
        )
    if verdict.kind is Kind.TOO_LONG:
        raise InvalidArgumentError(
            "json_schema", f"cannot be checked: {verdict.reason}", "Make it simpler and try again."
        )


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


async def parse_reply(
    text: str, sampling: Sampling, limit_seconds: float = CHECK_SECONDS
) -> ParsedReply:
    """Return the reply as data when a schema was asked for, and what is wrong with it.

    Args:
        text: the whole reply.
        sampling: what was asked for.
        limit_seconds: after so long the check is given up.
    """
    if sampling.json_schema is None:
        return ParsedReply()
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        problem = "The reply is not complete JSON; a larger max_tokens may help."
        return ParsedReply(notes=(problem,))
    if _is_deeper(data, MAX_DEPTH):
        problem = "The reply is JSON nested too deeply to be given as parsed."
        return ParsedReply(notes=(problem,))
    verdict = await _ask(limit_seconds, schema=sampling.json_schema, data=data)
    if verdict.kind is Kind.FINE:
        return ParsedReply(data)
    problem = (
        "does not keep to json_schema"
        if verdict.kind is Kind.FAULT
        else "could not be checked against json_schema"
    )
    return ParsedReply(data, (f"The reply {problem}: {verdict.reason}",))


async def _ask(limit_seconds: float, **what: Any) -> Verdict:
    """Have a process of its own check the data, or without data the schema; it always answers."""
    try:
        question = json.dumps({"limit_seconds": limit_seconds, **what})
        with anyio.fail_after(PROCESS_SECONDS):
            done = await anyio.run_process(
                [sys.executable, "-P", "-m", PROGRAM],
                input=question.encode(),
                check=False,
                creationflags=CREATION_FLAGS,
            )
    except RecursionError as error:
        return Verdict(Kind.TOO_DEEP, str(error))
    except (OSError, anyio.BrokenResourceError) as error:
        logger.warning("The check of a json_schema did not run: %r", error)
        return Verdict(Kind.NOT_CHECKED, f"the check did not run ({error})")
    return _verdict_of(done, limit_seconds)


def _verdict_of(done: "subprocess.CompletedProcess[bytes]", limit_seconds: float) -> Verdict:
    match done.stdout.splitlines():
        case [_, verdict]:
            kind, reason = json.loads(verdict)
            return Verdict(Kind(kind), reason[:MAX_REASON])
        # An error of Python's has that exit code on Windows, too, and says so.
        case [_] if done.returncode == ENDED_BY_LIMIT and not done.stderr:
            return Verdict(Kind.TOO_LONG, f"it takes longer than {limit_seconds:g} s")
    logger.warning(
        "The check of a json_schema ended with %d: %s",
        done.returncode,
        done.stderr.decode("utf-8", "replace")[-MAX_REASON:],
    )
    return Verdict(Kind.NOT_CHECKED, f"the check ended with exit code {done.returncode}")


def _is_deeper(data: Any, levels: int) -> bool:
    if not isinstance(data, dict | list):
        return False
    items = data.values() if isinstance(data, dict) else data
    return levels == 0 or any(_is_deeper(item, levels - 1) for item in items)
