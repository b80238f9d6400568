"""What is done with each engine, and what is seen of it."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from tests.support.client_process import Connection, LlamaMCP

TURNS = 8
_MESSAGE = "Turn {number}: tell me about the apples, the pears and the plums in the garden."


@dataclass
class Seen:
    """What was seen of one engine, each a row of the table."""

    rows: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def step(self, name: str) -> AsyncIterator[None]:
        """Note a failure of what is done inside as the row's text, and go on."""
        try:
            yield
        except Exception as error:  # the other steps are worth having
            self.rows[name] = "failed"
            self.problems.append(f"{name}: {error}")


async def walk(llama_mcp: LlamaMCP, folder: Path, ranker: str | None) -> Seen:
    """Use an engine as a client does: status, turns, a cancel, a job, a ranking.

    Args:
        llama_mcp: how llama-mcp is started, with the engine's URL.
        folder: holds the texts of the job.
        ranker: the engine's name for a model that makes vectors; None without one.
    """
    seen = Seen()
    async with llama_mcp.connect() as connection:
        # A proxy that has just started takes seconds for its first answers.
        await connection.call_until(lambda status: status["state"] == "ready", "status")
        async with seen.step("conversation"):
            await _converse(connection, seen)
        async with seen.step("status"):
            await _look(connection, seen)
        async with seen.step("cancel"):
            await _cancel(connection, seen)
        async with seen.step("job"):
            await _job(connection, folder, seen)
        async with seen.step("ranking"):
            await _rank(connection, ranker, seen)
    return seen


async def _look(connection: Connection, seen: Seen) -> None:
    status = await connection.call("status")
    remote: dict[str, Any] = status["remote"]
    seen.rows["state"] = status["state"]
    seen.rows["window"] = f"{remote['ctx_size']} ({remote['ctx_size_source']})"
    seen.rows["token counts"] = remote["token_counts"]
    seen.rows["not known"] = ", ".join(remote.get("missing", []))
    metrics = await connection.call("server_metrics")
    seen.rows["figures"] = "yes" if metrics.get("generated_tokens_total") else "no"


async def _converse(connection: Connection, seen: Seen) -> None:
    session: dict[str, Any] = {}
    prompt = cached = 0
    began = time.monotonic()
    for number in range(TURNS):
        reply = await connection.call(
            "chat", message=_MESSAGE.format(number=number), max_tokens=24, temperature=0, **session
        )
        session = {"session_id": reply["session_id"]}
        if number:  # the first has nothing that could be cached
            prompt += reply["usage"]["prompt_tokens"]
            cached += reply["usage"].get("cached_tokens") or 0
    seconds = time.monotonic() - began
    seen.rows[f"{TURNS} turns"] = f"{seconds:.1f} s"
    seen.rows["from the prompt cache"] = f"{cached / max(prompt, 1):.0%}"
    page = await connection.call("read_session", limit=TURNS, **session)
    receipt = page["turns"][-1].get("receipt") or {}
    seen.rows["prompt_ms"] = "yes" if receipt.get("prompt_ms") is not None else "no"


async def cached_share(llama_mcp: LlamaMCP, seen: Seen, row: str) -> None:
    """Have a conversation only, and note how much of its prompts came from the cache."""
    async with llama_mcp.connect() as connection, seen.step(row):
        own = Seen()
        await _converse(connection, own)
        seen.rows[row] = own.rows["from the prompt cache"]


async def over_the_window(llama_mcp: LlamaMCP, seen: Seen, row: str) -> None:
    """Go on in a session until the engine refuses its prompt as too long."""
    # Without a blank, which the tiny model reads as three tokens: no text has more than its bytes.
    long = "apples-and-pears-" * 200
    async with llama_mcp.connect() as connection, seen.step(row):
        session: dict[str, Any] = {}
        for number in range(6):
            reply = await connection.call(
                "chat", message=f"{number}: {long}", max_tokens=8, wait_seconds=300, **session
            )
            session = {"session_id": reply["session_id"]}
            told = [note for note in reply.get("notes", []) if "refused" in note]
            if told:
                seen.rows[row] = f"turn {number + 1} {reply['status']}: {told[0]}"
                return
        raise AssertionError(f"nothing was refused, context {reply['context']}")


async def _cancel(connection: Connection, seen: Seen) -> None:
    began = await connection.call("chat", message="Go on.", max_tokens=4000, wait_seconds=0)
    session = {"session_id": began["session_id"]}
    with anyio.fail_after(60):
        while not (await connection.call("read_session", **session))["turns"][-1]["reply"]:
            await anyio.sleep(0.05)
    at = time.monotonic()
    ended = await connection.call("cancel_reply", **session)
    seen.rows["cancel"] = f"{ended['status']} after {time.monotonic() - at:.2f} s"


async def _job(connection: Connection, folder: Path, seen: Seen) -> None:
    result = await connection.call(
        "run_on_files",
        files=[str(folder / "*.txt")],
        instruction="Say a word.",
        each=True,
        max_tokens=8,
        wait_seconds=300,
    )
    seen.rows["job"] = f"{result['status']}, {len(result.get('results', []))} files"


async def _rank(connection: Connection, ranker: str | None, seen: Seen) -> None:
    if ranker is None:
        seen.rows["ranking"] = "not tried"
        return
    ranking = await connection.call(
        "rank_texts", query="a cat", texts=["a dog", "a cat"], model=ranker
    )
    seen.rows["ranking"] = f"{ranking['ranked']} texts by {ranking['by']}"
