"""What a caller asks of one turn, checked, and the request body that it becomes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from llama_mcp.callers import NO_LIMITS, Limits
from llama_mcp.errors import InvalidArgumentError
from llama_mcp.ranges import MaxTokens, Seed, Share, StopText, Temperature, TopK
from llama_mcp.sessions.attachments import Attachment, SaveTo
from llama_mcp.sessions.records import Message
from llama_mcp.turns.schemas.grammar_form import grammar_form

# What llama-server streams besides the reply: the usage chunk and progress of reading the prompt.
STREAM_OPTIONS: Mapping[str, Any] = {
    "stream_options": {"include_usage": True},
    "return_progress": True,
    "cache_prompt": True,
}


# llama-server goes on with a last message of the assistant, and sends only what is new
# (llama.cpp: common/chat.cpp, common_chat_continuation_parse).
GO_ON: Mapping[str, Any] = {"continue_final_message": True, "add_generation_prompt": False}

# What to do when history no longer fits the window: leave the oldest turns out, or refuse.
Overflow = Literal["trim", "error"]


class Sampling(BaseModel, frozen=True):
    """How the reply is drawn; None leaves it to llama-server and the model."""

    temperature: Temperature | None = None
    top_p: Share | None = None
    top_k: TopK | None = None
    min_p: Share | None = None
    max_tokens: MaxTokens | None = None
    seed: Seed | None = None
    stop: tuple[StopText, ...] = ()
    json_schema: dict[str, Any] | None = None
    thinking: bool | None = None

    def given(self) -> dict[str, Any]:
        """Return what was set, by name, as the archive keeps it."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value is not None and value != ()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One call of chat."""

    message: str
    owner: str
    """Who asks: the session is one of its own, or becomes one."""
    limits: Limits = NO_LIMITS
    """What the owner's turns may take."""
    session_id: str | None = None
    model: str | None = None
    """The only model that will do, by path or name; None for the session's, or what runs."""
    system_prompt: str | None = None
    history: Sequence[Message] = ()
    sampling: Sampling = Sampling()
    overflow: Overflow = "trim"
    files: tuple[Attachment, ...] = ()
    """What is sent with the message."""
    file_notes: tuple[str, ...] = ()
    """What the caller should know of how they were read."""
    save_to: SaveTo | None = None
    """Where the reply is to be written."""
    wait_seconds: float = 60.0
    """How long its caller waits."""

    def check(self) -> None:
        """Raise InvalidArgumentError for what cannot be sent."""
        if not self.message.strip():
            raise InvalidArgumentError("message", "is empty", "Say something to the model.")


def build_body(messages: Sequence[Mapping[str, Any]], sampling: Sampling) -> dict[str, Any]:
    """Return the body for /v1/chat/completions; what is unset is left to llama-server.

    Messages that end with one of the assistant ask for the rest of it.

    The schema goes nested: the flat form of llama-server's README is ignored by it
    (llama.cpp: server-common.cpp:1307-1309).
    """
    body: dict[str, Any] = {"messages": list(messages), **STREAM_OPTIONS, **sampling.given()}
    if messages and messages[-1]["role"] == "assistant":
        body |= GO_ON
    schema = body.pop("json_schema", None)
    if schema is not None:
        form = {"schema": grammar_form(schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    thinking = body.pop("thinking", None)
    if thinking is not None:
        body["chat_template_kwargs"] = {"enable_thinking": thinking}
    return body
