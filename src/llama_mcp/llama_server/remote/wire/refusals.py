"""What an engine means when it refuses a request: whose words these are is said beside each."""

import json
import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from llama_mcp.llama_server.api.fields import count_or_none, member
from llama_mcp.llama_server.remote.wire.overlong import TOO_LONG, figures_in
from llama_mcp.visible_text import visible_line
from llama_mcp.wording import shortened

# How many characters of a refusal are read, and how many an error repeats.
READ, SHOWN = 20_000, 600
BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 400, 401, 403, 404
TOO_LARGE, UNPROCESSABLE, TOO_MANY, UNAVAILABLE = 413, 422, 429, 503

_NOT_KNOWN = re.compile(
    r"unknown|unrecogni[sz]ed|unsupported|not support|unexpected|not permitted|not allowed"
    r"|additional propert|extra (inputs|fields)|invalid (field|param|argument)"
    r"|no such (field|param)",
    re.IGNORECASE,
)
_LOADING = re.compile(r"loading model|model is loading", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is none."""

    status: int
    """Of HTTP, or what the error in a stream says in its place."""
    message: str
    """What it says to people."""
    text: str
    """All of it, for what can be found in it."""
    places: tuple[str, ...] = ()
    """The parts of the request that it is about, where it has a place for that."""
    retry_after_seconds: float | None = None
    window: int | None = None
    """How many tokens the engine takes, if it refuses a prompt as too long and says so."""
    prompt_tokens: int | None = None
    """How many the prompt has, likewise."""

    @property
    def shown(self) -> str:
        """What an error repeats of it."""
        return f"{shortened(visible_line(self.message), SHOWN)} (HTTP {self.status})"

    @property
    def is_too_long(self) -> bool:
        """Whether the prompt is longer than the window."""
        return TOO_LONG.search(self.text) is not None

    @property
    def is_loading(self) -> bool:
        """Whether its model is still loading (llama-server)."""
        return self.status == UNAVAILABLE and _LOADING.search(self.text) is not None

    @property
    def is_busy(self) -> bool:
        """Whether another time is better."""
        return self.status in (TOO_MANY, UNAVAILABLE)

    def unknown_fields(self, names: Collection[str]) -> list[str]:
        """Return which of the request's fields it names as such that it does not know."""
        can_be = self.status in (BAD_REQUEST, UNPROCESSABLE, 501)
        if not can_be or self.is_too_long or not _NOT_KNOWN.search(self.text):
            return []
        # Some repeat the whole request beside the place that they mean.
        placed = [name for name in names if name in self.places]
        said = (name for name in names if re.search(rf"\b{re.escape(name)}\b", self.text))
        return placed or list(said)


def refusal_from(status: int, content: bytes, retry_after: str | None = None) -> Refusal:
    """Return what an answer with such a status says.

    Args:
        status: of HTTP.
        content: its body, or the JSON of an error in a stream.
        retry_after: that header's value.
    """
    text = content[:READ].decode("utf-8", "replace").strip()
    fault = _fault(text)
    told = count_or_none(member(fault, "n_ctx")), count_or_none(member(fault, "n_prompt_tokens"))
    wait = retry_after_seconds(retry_after)
    refusal = Refusal(status, _message(fault, text), text, _places(fault), wait)
    if not refusal.is_too_long:
        return refusal
    said = figures_in(text)
    return replace(refusal, window=told[0] or said[0], prompt_tokens=told[1] or said[1])


def retry_after_seconds(value: str | None, now: datetime | None = None) -> float | None:
    """Return how long to wait by a Retry-After, seconds or an HTTP date; None without a right one.

    Args:
        value: the header's.
        now: a moment; None for this one.
    """
    if value is None:
        return None
    value = value.strip()
    if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value):
        return float(value)
    try:
        at = parsedate_to_datetime(value)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return max((at - (now or datetime.now(UTC))).total_seconds(), 0.0)
    except (ValueError, TypeError, OverflowError):
        return None


def _fault(text: str) -> Any:
    """Return the part of the answer that says what is wrong: `error`, or the whole."""
    try:
        whole = json.loads(text)
    except (ValueError, RecursionError):
        return None
    error = member(whole, "error")
    return whole if error is None else error


def _places(fault: Any) -> tuple[str, ...]:
    """Return what OpenAI names as `param`, and pydantic as `loc`."""
    details = member(fault, "detail")
    locations = [member(each, "loc") for each in details] if isinstance(details, list) else []
    found = [member(fault, "param")]
    found += [part for location in locations if isinstance(location, list) for part in location]
    return tuple(place for place in found if isinstance(place, str))


def _message(fault: Any, text: str) -> str:
    if isinstance(fault, str):
        return fault
    for name in ("message", "detail", "msg", "error"):
        said = member(fault, name)
        if isinstance(said, str) and said.strip():
            return " ".join(said.split())
        if said:
            return json.dumps(said, ensure_ascii=False)
    is_page = "<html" in text[:1000].lower() or text[:1] == "<"
    return "a web page instead of an answer" if is_page else " ".join(text.split()) or "no reason"
