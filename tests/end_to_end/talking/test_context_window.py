"""Sessions that outgrow their context window, on real engines that count for themselves."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import LONGEST_WINDOW
from tests.support.client_process import LlamaMCP
from tests.support.tiny_model import write_tiny_model

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
            # Once, by the turn that it happens in.
            told = any("left out of the prompt" in note for note in reply.get("notes", []))
            assert told == (now_dropped > dropped)
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
        assert "its oldest turn would have to be left out" in refusal
        assert f"the model was trained for {LONGEST_WINDOW} tokens" in refusal
        trimmed = await connection.call("chat", **long)
        assert trimmed["context"]["turns_dropped"] == 1
        # The failed call is a turn too, and has no part in the prompt.
        (note,) = [note for note in trimmed["notes"] if "left out" in note]
        assert note.startswith("Turn 1, the oldest, was left out of the prompt: ")
        tokens = re.findall(r"(\d+) tokens", refusal)[0]
        assert f"it has {tokens} tokens" in note


async def test_a_large_max_tokens_is_capped_and_leaves_out_no_turn(
    llama_mcp: LlamaMCP, engine: str
) -> None:
    async with llama_mcp.having(LLAMA_CPP_PATH=engine).connect() as connection:
        await connection.call("start_llama_server", ctx_size=512, parallel=1)
        for overflow in ("error", "trim"):
            first = await connection.call("chat", message="x" * 150, max_tokens=60)
            session = {"session_id": first["session_id"], "overflow": overflow}
            reply = await connection.call("chat", message="y", max_tokens=2000, **session)
            assert "turns_dropped" not in reply["context"]
            prompt = reply["usage"]["prompt_tokens"]
            note = f"capped to {512 - prompt}: the window is 512 and the prompt has {prompt}."
            assert f"max_tokens=2000 was {note}" in reply["notes"]
            assert prompt > first["context"]["tokens_used"]


async def test_a_message_that_cannot_fit_is_refused_with_its_tokens_before_it_is_sent(
    llama_mcp: LlamaMCP,
) -> None:
    async with llama_mcp.connect() as connection:
        await connection.call("start_llama_server", ctx_size=512, parallel=1)
        refusal = await connection.refusal("chat", message="word " * 500)
        found = re.search(r"too long: .* has (\d+) tokens, and at most 448 of .* 512", refusal)
        assert found, refusal
        needed = int(found[1]) + 64
        assert f"ctx_size={needed} or more" in refusal and "pass replace=true" in refusal
        await connection.call("start_llama_server", ctx_size=needed, parallel=1, replace=True)
        reply = await connection.call("chat", message="word " * 500, max_tokens=2)
        assert reply["usage"]["prompt_tokens"] == int(found[1])


@pytest.fixture
def longest(llama_mcp: LlamaMCP, tmp_path: Path) -> LlamaMCP:
    """A window as long as the model was trained for."""
    model = write_tiny_model(tmp_path / "short.gguf", context_length=512)
    return llama_mcp.having(MODEL_PATH=str(model), CTX_SIZE="1024", PARALLEL="1")


async def test_no_window_is_advised_that_the_model_was_not_trained_for(
    longest: LlamaMCP, engine: str
) -> None:
    async with longest.having(LLAMA_CPP_PATH=engine).connect() as connection:
        started = await connection.call("start_llama_server")
        assert "512 tokens for one conversation" in started["message"]
        refusal = await connection.refusal("chat", message="word " * 500)
        assert "A larger ctx_size does not help: the model was trained for 512 tokens" in refusal
        assert "split it into 8 parts" in refusal
        reply = await connection.call("chat", message="Go on")
        (note,) = [note for note in reply["notes"] if "cut off" in note]
        assert "window of 512 tokens is full" in note and "ctx_size" not in note


async def test_a_reply_that_fills_the_window_says_so(llama_mcp: LlamaMCP) -> None:
    async with llama_mcp.connect() as connection:
        await connection.call("start_llama_server", ctx_size=256, parallel=1)
        reply = await connection.call("chat", message="Go on")
        assert reply["finish_reason"] == "length"
        assert reply["context"]["tokens_used"] == reply["context"]["limit"] == 256
        (note,) = [note for note in reply["notes"] if "cut off" in note]
        assert "context window of 256 tokens is full" in note
        assert f"larger ctx_size, up to {LONGEST_WINDOW}" in note
