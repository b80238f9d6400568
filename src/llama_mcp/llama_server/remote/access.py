"""All that this process knows of one engine and asks of it, shared by what stands for it in turns.

What an engine is is found out once and believed for a minute. It is found out anew when it was not
reachable, or has broken a reply off.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.rank_server import RankKind
from llama_mcp.llama_server.remote.bodies import callers_fields, can_be_left_out
from llama_mcp.llama_server.remote.errors import (
    RemoteBusyError,
    RemoteRefusedError,
    RemoteRequestError,
    RemoteUnreachableError,
)
from llama_mcp.llama_server.remote.estimates import TokenEstimates
from llama_mcp.llama_server.remote.finding_out import Facts, find_out, refused_for_good
from llama_mcp.llama_server.remote.look import Counting, Source
from llama_mcp.llama_server.remote.target import (
    DEFAULT_PARALLEL,
    GUESSED_CTX_SIZE,
    RemoteTarget,
)
from llama_mcp.llama_server.remote.wire.http import POST_TIMEOUT_SECONDS, RemoteHttp
from llama_mcp.llama_server.remote.wire.key_file import KeyFile
from llama_mcp.llama_server.remote.wire.refusals import (
    FORBIDDEN,
    NOT_FOUND,
    UNAUTHORIZED,
    Refusal,
)
from llama_mcp.llama_server.remote.wire.urls import checked_url

FACTS_AGE_SECONDS = 60.0
# All questions together; each has its own limit, too.
LOOK_SECONDS = 5.0
# What a window is taken to be after a refusal that does not say it, of what was refused.
_SMALLER = 0.75
_WINDOW_STEP = 64
# Some gateways say tomorrow, or another year: by then the operator may have set another key.
MOST_HOLD_OFF_SECONDS = 3600.0
_ABSENT = (NOT_FOUND, 405, 501)


class Access:
    """The way to one engine."""

    def __init__(self, target: RemoteTarget, salt: str) -> None:
        """Take which engine; it raises ValueError where its URL is none."""
        self.target = target
        key_file = KeyFile(target.key_file) if target.key_file else None
        self.http = RemoteHttp(checked_url(target.url), key_file)
        self.facts: Facts | None = None
        self.problem: LlamaMCPError | None = None
        self.estimates = TokenEstimates()
        self.counting: Counting | None = None
        self.has_timings: bool | None = None
        self.unknown_fields: set[str] = set()
        self.ranks: RankKind | None = None
        self.not_before = 0.0
        """Until then, by time.monotonic(), it has asked not to be asked."""
        self.busy_words = ""
        """What it has said then."""
        self._salt = salt
        # What refusals have taught.
        self._window: int | None = None
        self._is_window_guessed = False
        self._asked_at: float | None = None
        self._one_at_a_time = anyio.Lock()

    @property
    def url(self) -> str:
        """Its base, for people."""
        return self.http.base.root

    @property
    def age_seconds(self) -> float:
        """How old is what is known of it."""
        return float("inf") if self._asked_at is None else time.monotonic() - self._asked_at

    @property
    def model(self) -> str | None:
        """What it is asked for."""
        return self.facts.model if self.facts else self.target.model

    @property
    def shown_model(self) -> str:
        """By which callers know it."""
        # llama-server without an alias gives the path of its file.
        model = (self.model or "").replace("\\", "/")
        plain = model.rpartition("/")[2].removesuffix(".gguf") if ".gguf" in model else model
        return self.target.name or plain or "unnamed"

    @property
    def window(self) -> tuple[int, Source]:
        """The window of each conversation, and how that is known."""
        told = self._window or (self.facts.window if self.facts else None)
        if told:
            return told, "guess" if self._is_window_guessed else "told"
        if self.target.ctx_size:
            return self.target.ctx_size, "setting"
        return GUESSED_CTX_SIZE, "guess"

    @property
    def slots(self) -> tuple[int, Source]:
        """How many turns it is asked for at once, and how that is known."""
        if self.target.parallel:
            return self.target.parallel, "setting"
        told = self.facts.total_slots if self.facts else None
        return (told, "told") if told else (DEFAULT_PARALLEL, "guess")

    @property
    def serving_id(self) -> str:
        """What identifies it: another URL, model, build or window is another."""
        known = self.facts.identity if self.facts else ()
        told = self.facts.window if self.facts else None
        whole = repr((self.url, self.target.model, known, told))
        return f"remote-{hashlib.sha256(whole.encode()).hexdigest()[:16]}"

    def session_key(self, session_id: str) -> str:
        """Return by what the engine knows a session, from which nobody learns its id."""
        whole = f"{self._salt}\n{self.url}\n{session_id}"
        return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    async def refresh(self, max_age_seconds: float = FACTS_AGE_SECONDS) -> Facts:
        """Return what it is, asking where what is known is older.

        Raises:
            LlamaMCPError: it does not answer, or cannot be used.
        """
        came_at = time.monotonic()
        async with self._one_at_a_time:
            if self.problem is not None and (self._asked_at or 0.0) >= came_at:
                raise self.problem  # somebody else has just asked
            is_known = self.facts is not None and self.problem is None
            if is_known and self.facts is not None and self.age_seconds <= max_age_seconds:
                return self.facts
            try:
                facts = await self._find_out()
            except LlamaMCPError as error:
                self.problem, self._asked_at = error, time.monotonic()
                raise
            self._take(facts)
            return facts

    async def _find_out(self) -> Facts:
        try:
            with anyio.fail_after(LOOK_SECONDS):
                return await find_out(self.http, self.target)
        except TimeoutError as error:
            within = f"it did not say within {LOOK_SECONDS:g} s what it is"
            raise RemoteUnreachableError(self.url, within) from error

    def _take(self, facts: Facts) -> None:
        if self.facts is None or facts.identity != self.facts.identity:
            # What another engine has taught says nothing of this one.
            self.estimates, self.counting = TokenEstimates(), None
            self.unknown_fields, self.ranks = set(), None
            self._learn_window(None)
        elif facts.window != self.facts.window:  # it was started anew with another
            self._learn_window(None)
        if facts.is_loading:  # ask again soon
            self._asked_at = None
        else:
            self._asked_at = time.monotonic()
        self.facts, self.problem = facts, None

    def hold_off(self, refusal: Refusal, usual_seconds: float) -> None:
        """Have nobody ask it for as long as it says that it is busy, else for the usual time.

        After an hour it is asked again in any case.
        """
        told = refusal.retry_after_seconds
        pause = usual_seconds if told is None else min(told, MOST_HOLD_OFF_SECONDS)
        self.not_before = max(self.not_before, time.monotonic() + pause)
        self.busy_words = refusal.shown

    def doubt(self) -> None:
        """Have it found out anew what it is, with the next question."""
        self._asked_at = None

    def learn_too_long(self, body: Mapping[str, Any], refusal: Refusal) -> tuple[int, int | None]:
        """Take what a refusal of a prompt as too long tells of window and counts; return both."""
        messages: Sequence[Mapping[str, Any]] = body.get("messages") or ()
        if refusal.prompt_tokens:
            self.estimates.learn_refused(messages, refusal.prompt_tokens)
        if refusal.window:
            self._learn_window(whole_window(refusal.window, body.get("max_tokens")))
        else:
            sent = refusal.prompt_tokens or self.estimates.estimate(messages)
            guess = max(min(self.window[0] - 1, int(sent * _SMALLER)), 1)
            self._learn_window(guess, is_guess=True)
        return self.window[0], refusal.prompt_tokens

    def _learn_window(self, window: int | None, *, is_guess: bool = False) -> None:
        self._window, self._is_window_guessed = window, is_guess

    async def post(
        self, path: str, body: Mapping[str, Any], timeout_seconds: float = POST_TIMEOUT_SECONDS
    ) -> Any | None:
        """Return the JSON answer of an endpoint, asked with the model; None where it is absent.

        Raises:
            LlamaMCPError: it answers with another error, or does not answer.
        """
        sent = {"model": self.model, **body} if self.model is not None else dict(body)
        left_out: set[str] = set()
        while True:
            fields = {name: value for name, value in sent.items() if name not in left_out}
            answer = await self.http.ask("POST", path, fields, timeout_seconds)
            if answer.is_success:
                return answer.json
            refusal = answer.refusal
            unknown = set(refusal.unknown_fields(can_be_left_out(fields))) - set(_CONTENT)
            if not unknown:
                break
            left_out |= unknown
        if refusal.status in _ABSENT and not _names_model(refusal):
            return None
        raise self.error_of(refusal, body)

    def error_of(self, refusal: Refusal, body: Mapping[str, Any]) -> LlamaMCPError:
        """Return what a refusal is to a caller.

        Args:
            refusal: as it came.
            body: what was asked.
        """
        is_redirect = 300 <= refusal.status <= 399
        if is_redirect or refusal.status in (UNAUTHORIZED, FORBIDDEN):
            self.doubt()
            return refused_for_good(self.http, self.target, refusal)
        if refusal.is_busy:
            return RemoteBusyError(self.url, refusal.shown, refusal.retry_after_seconds)
        if refusal.status == NOT_FOUND:
            self.doubt()
            asked = f"it was asked for {self.model}" if self.model else "no model was named"
            advice = f"{asked[0].upper()}{asked[1:]}, which only the operator can change."
            return RemoteRefusedError(self.url, refusal.shown, advice)
        if 400 <= refusal.status <= 499:
            given = callers_fields(body)
            change = (
                f"Leave out {', '.join(given)}, or change it" if given else "Change the message"
            )
            return RemoteRequestError(self.url, refusal.shown, f"{change}, and try again.")
        return RemoteRequestError(self.url, refusal.shown, _ITS_LOG)


def whole_window(told: int, max_tokens: object) -> int:
    """Return the window that a refusal means.

    vLLM of early 2026 tells what max_tokens leave of it (issue 33418): real windows are multiples
    of a power of two, and such a rest is none.
    """
    whole = told + (max_tokens if isinstance(max_tokens, int) else 0)
    return whole if told % _WINDOW_STEP and not whole % _WINDOW_STEP else told


# Without these a question is none.
_CONTENT = ("content", "input", "documents", "query", "prompt")
_ITS_LOG = "Try again; if it happens again, whoever runs it finds the cause in its log."


def _names_model(refusal: Refusal) -> bool:
    """Tell whether what is not there is the model, and not the endpoint."""
    return refusal.status == NOT_FOUND and "model" in refusal.message.lower()
