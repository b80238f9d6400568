"""The one place where failures become what a client sees.

An anticipated failure (LlamaMCPError) reaches the model with its own text, as does an argument that
does not fit its schema. Anything else is a bug: the SDK logs its traceback to stderr and gives the
model a generic text.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from mcp.server.mcpserver.exceptions import (
    ResourceError,
    ResourceNotFoundError,
    ToolError,
    UnexpectedToolError,
)
from mcp.shared.exceptions import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, Prompt
from pydantic import ValidationError

from llama_mcp.errors import (
    PLAIN_WORDS,
    InvalidArgumentError,
    LlamaMCPError,
    Step,
    Words,
)
from llama_mcp.llama_server.model_errors import UnknownModelError
from llama_mcp.llama_server.status import ServerStatus, with_step
from llama_mcp.models.errors import ModelUnusableError
from llama_mcp.sessions.errors import SessionAmbiguousError, SessionNotFoundError
from llama_mcp.sessions.texts import clean_text
from llama_mcp.surface.sizes import cut_middle
from llama_mcp.toolsets import TOOLS
from llama_mcp.visible_text import visible
from llama_mcp.wording import shortened

MAX_SHOWN_VALUE = 80
# An error may quote a reply, a path or an argument.
MAX_ERROR_CHARACTERS = 60_000
# What to do next, as a model that has our tools does it.
TOOL_WORDS: Words = {
    Step.START: "call start_llama_server",
    Step.STOP: "call stop_llama_server",
    Step.FORCE_STOP: "call stop_llama_server with force=true",
    Step.STOP_LAST: "call stop_llama_server",
    Step.STOP_ONE: "call stop_llama_server with the name of one of them as model",
    Step.REPLACE: "pass replace=true",
    Step.STATUS: "call status",
    Step.CHAT: "call chat",
    Step.WAIT: "call wait_for_reply",
    Step.CANCEL: "call cancel_reply",
    Step.FORK: "call fork_session",
    Step.LIST_SESSIONS: "call list_sessions",
    Step.DOWNLOAD: "call download_model",
    Step.RUN_ON_FILES: "call run_on_files",
}
# The same where several models may run: what an error is about need not be what was started last.
_ITS_NAME = " and its name as model"
OF_SEVERAL: Words = {
    Step.STOP: "call stop_llama_server with its name as model",
    Step.FORCE_STOP: f"{TOOL_WORDS[Step.FORCE_STOP]}{_ITS_NAME}",
}

# Leaves out of a text what its caller may not see; None leaves all.
Discreetly = Callable[[str], str] | None

# Steps whose words name no tool, with the one that takes them.
_TAKEN_BY = {Step.REPLACE: "start_llama_server"}
# What a client can do without a tool.
_WITHOUT_A_TOOL = {Step.WAIT: PLAIN_WORDS[Step.WAIT]}


def words_for(offered: Collection[str], *, has_several_models: bool = False) -> Words:
    """Return the words for a client that has only these tools: the rest its operator can do."""
    words = {**TOOL_WORDS, **(OF_SEVERAL if has_several_models else {})}
    for step, text in TOOL_WORDS.items():
        tool = _TAKEN_BY.get(step) or next(iter(TOOLS.intersection(text.split())))
        if tool not in offered:
            words[step] = _WITHOUT_A_TOOL.get(step, f"let the operator {PLAIN_WORDS[step]}")
    return words


def explain_tool_failure(
    failure: ToolError, words: Words = TOOL_WORDS, discreetly: Discreetly = None
) -> ToolError:
    """Return the failure with the text that the model should read."""
    text = _told(failure, words, discreetly)
    if text is not None:
        return ToolError(text)
    is_crash = isinstance(failure, UnexpectedToolError)
    if isinstance(failure.__cause__, ValidationError) and not is_crash:
        return ToolError(_shown(describe_arguments(failure.__cause__)))
    if is_crash:
        return UnexpectedToolError(
            f"{failure}: an error inside llama-mcp ({type(failure.__cause__).__name__}). Try once "
            "more; if it comes back, tell the user that llama-mcp's log (its stderr) has the "
            "details."
        )
    return failure


def explain_resource_failure(
    failure: ResourceError, words: Words = TOOL_WORDS, discreetly: Discreetly = None
) -> ResourceError:
    """Return the failure with the text that the client should read."""
    text = _told(failure, words, discreetly)
    if text is None:
        return failure
    cause = anticipated_cause(failure)
    is_missing = isinstance(cause, SessionNotFoundError | ModelUnusableError | UnknownModelError)
    return (ResourceNotFoundError if is_missing else ResourceError)(text)


def explain_prompt_failure(
    failure: Exception, words: Words = TOOL_WORDS, discreetly: Discreetly = None
) -> MCPError | Exception:
    """Return the failure as the JSON-RPC error that the client should read; a bug as it is."""
    cause = anticipated_cause(failure)
    text = None if cause is None else _told(failure, words, discreetly)
    if text is None:
        return failure
    is_wrong = isinstance(
        cause, SessionNotFoundError | SessionAmbiguousError | InvalidArgumentError
    )
    code = INVALID_PARAMS if is_wrong else INTERNAL_ERROR
    return MCPError(code, text)


def prompt_arguments(
    name: str, given: Mapping[str, str], prompts: Iterable[Prompt]
) -> dict[str, str]:
    """Return what a prompt was given; hosts pass an empty text for what a person left out.

    Raises:
        MCPError: there is no such prompt, or what it was given is not what it takes.
    """
    known = {prompt.name: prompt.arguments or [] for prompt in prompts}
    if name not in known:
        there_are = f"There are: {', '.join(known)}." if known else "There is none."
        raise MCPError(INVALID_PARAMS, _shown(f"Unknown prompt: {name[:200]}. {there_are}"))
    taken = [argument.name for argument in known[name]]
    if unknown := sorted(given.keys() - set(taken)):
        takes = f"It takes: {', '.join(taken) or 'no arguments'}."
        names = ", ".join(map(repr, unknown))[:200]
        raise MCPError(
            INVALID_PARAMS, _shown(f"The prompt {name} has no argument {names}. {takes}")
        )
    said = {each: text for each, text in given.items() if text.strip()}
    for argument in known[name]:
        if argument.required and argument.name not in said:
            raise MCPError(
                INVALID_PARAMS,
                f"The prompt {name} needs {argument.name}: {argument.description or 'a text.'}",
            )
    return said


def describe_refusal(error: OSError) -> str:
    """Say what the operating system refused, where nothing nearer to it could explain it."""
    what = " -> ".join(str(name) for name in (error.filename, error.filename2) if name)
    return (
        f"The operating system refused what this needs: {error.strerror or error}"
        f"{f' ({what})' if what else ''}. Set that right, or let the operator set LLAMA_MCP_HOME "
        "to another folder if it lies in llama-mcp's own, then call again."
    )


def anticipated_cause(failure: BaseException) -> LlamaMCPError | None:
    """Return the LlamaMCPError that the SDK has wrapped; None for a bug."""
    cause: BaseException | None = failure
    while cause is not None and not isinstance(cause, LlamaMCPError):
        cause = cause.__cause__
    return cause


def with_next_step(status: ServerStatus, words: Words = TOOL_WORDS) -> ServerStatus:
    """Return the status with what to do next at the end of its message."""
    if status.model is None:  # nobody knows its name
        words = {**words, Step.FORCE_STOP: words[Step.FORCE_STOP].replace(_ITS_NAME, "")}
    return with_step(status, words)


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
            _shown(
                f"{tool} has no parameter {', '.join(map(repr, unknown))[:200]}. It takes: {takes}."
            )
        )


def unknown_tool(name: str, known: Iterable[str]) -> ToolError:
    """Return the error for a tool that there is not."""
    return ToolError(_shown(f"Unknown tool: {name[:200]}. There are: {', '.join(known)}."))


def _told(failure: Exception, words: Words, discreetly: Discreetly) -> str | None:
    """Return what is told of an anticipated failure, or of what the system refuses."""
    cause = anticipated_cause(failure)
    if cause is not None:
        told = cause.told(words) if discreetly is None else cause.told_discreetly(words)
    elif isinstance(failure.__cause__, OSError):
        told = describe_refusal(failure.__cause__)
    else:
        return None
    return _shown(told if discreetly is None else discreetly(told))


def _shown(text: str) -> str:
    return cut_middle(visible(clean_text(text)), MAX_ERROR_CHARACTERS)


def _describe_fault(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"]) or "arguments"
    if fault["type"] == "missing":
        return f"{where} is missing."
    shown = shortened(repr(fault["input"]), MAX_SHOWN_VALUE)
    problem = fault["msg"].replace("Input should", "should", 1)
    problem = problem.replace("a valid dictionary", "a JSON object")
    return f"{where} {problem} (it is {shown}).{_as_list(fault)}{_as_fields(fault)}"


def _as_fields(fault: Any) -> str:
    """How to pass names of fields where a JSON schema belongs."""
    names = fault["input"]
    if fault["loc"] != ("json_schema",) or not isinstance(names, list):
        return ""
    fields = [name for name in names if isinstance(name, str) and len(name) <= MAX_SHOWN_VALUE]
    shown = json.dumps(dict.fromkeys(fields[:5] or ["name"], "string"), ensure_ascii=False)
    return f" Pass names of fields and their types, such as {shown}."


def _as_list(fault: Any) -> str:
    """How to pass a text where a list belongs."""
    text = fault["input"]
    if fault["type"] != "list_type" or not isinstance(text, str) or len(text) > MAX_SHOWN_VALUE:
        return ""
    items = text.split() if text.startswith("-") else [text]
    return f" Pass {json.dumps(items, ensure_ascii=False)}."
