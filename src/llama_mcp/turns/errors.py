"""What can go wrong with one turn."""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from llama_mcp.errors import LlamaMCPError
from llama_mcp.sessions.errors import SessionBusyError, SessionNotFoundError
from llama_mcp.sessions.texts import utc_text
from llama_mcp.wording import counted, first_few, lasting

# How much of a broken reply an error repeats; the archive has the rest.
SHOWN = 2000
_FEWER = "{Run_on_files}: it reads files of any size. Or pass fewer lines, as in notes.md:1-200. "


class ContextFullError(LlamaMCPError):
    """The message does not fit the context window even without any history."""

    def __init__(
        self, prompt_tokens: int, prompt_limit: int, window: int, model_ctx_size: int | None
    ) -> None:
        needed = prompt_tokens + window - prompt_limit
        parts = math.ceil(prompt_tokens / prompt_limit)
        super().__init__(
            f"The message is too long: with the system prompt it has {prompt_tokens} tokens, and "
            f"at most {prompt_limit} of the window's {window} are free for it. Nothing was sent. "
            f"Shorten it, or split it into {max(parts, 2)} parts, each in a session of its own.",
            next_step=_larger_window(needed, window, model_ctx_size),
        )


class FilesFullError(LlamaMCPError):
    """Files do not fit the context window, even without any history."""

    def __init__(
        self,
        prompt_tokens: int,
        prompt_limit: int,
        window: int,
        counts: Mapping[str, int],
        model_ctx_size: int | None,
    ) -> None:
        """Take the figures.

        Args:
            prompt_tokens: of all that would be sent.
            prompt_limit: how many are free for it.
            window: how many there are.
            counts: of the largest files, by name.
            model_ctx_size: how many the model was trained for.
        """
        largest = ", ".join(f"{name} ({tokens})" for name, tokens in counts.items())
        tokens_of = f" Tokens of the largest: {largest}." if largest else ""
        super().__init__(
            f"The files do not fit: with the message the prompt has {prompt_tokens} tokens, and at "
            f"most {prompt_limit} of the window's {window} are free for it.{tokens_of} Nothing was "
            "sent.",
            next_step=_FEWER
            + _larger_window(prompt_tokens + window - prompt_limit, window, model_ctx_size),
        )


class FilesTooLargeError(LlamaMCPError):
    """Files have more bytes than any text that fits the context window; they are not counted."""

    next_step = _FEWER.rstrip()

    def __init__(self, text_bytes: int, files: int, most_bytes: int, window: int) -> None:
        super().__init__(
            f"The files do not fit: {counted(files, 'text has', 'texts have')} {text_bytes:,} "
            f"bytes, and a window of {window} tokens holds at most {most_bytes:,}. Nothing was "
            "sent."
        )


class FileTooLargeForChatError(LlamaMCPError):
    """A file, with those before it, is more than any context window holds."""

    next_step = _FEWER.rstrip()

    def __init__(self, name: str, text_bytes: int, most_bytes: int) -> None:
        super().__init__(
            f"{name} has {text_bytes:,} bytes, and the files of one message may have "
            f"{most_bytes:,} in all: no window holds more. Nothing was sent."
        )


class FilesTakeLongError(LlamaMCPError):
    """Files could not be read in the time of the call."""

    next_step = (
        "Pass a larger wait_seconds, fewer files, or plain text in the place of documents. Or "
        "{run_on_files}."
    )

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"The files were not read within {seconds:.0f} s: large documents take long, and so "
            "does a folder on a slow network. Nothing was sent."
        )


class CannotSeeError(LlamaMCPError):
    """Pictures for a model that reads text only."""

    next_step = "{Start} with a model that sees pictures, and {replace}; or leave the pictures out."

    def __init__(self, model: str, pictures: Sequence[str]) -> None:
        shown = ", ".join(pictures[:3]) + (", …" if len(pictures) > 3 else "")
        are = "is a picture" if len(pictures) == 1 else "are pictures"
        super().__init__(
            f"{shown} {are}, and {model} reads text only: it runs without a projector. Nothing "
            "was sent."
        )


