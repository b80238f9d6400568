"""Why a turn's prompt was not in llama-server's cache.

Pure: the cause follows from known facts, and is "unknown" where they do not suffice. Then the
archive is asked for one more: how many other sessions came between (PUSHED_OUT).
"""

from dataclasses import dataclass

from llama_mcp.llama_server.restored_prompt import FROM_DISK, INEFFECTIVE
from llama_mcp.sessions.begun_turns import CacheFacts
from llama_mcp.sessions.records import Usage
from llama_mcp.wording import counted

FIRST_TURN = "first turn: llama-server had not seen this session before"
MODEL_CHANGED = "model changed: {before} answered the turn before"
SERVER_RESTARTED = "server restarted: llama-server was started again since the turn before"
ENGINE_CHANGED = "engine changed: another engine or build answers than the turn before"
SYSTEM_PROMPT_CHANGED = "session edited: its system prompt was changed since the turn before"
HISTORY_CUT = "history cut: the oldest turns were left out to fit the context window"
NOT_SUPPORTED = (
    "model does not support it: llama-server says that this model cannot go on from what it has "
    "read (sliding window or recurrent memory)"
)
PUSHED_OUT = "pushed out by other sessions: {others} used llama-server since the turn before"
# What is added to it where that is known.
NOT_RESTORED = "; its saved prompt cache was not used ({why})"
CANNOT_GO_ON = "; this model cannot go on from a saved prompt cache"
UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class ServingFacts:
    """What is known of a turn besides the archive's facts."""

    run: str
    """The launch of llama-server that serves it."""
    model: str
    """The model that answers it."""
    is_history_cut: bool
    """This turn leaves out turns that the previous one had in its prompt."""
    says_not_supported: bool
    """llama-server's log says that the model cannot reuse what it has read."""
    is_ours: bool = True
    """llama-mcp has started what serves it."""
    restore: str | None = None
    """What came of the session's saved prompt cache; None when nothing was saved."""


def why_recomputed(usage: Usage, kept: CacheFacts, serving: ServingFacts) -> str | None:
    """Return why more than half of the prompt was read again; None if it was not."""
    prompt, recomputed = usage.prompt_tokens, usage.recomputed_tokens
    if not prompt or recomputed is None or recomputed <= prompt / 2:
        return None
    is_another_model = kept.last_model is not None and kept.last_model != serving.model
    causes = [
        (kept.is_first_turn, FIRST_TURN),
        (is_another_model, MODEL_CHANGED.format(before=kept.last_model)),
        (kept.last_run not in (None, serving.run), _why_another(serving)),
        (kept.was_system_prompt_changed, SYSTEM_PROMPT_CHANGED),
        (serving.is_history_cut, HISTORY_CUT),
        (serving.says_not_supported, NOT_SUPPORTED),
    ]
    return next((cause for holds, cause in causes if holds), UNKNOWN)


def pushed_out_by(other_sessions: int, most_counted: int) -> str:
    """Return the cause of a prompt that was read again, where no surer one is known.

    Args:
        other_sessions: How many the same launch has served since the turn before.
        most_counted: More than that are not counted.
    """
    if not other_sessions:
        return UNKNOWN
    least = "at least " if other_sessions >= most_counted else ""
    return PUSHED_OUT.format(others=least + counted(other_sessions, "other"))


def _why_another(serving: ServingFacts) -> str:
    if not serving.is_ours:
        return ENGINE_CHANGED
    return SERVER_RESTARTED + _why_lost(serving.restore)


def _why_lost(restore: str | None) -> str:
    if restore is None or restore == FROM_DISK:
        return ""
    why = restore.partition(": ")[2]
    return CANNOT_GO_ON if restore == INEFFECTIVE else NOT_RESTORED.format(why=why)
