"""A reply that misses its json_schema is asked for once more, with what is wrong with it.

llama-server makes a grammar of a schema, and a grammar cannot say all that a schema can: limits of
numbers, what must not occur, what depends on what.
"""

import json
from collections.abc import Sequence

from llama_mcp.errors import LlamaMCPError
from llama_mcp.turns.chat_request import Sampling
from llama_mcp.turns.json_schema import ParsedReply, parse_reply
from llama_mcp.turns.message_parts import ChatMessage, ChatMessages, with_more_text
from llama_mcp.turns.replies.partial_reply import PartialReply

# A longer schema, or reply, would crowd out the conversation.
MAX_SHOWN = 4000
HEADING = "[First reply, which did not keep to json_schema]"


class SecondTry:
    """The second try at one reply. Until its result is taken, the first reply stands."""

    def __init__(self, first: PartialReply, parsed: ParsedReply, sampling: Sampling) -> None:
        self.reply = PartialReply(model=first.model)
        self._first = first
        self._parsed = parsed
        self._sampling = sampling

    @property
    def can_help(self) -> bool:
        """Whether asking again can help: not when the reply was cut off, or calls a tool."""
        is_ended_by_model = self._first.finish_reason != "length"
        is_reply = is_ended_by_model and not self._first.tool_calls.names
        return is_reply and self._parsed.miss is not None and len(self._first.text) <= MAX_SHOWN

    def messages(self, sent: Sequence[ChatMessage]) -> ChatMessages:
        """Return the prompt that asks for the reply once more.

        Args:
            sent: The prompt of the first reply.
        """
        wanted = (
            f"Your reply does not keep to the JSON schema: {self._parsed.miss}. Answer once more, "
            "with JSON that keeps to it and nothing else."
        )
        schema = json.dumps(self._sampling.json_schema, ensure_ascii=False)
        if len(schema) <= MAX_SHOWN:
            # A model does not see the schema otherwise.
            wanted += f"\nThe JSON schema: {schema}"
        messages = [dict(message) for message in sent]
        if self._first.text.strip():
            messages.append({"role": "assistant", "content": self._first.text})
            return [*messages, {"role": "user", "content": wanted}]
        # Templates refuse an empty message, and two of a user in a row.
        return [*messages[:-1], with_more_text(messages[-1], f"\n\n{wanted}")]

    async def result(self, problem: LlamaMCPError | None) -> tuple[ParsedReply, str]:
        """Put the second reply in the place of the first, if there is one.

        Args:
            problem: Why it broke off.

        Returns:
            The reply that counts as data, and a note.
        """
        self.reply.end()
        if problem is not None or not self.reply.text.strip():
            why = problem or "the reply was empty."
            return self._parsed, f"The reply was asked for once more, without success: {why}"
        parsed = await parse_reply(self.reply.text, self._sampling)
        self._first.adopt(self.reply, HEADING)
        return parsed, (
            f"The first reply missed json_schema ({self._parsed.miss}) and was asked for once "
            "more; the session keeps it, with the reasoning."
        )
