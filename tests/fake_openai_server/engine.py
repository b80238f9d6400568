"""The engine: what it answers, and everything that can be wrong with it."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

SENTENCE = "The quick brown fox jumps over the lazy dog."
THOUGHT = "A pangram is wanted."
CHAT, MODELS, TOKENIZE = "/v1/chat/completions", "/v1/models", "/tokenize"
STANDARD = {
    *("model", "messages", "stream", "stream_options", "temperature", "top_p", "max_tokens"),
    *("seed", "stop", "response_format", "user", "max_completion_tokens"),
}


@dataclass
class Asked:
    """One request that came."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any


@dataclass
class Refusal:
    """An answer in the place of the right one."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class FakeEngine:
    """What it is and what is the matter with it; a test sets it at any time."""

    behaves_as: Literal["vllm", "ollama", "plain"] = "plain"
    window: int = 4096
    models: tuple[str, ...] = ("some-model",)
    key: str | None = None
    prefix: str = ""
    loads: int = 0
    """To so many questions for its models it says that it is loading one."""
    replies: str = SENTENCE
    refusals: list[Refusal] = field(default_factory=list)
    """For the next requests to chat."""
    refuses_fields: frozenset[str] = frozenset()
    is_strict: bool = False
    """It refuses what OpenAI does not have."""
    thinks_as: str | None = None
    """The name under which it sends a thought."""
    tells_usage: bool = True
    line_end: str = "\n"
    sends_comments: bool = False
    sends_done: bool = True
    denies_nothing: bool = False
    """It answers 200 to what it does not have, as LM Studio does."""
    stays_open: bool = False
    """It does not close the connection at the end, nor send [DONE]."""
    error_after: int | None = None
    """It sends an error after so many words."""
    dies_of: str = "the model has died"
    breaks_after: int | None = None
    """It closes the connection after so many words."""
    breaks_in_figures: bool = False
    """It closes the connection in the middle of the usage, behind the end of the text."""
    hangs_after: int | None = None
    """It sends nothing any more after so many words."""
    is_whole: bool = False
    """It answers at once, although a stream was asked for."""
    asked: list[Asked] = field(default_factory=list)
    left: int = 0
    """How many clients have left in the middle of a reply."""

    def chats(self) -> list[Asked]:
        return [one for one in self.asked if one.path == self.prefix + CHAT]

    def answer(self, request: Asked) -> Refusal | None:
        """Return the whole answer; None where the reply is to be streamed."""
        path = request.path.removeprefix(self.prefix)
        if not request.path.startswith(self.prefix):
            return _refused(404, "no such prefix")
        needs_key = path.startswith("/v1/")
        if self.key and needs_key and request.headers.get("authorization") != f"Bearer {self.key}":
            given = request.headers.get("authorization", "none")
            return _refused(401, f"Incorrect API key provided: {given}")
        if path == MODELS and self.loads > 0:
            self.loads -= 1
            return _refused(503, "Loading model")
        if path == MODELS:
            return Refusal(200, {"object": "list", "data": [self._listed(m) for m in self.models]})
        if path == TOKENIZE and self.behaves_as == "vllm":
            body = request.body
            texts = body.get("messages") or [{"content": body.get("prompt", "")}]
            tokens = count(texts)
            return Refusal(
                200, {"count": tokens, "max_model_len": self.window, "tokens": [1] * tokens}
            )
        if path == CHAT:
            return self._chat(request.body)
        if self.denies_nothing:
            return Refusal(200, {"error": f"Unexpected endpoint or method. ({path})"})
        return Refusal(404, {"detail": "Not Found"})

    def _listed(self, name: str) -> dict[str, Any]:
        known = {"max_model_len": self.window} if self.behaves_as == "vllm" else {}
        return {"id": name, "object": "model", "owned_by": "somebody", **known}

    def _chat(self, body: Mapping[str, Any]) -> Refusal | None:
        if self.refusals:
            return self.refusals.pop(0)
        if body.get("model") not in self.models:
            return _refused(404, f"The model `{body.get('model')}` does not exist.")
        not_taken = (set(body) - STANDARD) if self.is_strict else set()
        if unknown := sorted(not_taken | (set(body) & self.refuses_fields)):
            return _refused(400, f"Unrecognized request argument supplied: {unknown[0]}")
        prompt, most = count(body["messages"]), body.get("max_tokens") or 0
        if self.behaves_as == "vllm" and prompt + most > self.window:
            return _refused(
                400,
                f"This model's maximum context length is {self.window} tokens. However, you "
                f"requested {prompt + most} tokens ({prompt} in the messages, {most} in the "
                "completion). Please reduce the length of the messages or completion.",
            )
        if self.is_whole:
            choice = {"message": {"content": self.replies}, "finish_reason": "stop"}
            return Refusal(200, {"choices": [choice], "usage": self._usage(body)})
        return None

    def _usage(self, body: Mapping[str, Any]) -> dict[str, int]:
        read = min(count(body["messages"]), self.window)  # Ollama's way
        return {"prompt_tokens": read, "completion_tokens": len(self.replies.split())}

    def chunks(self, body: Mapping[str, Any]) -> Iterator[Any]:
        """Give the chunks of the reply."""
        yield _chunk({"role": "assistant", "content": ""})
        if self.thinks_as:
            yield _chunk({self.thinks_as: THOUGHT})
        for number, word in enumerate(_words(self.replies)):
            if number == self.error_after:
                yield {"error": {"message": self.dies_of, "code": 500}}
                return
            yield _chunk({"content": word})
        yield _chunk({}, "stop")
        if self.tells_usage and (body.get("stream_options") or {}).get("include_usage"):
            yield {"choices": [], "usage": self._usage(body)}

    def event(self, chunk: Any) -> bytes:
        end = self.line_end
        comment = f": ping{end}{end}" if self.sends_comments else ""
        return f"{comment}data: {json.dumps(chunk)}{end}{end}".encode()


def count(messages: list[dict[str, Any]]) -> int:
    """Return how many tokens a prompt has."""
    return sum(math.ceil(len(str(m["content"]).encode()) / 4) + 4 for m in messages)


def _words(text: str) -> list[str]:
    first, *others = text.split(" ")
    return [first, *(f" {word}" for word in others)]


def _chunk(delta: dict[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return {"object": "chat.completion.chunk", "model": "another-name", "choices": [choice]}


def _refused(status: int, message: str) -> Refusal:
    return Refusal(status, {"error": {"message": message, "type": "invalid_request_error"}})
