"""A reply as its caller is told of it: what is new, in few words, with the figures beside it.

A result that was told is not told again: a caller pays for every character. What a caller did not
get all the same, such as the answer to a call that it gave up, read_session has.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mcp.types import CallToolResult
from pydantic import BaseModel, ConfigDict

from llama_mcp.observing.lean_data import structure_of
from llama_mcp.sessions.records import Receipt, Timing, TranscriptPage, TurnStatus, Usage
from llama_mcp.surface.calling import has_client_gone
from llama_mcp.surface.results.files import ToldJob, told_after, what_is_new_of_job
from llama_mcp.surface.results.hints import EVERY_TOOL, Offered, hint
from llama_mcp.surface.results.statuses import ReplyStatus, SavedTo, saved_to_of, status_of
from llama_mcp.surface.results.tool_results import tool_result
from llama_mcp.turns.replies.cache_miss import FIRST_TURN
from llama_mcp.turns.replies.reply import ChatReply, ContextUse
from llama_mcp.wording import counted

# Where in a result's _meta the figures are that programs and people want, and models do not.
RECEIPT = "llama-mcp/receipt"
# Of so many sessions it is known what was told of their last reply; the others begin anew.
KEPT_SESSIONS = 256

_USUAL = {"finish_reason": "stop", "imported": False}
# From the usage, and from start and duration.
_FOLLOWING = ("receipt", "context_tokens", "ended_at_utc")


class ReplyUsage(Usage, frozen=True):
    """Tokens of one turn."""

    reasoning_tokens: int | None = None
    """The part of completion_tokens that is reasoning."""


class ToldReply(BaseModel, frozen=True):
    """What a caller is told of a reply."""

    model_config = ConfigDict(title="ChatReply")

    session_id: str
    turn: int
    status: ReplyStatus
    reply: str | None = None
    """What is new of it; None when it is told as data, or is in a file."""
    parsed: Any = None
    saved_to: SavedTo | None = None
    finish_reason: str | None = None
    """None when the model ended the reply itself."""
    usage: ReplyUsage = ReplyUsage()
    context: ContextUse | None = None
    notes: list[str] = []


class ReplyReceipt(BaseModel, frozen=True):
    """What goes beside it."""

    timing: Timing
    receipt: Receipt
    sampling: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Told:
    """What results have told of one turn."""

    turn: int
    characters: int = 0
    text_hash: int = hash("")
    notes: frozenset[str] = frozenset()
    is_end_told: bool = False


ToldSoFar = Mapping[str, _Told | ToldJob]
# For a caller that has had nothing of a reply.
NOTHING: ToldSoFar = {}


class Telling:
    """Makes results of replies, and remembers what they told."""

    def __init__(self, offered: Offered = EVERY_TOOL) -> None:
        self._offered = offered
        self.so_far: ToldSoFar = NOTHING
        """By session. Replaced and never changed, so that a call can keep it: a call tells what
        had not been told when it began, and of two that wait at once each gives the end."""

    def tell(self, reply: ChatReply, before: ToldSoFar) -> CallToolResult:
        """Return the result that tells what is new since then."""
        told = before.get(reply.session_id)
        result: BaseModel
        if job := reply.job:
            if not isinstance(told, ToldJob) or told.turn != reply.turn:
                told = ToldJob(reply.turn)
            result, text = what_is_new_of_job(reply, job, told, self._offered)
            self._note(reply, told_after(reply, job))
        else:
            if not isinstance(told, _Told) or told.turn != reply.turn:
                told = _Told(reply.turn)
            result, text = _what_is_new(reply, told, self._offered)
            self._note(reply, _told_after(reply))
        receipt = ReplyReceipt(timing=reply.timing, receipt=reply.receipt, sampling=reply.sampling)
        rest = hint("read_session", "gives the rest", self._offered)
        return tool_result(text, result, {RECEIPT: receipt}, is_reply=True, rest=rest)

    def _note(self, reply: ChatReply, told: _Told | ToldJob) -> None:
        if has_client_gone():
            return
        so_far = dict(self.so_far)
        so_far.pop(reply.session_id, None)
        so_far[reply.session_id] = told
        if len(so_far) > KEPT_SESSIONS:
            del so_far[next(iter(so_far))]
        self.so_far = so_far


def _told_after(reply: ChatReply) -> _Told:
    text = _telling_text(reply)
    return _Told(reply.turn, len(text), hash(text), frozenset(reply.notes), reply.is_over)


def _what_is_new(reply: ChatReply, told: _Told, offered: Offered) -> tuple[ToldReply, str]:
    """Return structure and text of what was not told of a reply."""
    whole = _telling_text(reply)
    # A reply that was begun anew does not begin with what was told.
    goes_on = hash(whole[: told.characters]) == told.text_hash
    new = whole[told.characters if goes_on else 0 :]
    saved_to = saved_to_of(reply)
    is_data = reply.parsed is not None and not told.is_end_told and saved_to is None
    notes = [note for note in reply.notes if note not in told.notes]
    is_known = told.is_end_told
    result = ToldReply(
        session_id=reply.session_id,
        turn=reply.turn,
        status=status_of(reply),
        reply=None if is_data or saved_to else new,
        parsed=reply.parsed if is_data else None,
        saved_to=saved_to,
        finish_reason=None if reply.finish_reason == "stop" else reply.finish_reason,
        usage=ReplyUsage() if told.is_end_told else _usage(reply),
        context=_context(reply) if reply.is_over and not told.is_end_told else None,
        notes=[*notes, *_how_told(reply, len(whole) - len(new), bool(new), is_known, offered)],
    )
    return result, reply_text(result, new)


def reply_text(result: ToldReply, new: str) -> str:
    """Return what a caller is told of a reply in words.

    Args:
        result: the same as data.
        new: the reply, or the new part of it, to the character.
    """
    figures = "[" + ", ".join(filter(None, _figures(result))) + "]"
    lines = [new] if new else []
    return "\n".join([*lines, figures, *(f"Note: {note}" for note in result.notes)])


def _telling_text(reply: ChatReply) -> str:
    """Return the text of a reply as far as it can be told.

    Data is of use only when it is whole, and what goes to a file costs its caller nothing.
    """
    goes_elsewhere = "json_schema" in reply.sampling or reply.save_to is not None
    is_not_told = goes_elsewhere and not reply.is_over
    return "" if is_not_told or reply.is_in_file else reply.reply


def _usage(reply: ChatReply) -> ReplyUsage:
    """Return the tokens that are news: while a reply grows, its own only."""
    counts = reply.usage.model_dump()
    if reply.status is TurnStatus.IN_PROGRESS:
        counts = {"completion_tokens": reply.usage.completion_tokens}
    return ReplyUsage(**counts, reasoning_tokens=reply.receipt.reasoning_tokens)


def _context(reply: ChatReply) -> ContextUse | None:
    return reply.context if reply.context.tokens_used else None


def _how_told(
    reply: ChatReply, told_characters: int, has_news: bool, is_end_told: bool, offered: Offered
) -> Iterator[str]:
    """Give notes that say what the text is a part of, and how to get the rest."""
    is_over = reply.is_over
    miss = reply.receipt.cache_miss
    # That a first turn reads its prompt is no news.
    if is_over and not is_end_told and miss and miss != FIRST_TURN:
        yield f"More than half of the prompt was read again ({miss.partition(':')[0]})."
    if told_characters and has_news:
        whole = hint("read_session", "has the whole reply", offered) if is_over else ""
        part = counted(told_characters, "character")
        yield f"Goes on after the {part} told before{whole}."
    elif is_over and (told_characters or is_end_told) and not reply.is_in_file:
        whole = hint("read_session", "has it whole", offered)
        yield f"All of the reply was told before{whole}."
    if reply.load:
        yield (
            f"The model is still loading, for {reply.load.seconds:.0f} s now; wait_for_reply gives "
            "the reply."
        )
    elif reply.place:
        yield f"Waits for a slot, {reply.place}; wait_for_reply gives the reply."
    elif not is_over:
        yield f"The reply is still being generated; wait_for_reply {_what_waiting_gives(reply)}."


def _what_waiting_gives(reply: ChatReply) -> str:
    if reply.save_to is not None:
        return "tells when it is written"
    return (
        "gives the data once it is whole" if "json_schema" in reply.sampling else "gives the rest"
    )


def _figures(result: ToldReply) -> Iterator[str]:
    """Give the parts of the line below a reply; what is not known is empty."""
    usage, context, saved = result.usage, result.context, result.saved_to
    yield f"session_id={result.session_id}"
    yield f"turn {result.turn}"
    yield result.status.value
    yield f"saved_to={saved.path} ({counted(saved.size_bytes, 'byte')})" if saved else ""
    yield f"finish_reason={result.finish_reason}" if result.finish_reason else ""
    if usage.prompt_tokens is not None:
        cached = usage.cached_tokens
        of_them = "" if cached is None else f" ({cached} of them from the cache)"
        yield f"{counted(usage.prompt_tokens, 'prompt token')}{of_them}"
    if usage.completion_tokens:
        reasoning = (
            f" ({usage.reasoning_tokens} of them reasoning)" if usage.reasoning_tokens else ""
        )
        so_far = " so far" if result.status is ReplyStatus.IN_PROGRESS else ""
        yield f"{counted(usage.completion_tokens, 'reply token')}{so_far}{reasoning}"
    if context:
        limit = f" of {context.limit}" if context.limit else ""
        yield f"context window: {context.tokens_used}{limit} tokens in use"
        yield f"{counted(context.turns_dropped, 'turn')} left out" if context.turns_dropped else ""


def page_structure(page: TranscriptPage) -> dict[str, Any]:
    """Return a page of a session as data, each figure once."""
    data = structure_of(page)
    turns = [_lean_turn(turn) for turn in data.get("turns", [])]
    told = None
    for turn in turns:
        receipt = turn.get("receipt", {})
        prompt = receipt.get("models_system_prompt")
        if prompt == told:
            receipt.pop("models_system_prompt", None)
        told = prompt or told
    return data | {"turns": turns}


def _lean_turn(turn: dict[str, Any]) -> dict[str, Any]:
    """Return a turn without what is as usual, or follows from its other figures."""
    needless = {*_FOLLOWING, *(name for name, item in _USUAL.items() if turn.get(name) == item)}
    receipt = {
        name: item
        for name, item in turn.get("receipt", {}).items()
        if name not in Receipt.DERIVED and item != FIRST_TURN
    }
    lean = {name: item for name, item in turn.items() if name not in needless}
    if save_to := lean.get("save_to"):
        lean["save_to"] = save_to["path"]
    return lean | {"receipt": receipt} if receipt else lean
