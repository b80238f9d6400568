"""Replies on pieces put together into one: joined as data, or by the model, level by level."""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from llama_mcp.errors import LlamaMCPError
from llama_mcp.sessions.jobs import FinishedPiece, title_of
from llama_mcp.turns.chat_request import Sampling
from llama_mcp.turns.jobs.asking import Answer, Asker
from llama_mcp.turns.jobs.errors import NotPutTogetherError
from llama_mcp.turns.jobs.merging import Merging, merging_of
from llama_mcp.turns.jobs.questions import Part, about_replies
from llama_mcp.turns.jobs.reading import why_of
from llama_mcp.turns.jobs.room import SLACK_TOKENS, Room
from llama_mcp.turns.jobs.side_by_side import side_by_side
from llama_mcp.turns.json_schema import ParsedReply, parse_reply
from llama_mcp.wording import counted

# Is told of each reply that puts others together.
NoteAnswer = Callable[[FinishedPiece, Answer], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Whole:
    """The one result of several pieces."""

    text: str
    parsed: Any = None


@dataclass(slots=True)
class Joiner:
    """Puts the replies of one job together."""

    instruction: str
    sampling: Sampling
    """As the caller asked."""
    room: Room
    asker: Asker
    note_answer: NoteAnswer
    notes: list[str] = field(default_factory=list)
    asking: int = 0
    """How many questions are under way."""
    _asked: int = 0

    async def whole(self, parts: Sequence[Part], data: Sequence[Any]) -> Whole:
        """Return the result that the replies on pieces make.

        Args:
            parts: what each is of, with the reply as its text.
            data: the same as data, where there is a schema.

        Raises:
            NotPutTogetherError: There is none.
            JobBrokenError: There is no llama-server any more.
        """
        schema = self.sampling.json_schema
        merging = merging_of(schema) if schema is not None else None
        if merging is not None:
            return await self._merged(merging, parts, data)
        reply = await self._by_model(parts, self.sampling)
        if schema is None:
            return Whole(reply)
        parsed = await parse_reply(reply, self.sampling)
        return Whole(reply, self._checked(parsed).data)

    async def _merged(self, merging: Merging, parts: Sequence[Part], data: Sequence[Any]) -> Whole:
        whole = merging.lists(data)
        if merging.rest is not None:
            others = [
                replace(part, text=_json(merging.others(item)))
                for part, item in zip(parts, data, strict=True)
            ]
            sampling = self.sampling.model_copy(update={"json_schema": merging.rest})
            reply = await self._by_model(others, sampling)
            whole = merging.whole(data, (await parse_reply(reply, sampling)).data)
        text = _json(whole)
        parsed = await parse_reply(text, self.sampling)
        return Whole(text, self._checked(parsed).data)

    def _checked(self, parsed: ParsedReply) -> ParsedReply:
        if parsed.data is None:
            raise NotPutTogetherError(parsed.miss or " ".join(parsed.notes) or "it is no JSON")
        if parsed.miss:
            self.notes.append(f"The result of all pieces misses json_schema: {parsed.miss}.")
        return parsed

    async def _by_model(self, parts: Sequence[Part], sampling: Sampling) -> str:
        """Return one reply for all, in as many levels as it takes."""
        level = 0
        while len(parts) > 1:
            level += 1
            batches = await self._batches(parts)
            if len(batches) == len(parts):
                return self._in_a_row(parts, sampling, "two of them do not fit the context window")
            ones = [partial(self._one, batch, sampling, level) for batch in batches]
            parts = await side_by_side(ones)
        return parts[0].text

    async def _one(self, batch: Sequence[Part], sampling: Sampling, level: int) -> Part:
        if len(batch) == 1:
            return batch[0]
        of = _covered(batch)
        self.asking += len(batch)
        try:
            messages = about_replies(self.instruction, batch)
            answer = await self.asker.ask(messages, self.room.sampling(sampling))
        except LlamaMCPError as error:
            return replace(of, text=self._in_a_row(batch, sampling, why_of(error)))
        finally:
            self.asking -= len(batch)
        if not answer.text.strip() or answer.parsed.miss:
            why = answer.parsed.miss or "the reply was empty"
            return replace(of, text=self._in_a_row(batch, sampling, why))
        self._asked += 1
        finished = FinishedPiece(
            *(level, self._asked, answer.digest, of.file, of.lines, answer.text),
            was_cut_off=answer.was_cut_off,
        )
        await self.note_answer(finished, answer)
        return replace(of, text=answer.text)

    def _in_a_row(self, parts: Sequence[Part], sampling: Sampling, why: str) -> str:
        """Return replies that cannot become one as they are: nothing of them is lost."""
        if sampling.json_schema is not None:
            raise NotPutTogetherError(why)
        self.notes.append(
            f"The replies on {counted(len(parts), 'part')} follow one after the other: {why}."
        )
        return "\n\n".join(f"{title_of(part.file, part.lines)}:\n{part.text}" for part in parts)

    async def _batches(self, parts: Sequence[Part]) -> list[list[Part]]:
        """Return the parts in order, as many together as fit one question."""
        base = await self.asker.count(about_replies(self.instruction, ()))
        most = self.room.question - base
        batches: list[list[Part]] = [[]]
        weight = 0
        for part in parts:
            tokens = await self.asker.count(about_replies(self.instruction, [part]))
            own = tokens - base + SLACK_TOKENS
            if batches[-1] and weight + own > most:
                batches.append([])
                weight = 0
            batches[-1].append(part)
            weight += own
        return batches


def _covered(parts: Sequence[Part]) -> Part:
    """Return what several parts are of together, without a text."""
    first, last = parts[0], parts[-1]
    if first.file != last.file:
        return Part(f"{first.file} to {last.file}", None, "")
    if first.lines is None or last.lines is None:
        return Part(first.file, None, "")
    return Part(first.file, f"{first.lines.split('-')[0]}-{last.lines.split('-')[-1]}", "")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
