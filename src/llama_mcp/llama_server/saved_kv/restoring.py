"""Has llama-server go on from a session's saved prompt cache, just before the session's turn.

Nothing reaches llama-server that is not proved to be whole and ours: it takes flipped bits for a
state, and aborts on a file that is a byte too short (tried on b11434 and xllamacpp b11549). What it
has restored the turn finds by itself: llama-server takes the slot that holds most of a prompt.
"""

import time
from array import array
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
from filelock import FileLock, Timeout

from llama_mcp.errors import LlamaMCPError
from llama_mcp.keeper import kv_files, saving_slots
from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.api.fields import count_or_none, member
from llama_mcp.llama_server.api.token_count import prompt_tokens_of
from llama_mcp.llama_server.errors import CompletionError, LlamaServerLostError
from llama_mcp.llama_server.restored_prompt import (
    FROM_DISK,
    INEFFECTIVE,
    KeptPrompt,
)
from llama_mcp.llama_server.saved_kv import store
from llama_mcp.llama_server.saved_kv.choosing import (
    UNREAD_TOKENS,
    Choice,
    choices,
    why_useless,
)
from llama_mcp.llama_server.saved_kv.records import SavedKv

LOCK = "restore.lock"
# Another process has its turn begun within this time, or ours goes without.
LOCK_SECONDS = 5.0
LOCK_POLL_SECONDS = 0.02
# Where it is not known how long reading the prompt again takes; so long nobody minds.
PROOF_SECONDS, LEAST_PROOF_SECONDS = 10.0, 2.0
SLOT_SECONDS = 5.0
# A prompt so short costs nothing, and is long enough to be like none that a slot holds.
_FREEING_TOKENS = 16


class _RefusedError(Exception):
    """A file that is not restored; the text says why, a clause."""


@dataclass(slots=True)
class Restored:
    """What has come of a session's saved prompt cache (ready_server.RestoredPrompt)."""

    outcome: str
    tokens: int = 0
    ms: float = 0.0
    common: int = 0
    slot: int = -1
    lock: FileLock | None = None
    kv: SavedKv | None = None
    client: LlamaServerClient | None = None
    path: Path | None = None

    def let_go(self) -> None:
        """Let others restore: the reply has begun, or will not begin."""
        if self.lock is not None:
            self.lock.release()
            self.lock = None

    async def came_to_nothing(self, error: LlamaMCPError) -> None:
        """Remove the file if llama-server was lost: it would be again after its restart."""
        if self.path is None or self.client is None or not isinstance(error, LlamaServerLostError):
            return
        if not await self.client.is_healthy():
            await anyio.to_thread.run_sync(kv_files.remove, str(self.path))

    async def judged(self, cached_tokens: int | None, used_tokens: int | None) -> str:
        """Return what has come of it, now that llama-server has said how much it had."""
        if not self.tokens or cached_tokens is None or cached_tokens >= self.common / 2:
            return self.outcome
        assert self.client is not None and self.kv is not None
        held = dict(await _held(self.client)).get(self.slot, 0)
        # Not a file more is saved of a model that is found out, so its slot must hold this very
        # turn: another may have been quicker, and have taken the slot.
        if used_tokens is None or abs(held - used_tokens) > UNREAD_TOKENS:
            return "refused: llama-server has read the prompt in another slot"
        await anyio.to_thread.run_sync(store.mark_ineffective, Path(self.kv.folder))
        return INEFFECTIVE


async def restore_prompt(
    kv: SavedKv,
    run_folder: Path,
    client: LlamaServerClient,
    slot_ctx_size: int,
    body: Mapping[str, Any],
    kept: KeptPrompt,
) -> Restored | None:
    """Restore what is saved of a session's prompt; None when nothing is.

    Args:
        kv: what the launch says of saved prompt caches.
        run_folder: that of the run, for the lock.
        client: talks to its llama-server.
        slot_ctx_size: the window of each slot.
        body: the chat request that follows.
        kept: what is known of the session.

    Returns:
        What came of it. Its let_go must follow in any case.
    """
    began = time.monotonic()
    folder = Path(kv.folder)
    found = await anyio.to_thread.run_sync(store.candidates, folder, kept.session_id, kept.served)
    if not found:
        return None
    lock = FileLock(run_folder / LOCK, mode=0o600, fallback_to_soft=False)
    try:
        prompt = await _tokens_of(client, body)
        choice = await _proved_choice(found, prompt, kept, kv, slot_ctx_size)
        if choice is None:
            return None
        path = choice.candidate.path
        if choice.is_certain:
            path = await anyio.to_thread.run_sync(store.claim, choice.candidate, kept.session_id)
        await _take(lock)
        slot = await _slot_for(client, prompt)
        await _restore(client, slot, path, choice)
    except _RefusedError as error:
        lock.release()
        return Restored(f"refused: {error}")
    except OSError as error:
        lock.release()
        return Restored(f"refused: {error.strerror or error}")
    except BaseException:
        lock.release()
        raise
    ms = round((time.monotonic() - began) * 1000, 1)
    return Restored(FROM_DISK, choice.tokens, ms, choice.common, slot, lock, kv, client, path)


