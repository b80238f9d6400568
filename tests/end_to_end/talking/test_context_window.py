"""Sessions that outgrow their context window, on real engines that count for themselves."""

from typing import Any

import pytest

from tests.support.client_process import LlamaMCP

# The tiny model has about one token for each character.
MESSAGE = "Tell me more about this one thing, please. " * 2
TURNS = 24
WINDOW = 1024


@pytest.mark.slow
async def test_three_windows_of_turns_never_overflow_and_keep_the_cache_warm(
    llama_mcp: LlamaMCP, engine: str
) -> None:
    cuts = 0
    dropped = 0
    session: dict[str, Any] = {}
    async with llama_mcp.having(LLAMA_CPP_PATH=engine).connect() as connection:
        await connection.call("start_llama_server", ctx_size=WINDOW, parallel=2)
        for turn in range(1, TURNS + 1):
            reply = await connection.call(
                "chat", message=f"{turn} {MESSAGE}", max_tokens=40, temperature=0, **session
            )
            session = {"session_id": reply["session_id"]}
            assert reply["status"] == "complete" and reply["turn"] == turn
            assert reply["context"]["tokens_used"] <= WINDOW
            now_dropped = reply["context"].get("turns_dropped", 0)
            assert now_dropped >= dropped
            usage = reply["usage"]
            if now_dropped > dropped:
                cuts += 1
                assert usage["prompt_tokens"] <= 0.6 * WINDOW + 1
            elif turn > 2:
                new = len(f"{turn} {MESSAGE}") + 40 + 60
                assert usage["cached_tokens"] >= usage["prompt_tokens"] - new
            if now_dropped:
                assert any("oldest turn(s)" in note for note in reply["notes"])
            dropped = now_dropped
        kept = await connection.call("read_session", limit=200, **session)
        assert [turn["turn"] for turn in kept["turns"]] == list(range(1, TURNS + 1))
    assert cuts >= 2


async def test_history_that_does_not_fit_is_refused_when_the_caller_wants_it_whole(
    llama_mcp: LlamaMCP,
) -> None:
    async with llama_mcp.connect() as connection:
        await connection.call("start_llama_server", ctx_size=512, parallel=1)
        first = await connection.call("chat", message="x" * 200, max_tokens=100)
        session = {"session_id": first["session_id"]}
        long: dict[str, Any] = {"message": "y" * 200, "max_tokens": 100, **session}
        refusal = await connection.refusal("chat", overflow="error", **long)
        assert "1 oldest turn(s) would have to be left out" in refusal
        assert (await connection.call("chat", **long))["context"]["turns_dropped"] == 1


async def test_a_message_that_cannot_fit_is_refused_with_its_tokens_before_it_is_sent(
    llama_mcp: LlamaMCP,
) -> None:
    async with llama_mcp.connect() as connection:
        await connection.call("start_llama_server", ctx_size=512, parallel=1)
        refusal = await connection.refusal("chat", message="word " * 500)
        assert "The message is too long" in refusal and "ctx_size" in refusal
        assert "of the window's 512" in refusal


async def test_a_reply_that_fills_the_window_says_so(llama_mcp: LlamaMCP) -> None:
    async with llama_mcp.connect() as connection:
        await connection.call("start_llama_server", ctx_size=256, parallel=1)
        reply = await connection.call("chat", message="Go on")
        assert reply["finish_reason"] == "length"
        assert reply["context"]["tokens_used"] == reply["context"]["limit"] == 256
        assert any("context window of 256 tokens is full" in note for note in reply["notes"])