class HistoryFullError(LlamaMCPError):
    """The history does not fit the context window, and the caller forbids leaving any out."""

    def __init__(
        self,
        session_id: str,
        turns: int,
        prompt_tokens: int,
        prompt_limit: int,
        window: int,
        model_ctx_size: int | None,
    ) -> None:
        needed = prompt_tokens + window - prompt_limit
        oldest = "oldest turn" if turns == 1 else f"{turns} oldest turns"
        super().__init__(
            f"With its whole history the prompt of session {session_id} has {prompt_tokens} "
            f"tokens, and at most {prompt_limit} of the window's {window} are free for it: its "
            f'{oldest} would have to be left out, and overflow is "error". Nothing was sent.',
            next_step='Pass overflow="trim", or {fork} at an earlier turn. '
            + _larger_window(needed, window, model_ctx_size),
        )


def _larger_window(needed: int, window: int, model_ctx_size: int | None) -> str:
    """Return whether a larger ctx_size helps, as a next step."""
    larger = f"Or {{start}} with ctx_size={needed} or more, and {{replace}}"
    if model_ctx_size is None:
        return f"{larger}, if the model was trained for so many tokens."
    if model_ctx_size >= needed:
        return f"{larger}; the model was trained for {model_ctx_size} tokens."
    if model_ctx_size > window:
        return (
            f"No ctx_size is enough: this takes {needed} tokens, and the model was trained for "
            f"{model_ctx_size}."
        )
    return f"A larger ctx_size does not help: the model was trained for {model_ctx_size} tokens."


class TurnFailedError(LlamaMCPError):
    """A turn broke off after it had begun."""

    def __init__(self, session_id: str, turn: int, cause: LlamaMCPError, received: str) -> None:
        self.session_id, self.turn = session_id, turn
        text = f"This was turn {turn} of session {session_id}."
        if received:
            shown = f"the first {SHOWN} of " if len(received) > SHOWN else ""
            text += f" Before it broke off came {shown}{counted(len(received), 'character')}:\n"
            text += received[:SHOWN]
        super().__init__(text, cause=cause)
        self._cause = cause

    def without_reply(self) -> "TurnFailedError":
        """Return the same for somebody who has seen what had come."""
        return TurnFailedError(self.session_id, self.turn, self._cause, "")


class TooManyTurnsError(LlamaMCPError):
    """An owner has as many turns under way as the token allows."""

    next_step = "{Wait} or {cancel} in one of these sessions, then call again."

    def __init__(self, limit: int, sessions: Sequence[str]) -> None:
        """Take how many may be under way, and the sessions of those that are."""
        shown = f" ({first_few(sessions, 3)})" if sessions else ""
        super().__init__(
            f"This token may have {counted(limit, 'turn')} under way at once, waiting ones "
            f"included, and has them{shown}. Nothing was sent or kept."
        )


class DayIsSpentError(LlamaMCPError):
    """An owner's turns of a day took as many tokens as the token allows."""

    next_step = "Call again then, or let the operator allow more."

    def __init__(self, limit: int, used: int, seconds: float) -> None:
        """Take the limit, what is used of it, and after how many seconds there is more."""
        again = utc_text(time.time() + seconds)
        super().__init__(
            f"This token may use {limit:,} tokens in 24 hours, read and written, and has used "
            f"{used:,}. There is more in {lasting(seconds)}, at {again}. Nothing was sent or kept."
        )


class ReplyElsewhereError(LlamaMCPError):
    """Another llama-mcp process generates the reply, and does not stop when it is asked to."""

    next_step = "{Wait} to get the reply, or {force_stop} to end it with all others."

    def __init__(self, session_id: str, seconds: float) -> None:
        super().__init__(
            f"The reply in session {session_id} is generated by another llama-mcp process. That "
            f"one was asked to stop it, and has not done so within {seconds:.0f} s: it may hang, "
            "or be of an older version that cannot be asked."
        )


@contextmanager
def new_session_offered() -> Iterator[None]:
    """Name a way out that only a message has: it needs no session."""
    try:
        yield
    except (SessionBusyError, SessionNotFoundError) as error:
        error.next_step += " Or leave session_id out to begin another session."
        raise