async def _tokens_of(client: LlamaServerClient, body: Mapping[str, Any]) -> "array[int]":
    try:
        tokens = await prompt_tokens_of(client, body)
    except CompletionError as error:
        raise _RefusedError(f"the prompt could not be read ({error.problem})") from error
    if tokens is None:
        raise _RefusedError("this build of llama-server does not show its prompts")
    return tokens


async def _proved_choice(
    found: list[store.Candidate],
    prompt: "array[int]",
    kept: KeptPrompt,
    kv: SavedKv,
    slot_ctx_size: int,
) -> Choice | None:
    """Return the best of the files that is whole; None when none is the session's.

    Raises:
        _RefusedError: there are some, and they do not help.
    """
    stamps = [stamp.model_dump() for stamp in kv.stamps]
    if not await anyio.to_thread.run_sync(saving_slots.are_unchanged, stamps):
        raise _RefusedError("the model or llama-server was changed on disk since it was started")
    why = None
    for choice in await anyio.to_thread.run_sync(lambda: list(choices(found, prompt, kept))):
        why = why_useless(choice, len(prompt), kv, slot_ctx_size)
        if why is None:
            seconds = max(kept.read_seconds or PROOF_SECONDS, LEAST_PROOF_SECONDS)
            why = await _why_not_whole(choice, seconds)
            if why is None:
                return choice
            await anyio.to_thread.run_sync(kv_files.remove, str(choice.candidate.path))
    if why is not None:
        raise _RefusedError(why)
    return None


async def _why_not_whole(choice: Choice, seconds: float) -> str | None:
    deadline = time.monotonic() + seconds
    is_wanted = True

    def may_go_on() -> bool:
        return is_wanted and time.monotonic() < deadline

    try:
        check = partial(store.why_not_whole, choice.candidate, may_go_on)
        return await anyio.to_thread.run_sync(check, abandon_on_cancel=True)
    except TimeoutError:
        raise _RefusedError("reading the file takes longer than reading the prompt again") from None
    finally:
        is_wanted = False


async def _take(lock: FileLock) -> None:
    with anyio.move_on_after(LOCK_SECONDS):
        while True:
            try:
                lock.acquire(blocking=False)
                return
            except Timeout:
                await anyio.sleep(LOCK_POLL_SECONDS)
    raise _RefusedError("other turns are being restored")


async def _slot_for(client: LlamaServerClient, prompt: "array[int]") -> int:
    """Return a slot that is idle and whose prompt is not lost to its session.

    One that has served nothing, else the one that llama-server takes for a prompt that is like
    none: it copies to its cache in memory what it finds there (--cache-ram).
    """
    slots = await client.get_or_none("/slots")
    slots = slots if isinstance(slots, list) else []
    idle = [slot for slot in slots if member(slot, "is_processing") is False]
    for slot in idle:
        number = count_or_none(member(slot, "id"))
        has_served = count_or_none(member(slot, "id_task")) is not None or "n_prompt_tokens" in slot
        if number is not None and not has_served:
            return number
    if not idle:
        raise _RefusedError("no slot is free")
    other = next((token for token in prompt if token != prompt[0]), prompt[0])
    body = {"prompt": [other] * _FREEING_TOKENS, "n_predict": 0, "cache_prompt": True}
    try:
        number = count_or_none(
            member(await client.post("/completion", body, SLOT_SECONDS), "id_slot")
        )
    except CompletionError as error:
        raise _RefusedError(f"no slot could be freed ({error.problem})") from error
    if number is None:
        raise _RefusedError("no slot could be freed")
    return number


async def _restore(client: LlamaServerClient, slot: int, path: Path, choice: Choice) -> None:
    try:
        answer = await client.post(f"/slots/{slot}?action=restore", {"filename": path.name})
    except CompletionError as error:
        is_lost = isinstance(error, LlamaServerLostError)
        # One that has ended by it would do so again and again; one that is busy has not.
        if not (is_lost and await client.is_healthy()):
            await anyio.to_thread.run_sync(kv_files.remove, str(path))
        why = error.problem if is_lost else f"llama-server says: {error.problem}"
        raise _RefusedError(why) from error
    restored = count_or_none(member(answer, "n_restored"))
    if restored != choice.tokens:
        raise _RefusedError(f"llama-server has restored {restored or 0} of {choice.tokens} tokens")


async def _held(client: LlamaServerClient) -> list[tuple[int, int]]:
    """Return how many tokens each slot holds that has served something."""
    slots = await client.get_or_none("/slots")
    pairs = [
        (count_or_none(member(slot, "id")), count_or_none(member(slot, "n_prompt_tokens")))
        for slot in (slots if isinstance(slots, list) else [])
    ]
    return [(number, tokens) for number, tokens in pairs if number is not None and tokens]
