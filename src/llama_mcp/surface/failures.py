"""The one place where failures become what a client sees.

An anticipated failure (LlamaMCPError) reaches the model with its own text, as does an argument that
does not fit its schema. Anything else is a bug: the SDK logs its traceback to stderr and gives the
model a generic text.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from mcp.server.mcpserver.exceptions import (
    ResourceError,
    ResourceNotFoundError,
    ToolError,
    UnexpectedToolError,
)
from pydantic import ValidationError

from llama_mcp.errors import LlamaMCPError, Step, Words, in_words
from llama_mcp.llama_server.status import NEXT_STEPS, ServerStatus
from llama_mcp.sessions.errors import SessionNotFoundError
from llama_mcp.sessions.texts import clean_text

MAX_SHOWN_VALUE = 80
# What to do next, as a model that has our tools does it.
TOOL_WORDS: Words = {
    Step.START: "call start_llama_server",
    Step.STOP: "call stop_llama_server",
    Step.FORCE_STOP: "call stop_llama_server with force=true",
    Step.REPLACE: "pass replace=true",
    Step.STATUS: "call status",
    Step.CHAT: "call chat",
    Step.WAIT: "call wait_for_reply",
    Step.CANCEL: "call cancel_reply",
    Step.FORK: "call fork_session",
}


def explain_tool_failure(failure: ToolError) -> ToolError:
    """Return the failure with the text that the model should read."""
    cause = anticipated_cause(failure)
    if cause is not None:
        return ToolError(clean_text(cause.told(TOOL_WORDS)))
    is_crash = isinstance(failure, UnexpectedToolError)
    if isinstance(failure.__cause__, ValidationError) and not is_crash:
        return ToolError(clean_text(describe_arguments(failure.__cause__)))
    return failure


def explain_resource_failure(failure: ResourceError) -> ResourceError:
    """Return the failure with the text that the client should read."""
    cause = anticipated_cause(failure)
    if cause is None:
        return failure
    kind = ResourceNotFoundError if isinstance(cause, SessionNotFoundError) else ResourceError
    return kind(clean_text(cause.told(TOOL_WORDS)))


def anticipated_cause(failure: BaseException) -> LlamaMCPError | None:
    """Return the LlamaMCPError that the SDK has wrapped; None for a bug."""
    cause: BaseException | None = failure
    while cause is not None and not isinstance(cause, LlamaMCPError):
        cause = cause.__cause__
    return cause


def with_next_step(status: ServerStatus) -> ServerStatus:
    """Return the status with what to do next at the end of its message."""
    step = in_words(NEXT_STEPS.get(status.state, ""), TOOL_WORDS)
    return status.model_copy(update={"message": f"{status.message} {step}".rstrip()})


def describe_arguments(error: ValidationError) -> str:
    """Say which arguments do not fit, and how, in words for the model that passed them."""
    faults = [_describe_fault(fault) for fault in error.errors(include_url=False)]
    return " ".join(faults) + " Correct this and call again; nothing was done."


def check_names(tool: str, arguments: Mapping[str, Any], known: Iterable[str]) -> None:
    """Raise ToolError for an argument that the tool does not have: it would be lost in silence."""
    names = list(known)
    unknown = sorted(set(arguments) - set(names))
    if unknown:
        takes = ", ".join(names) if names else "no parameters"
        raise ToolError(
            clean_text(
                f"{tool} has no parameter {', '.join(map(repr, unknown))[:200]}. It takes: {takes}."
            )
        )


def _describe_fault(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"]) or "arguments"
    if fault["type"] == "missing":
        return f"{where} is missing."
    given = repr(fault["input"])
    shown = given if len(given) <= MAX_SHOWN_VALUE else given[:MAX_SHOWN_VALUE] + "…"
    problem = fault["msg"].replace("Input should", "should", 1)
    return f"{where} {problem} (it is {shown})."
