"""The JSON schema of a reply: checked before anything is sent, and the reply against it.

Each check runs in a process of its own (schema_check.py), because nothing else can end one that
takes for ever. It costs 0.1 s of CPU, most of it for importing jsonschema, which llama-mcp itself
never does; only calls with a json_schema pay for it.
"""

import json
import logging
import math
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import anyio
from anyio.abc import ByteReceiveStream

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.keeper import spawning
from llama_mcp.llama_server.ready_server import ReadyServer
from llama_mcp.settings import inherited_environment
from llama_mcp.turns.chat_request import ChatRequest, Sampling, build_body
from llama_mcp.turns.schema_check import ENDED_BY_LIMIT, PROGRAM, Kind
from llama_mcp.turns.schemas.reading import read_schema

logger = logging.getLogger(__name__)

# A check takes milliseconds, on a slow machine under load perhaps a second.
CHECK_SECONDS = 5.0
# Python has to start and to import; a machine under load takes its time.
PROCESS_SECONDS = 60.0
TAKE_SECONDS = 10
# JSON readers, those of MCP clients too, stop at about 200 levels.
MAX_DEPTH = 100
MAX_REASON = 1200


@dataclass(frozen=True, slots=True)
class ParsedReply:
    """A reply as data when a schema was asked for, and what is wrong with it."""

    data: Any = None
    notes: tuple[str, ...] = ()
    miss: str | None = None
    """In what way it misses the schema; None when it keeps to it, or could not be checked."""
    is_whole: bool = False
    """It keeps to the schema."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of a check, and why."""

    kind: Kind
    reason: str


async def with_schema_read(request: ChatRequest) -> tuple[ChatRequest, Sequence[str]]:
    """Return the request with the schema that its json_schema means, and notes about it.

    Raises:
        InvalidArgumentError: It is no schema, or one that cannot be kept to or checked.
    """
    given = request.sampling.json_schema
    if given is None:
        return request, ()
    read = read_schema(given)
    await check_schema(read.schema)
    sampling = request.sampling.model_copy(update={"json_schema": read.schema})
    return replace(request, sampling=sampling), read.notes


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
    messages = [{"role": "user", "content": "."}]
    plain = sampling.model_copy(update={"json_schema": None})
    try:
        problem = await server.why_refused(build_body(messages, sampling), TAKE_SECONDS)
        # A template that refuses any such conversation says nothing about the schema.
        if problem and await server.why_refused(build_body(messages, plain), TAKE_SECONDS):
            return
    except TimeoutError as error:
        raise InvalidArgumentError(
            "json_schema",
            f"keeps llama-server busy for more than {TAKE_SECONDS} s",
            "Use a smaller one.",
        ) from error
    if problem is not None:
        raise InvalidArgumentError(
            "json_schema",
            f"cannot be kept to by llama-server: {problem}",
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
        data = _read_json(text)
    except RecursionError:
        return _too_deep()
    except ValueError as error:
        if not text.strip():
            return ParsedReply(miss="it was empty")
        return ParsedReply(notes=(f"The reply is not JSON: {error}.",), miss=f"not JSON, {error}")
    if _is_deeper(data, MAX_DEPTH):
        return _too_deep()
    verdict = await _ask(limit_seconds, schema=sampling.json_schema, data=data)
    if verdict.kind is Kind.FINE:
        return ParsedReply(data, is_whole=True)
    if verdict.kind is Kind.FAULT:
        problem = f"The reply does not keep to json_schema: {verdict.reason}"
        return ParsedReply(data, (problem,), miss=verdict.reason)
    return ParsedReply(
        data, (f"The reply could not be checked against json_schema: {verdict.reason}",)
    )


def _too_deep() -> ParsedReply:
    return ParsedReply(notes=("The reply is nested too deeply to be given as parsed.",))


def data_of(text: str) -> Any:
    """Return JSON as data; None when it is none, or nested deeper than clients can read."""
    try:
        data = _read_json(text)
    except (ValueError, RecursionError):
        return None
    return None if _is_deeper(data, MAX_DEPTH) else data


def _read_json(text: str) -> Any:
    """Return what Python reads, without the numbers that JSON does not have: clients get null."""
    return json.loads(text, parse_constant=_not_a_number, parse_float=_finite)


def _not_a_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _finite(digits: str) -> float:
    if math.isinf(number := float(digits)):
        raise ValueError(f"{digits[:40]} is too large a number")
    return number


async def _ask(limit_seconds: float, **what: Any) -> Verdict:
    """Have a process of its own check the data, or without data the schema; it always answers."""
    try:
        question = json.dumps({"limit_seconds": limit_seconds, **what})
        with anyio.fail_after(PROCESS_SECONDS):
            done = await _run_check(question.encode())
    except RecursionError as error:
        return Verdict(Kind.TOO_DEEP, str(error))
    except (OSError, anyio.BrokenResourceError) as error:
        logger.warning("The check of a json_schema did not run: %r", error)
        return Verdict(Kind.NOT_CHECKED, f"the check did not run ({error})")
    return _verdict_of(done, limit_seconds)


async def _run_check(question: bytes) -> "subprocess.CompletedProcess[bytes]":
    command, inherited = spawning.program_command(PROGRAM), inherited_environment()
    # A cancellation in here would leave a process that nobody waits for (anyio.run_process does).
    with anyio.CancelScope(shield=True):
        process = await anyio.open_process(
            command,
            env=spawning.python_environment(inherited, inherited),
            creationflags=spawning.CREATION_FLAGS,
        )
    outputs: dict[str, bytes] = {}

    async def read(name: str, stream: ByteReceiveStream) -> None:
        outputs[name] = b"".join([piece async for piece in stream])

    async with process:
        assert process.stdin and process.stdout and process.stderr
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read, "stdout", process.stdout)
            tasks.start_soon(read, "stderr", process.stderr)
            with suppress(anyio.BrokenResourceError):  # it has ended; its answer says why
                await process.stdin.send(question)
            await process.stdin.aclose()
        code = await process.wait()
    return subprocess.CompletedProcess(command, code, outputs["stdout"], outputs["stderr"])


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
