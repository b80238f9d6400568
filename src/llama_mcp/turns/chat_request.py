"""What a caller asks of one turn, checked, and the request body that it becomes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.sessions.records import Message

# What llama-server streams besides the reply: the usage chunk and how far the prompt is read.
STREAM_OPTIONS: Mapping[str, Any] = {
    "stream_options": {"include_usage": True},
    "return_progress": True,
    "cache_prompt": True,
}


# What to do when history no longer fits the window: leave the oldest turns out, or refuse.
Overflow = Literal["trim", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the reply is drawn; None leaves it to llama-server and the model."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    json_schema: Mapping[str, Any] | None = None
    thinking: bool | None = None

    def check(self) -> None:
        """Raise InvalidArgumentError for the first value out of its range."""
        _check_range("temperature", self.temperature, 0, 2)
        _check_range("top_p", self.top_p, 0, 1)
        _check_range("min_p", self.min_p, 0, 1)
        _check_range("top_k", self.top_k, 0, None)
        _check_range("max_tokens", self.max_tokens, 1, None)
        if any(not text for text in self.stop):
            raise InvalidArgumentError("stop", "holds an empty text", "Leave it out.")

    def given(self) -> dict[str, Any]:
        """Return what was set, by name, as the archive keeps it."""
        names = self.__slots__
        values = {name: getattr(self, name) for name in names}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
            if value is not None and value != ()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """One call of chat."""

    message: str
    session_id: str | None = None
    system_prompt: str | None = None
    history: Sequence[Message] = ()
    sampling: Sampling = Sampling()
    overflow: Overflow = "trim"

    def check(self) -> None:
        """Raise InvalidArgumentError for what cannot be sent."""
        if not self.message.strip():
            raise InvalidArgumentError("message", "is empty", "Say something to the model.")
        self.sampling.check()


def build_body(messages: Sequence[Mapping[str, str]], sampling: Sampling) -> dict[str, Any]:
    """Return the body for /v1/chat/completions; what is unset is left to llama-server.

    The schema goes nested: the flat form of llama-server's README is ignored by it
    (llama.cpp: server-common.cpp:1307-1309).
    """
    body: dict[str, Any] = {"messages": list(messages), **STREAM_OPTIONS, **sampling.given()}
    schema = body.pop("json_schema", None)
    if schema is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": {"schema": schema}}
    thinking = body.pop("thinking", None)
    if thinking is not None:
        body["chat_template_kwargs"] = {"enable_thinking": thinking}
    return body


def _check_range(name: str, value: float | None, low: float, high: float | None) -> None:
    if value is None or (low <= value and (high is None or value <= high)):
        return
    limits = f"at least {low}" if high is None else f"from {low} to {high}"
    raise InvalidArgumentError(name, f"is {value}", f"Pass a number {limits}, or leave it out.")
