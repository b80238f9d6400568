"""What llama-server means when it refuses a request, and what its caller can do.

A cause is named only where llama-server's words, or what was sent, establish it. The words are
those of llama.cpp's server code and of its two template engines (minja until 2025, its own since).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from llama_mcp.llama_server.errors import CompletionError
from llama_mcp.wording import shortened

# How many characters of a refusal an error repeats.
SHOWN = 1000

# What newer builds put before the fault of a template or of a schema.
_PREFIX = re.compile(r"^Unable to generate parser for this template\. [^:]*: *", re.DOTALL)
# What a template says with raise_exception.
_RAISED = re.compile(r"Jinja Exception: *(?P<words>.+)|^(?P<old>.+?) at row \d+, column \d+:", re.S)
_TEMPLATE = re.compile(r"Jinja Exception|While executing \w+ at line|at row \d+, column \d+:")
_GRAMMAR = re.compile(r"failed to parse grammar|grammar stack|JSON schema (error|conversion)")
_CONTEXT = re.compile(r"exceeds the available context size|context size has been", re.IGNORECASE)
_NAMES_ONE = re.compile(r"^(Field '|Unsupported param|Error: \w+ must)")

# What a request holds beside what a caller asked for.
_OURS = {"messages", "stream", "stream_options", "return_progress", "cache_prompt"}
_NAMES = {"response_format": "json_schema", "chat_template_kwargs": "thinking"}
_AGAIN = "{Status}; if it happens again, {stop}, then {start}."
_OTHER_TEMPLATE = (
    "with another model, or with another template: {replace} and "
    'extra_args=["--chat-template", "chatml"].'
)


@dataclass(frozen=True, slots=True)
class _Refusal:
    status: int
    message: str
    body: Mapping[str, Any]

    @property
    def parameters(self) -> list[str]:
        """What the caller has set, by the names that the caller knows."""
        return [_NAMES.get(name, name) for name in self.body if name not in _OURS]

    @property
    def has_schema(self) -> bool:
        return "response_format" in self.body

    @property
    def roles(self) -> list[str]:
        messages = self.body.get("messages") or []
        return [str(message.get("role")) for message in messages]


def error_from(
    status: int, content: bytes, body: Mapping[str, Any] | None = None
) -> CompletionError:
    """Turn llama-server's error envelope into words; the message tells more than the type.

    Args:
        status: of HTTP.
        content: the answer.
        body: what was sent.
    """
    refusal = _Refusal(int(status), _message(content), body or {})
    problem, next_step = _meaning(refusal)
    return CompletionError(f"{problem} (HTTP {refusal.status})", next_step)


def _message(content: bytes) -> str:
    try:
        fault = json.loads(content)
        message = str(fault.get("error", fault)["message"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        message = content.decode("utf-8", "replace").strip()[:300] or "no explanation"
    return _PREFIX.sub("", message)


def _meaning(refusal: _Refusal) -> tuple[str, str]:
    """Return what happened and what to do next."""
    message = refusal.message
    shown = shortened(message, SHOWN)
    if _CONTEXT.search(message):
        return shown, (
            "Begin a new session, shorten the message, or start with a larger ctx_size if the "
            "model was trained for one."
        )
    if _TEMPLATE.search(message):
        return _of_template(refusal)
    if refusal.has_schema and _GRAMMAR.search(message):
        return (
            f"no grammar can be made of the json_schema: {shown}",
            "Use a simpler one: types, properties, required, enum, items.",
        )
    if refusal.has_schema and "initialize samplers" in message:
        return (
            "this model and build of llama.cpp cannot keep to a json_schema: its grammar does not "
            f"go with the model's template or vocabulary ({shown})",
            "Leave json_schema out and ask for JSON in the message, or {start} with another build "
            "or model.",
        )
    return shown, _by_status(refusal)


def _of_template(refusal: _Refusal) -> tuple[str, str]:
    """Return what the model's template says of the conversation, and what it may take."""
    raised = _RAISED.search(refusal.message)
    words = raised and (raised["words"] or raised["old"])
    said = f'"{words.strip()[:SHOWN]}"' if words else refusal.message[-SHOWN:]
    problem = f"the model's chat template refuses {', '.join(refusal.roles) or 'it'}: {said}"
    if "system" in refusal.roles:
        return problem, (
            "Put the system prompt into the message and leave system_prompt out, or {start} "
            + _OTHER_TEMPLATE
        )
    return problem, "{Start} " + _OTHER_TEMPLATE


def _by_status(refusal: _Refusal) -> str:
    """Return the next step for a refusal whose words say no more."""
    status, message = refusal.status, refusal.message
    if "mmproj" in message or "does not support multimodal" in message:
        return "This model reads text only."
    match status:
        case HTTPStatus.SERVICE_UNAVAILABLE if "oading" in message:
            return "The model is still loading; {status}, then try again."
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return "It wants an API key that llama-mcp does not have; {stop}, then {start}."
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return "Shorten the message."
        case HTTPStatus.NOT_FOUND | HTTPStatus.NOT_IMPLEMENTED:
            return "{Start} with a newer llama.cpp; this build does not have it."
    if not 400 <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return _AGAIN
    if _NAMES_ONE.search(message):
        return "Change the parameter that it names and try again."
    if refusal.parameters:
        return f"Leave out {', '.join(refusal.parameters)}, or change it, and try again."
    return _AGAIN
