"""Every reply says what its time went into, and why its prompt had to be read again."""

import json
from pathlib import Path
from typing import Any

from llama_mcp.surface.results.replies import RECEIPT
from tests.fake_llama_server.install import install_fake, set_faults
from tests.support.client_process import Connection, LlamaMCP

LONG = "Tell me about all the rivers of the world, one after another, and their lengths. " * 2


async def say(connection: Connection, message: str, **arguments: Any) -> dict[str, Any]:
    """Return a reply with what is beside it."""
    result = await connection.result("chat", message=message, max_tokens=8, **arguments)
    assert result.structured_content is not None and result.meta is not None
    return {**result.structured_content, **result.meta[RECEIPT]}


async def test_the_cause_is_named_for_everything_that_empties_the_cache(
    llama_mcp: LlamaMCP, engine: str, era: str
) -> None:
    start: dict[str, Any] = {"parallel": 1, "ctx_size": 1024, "extra_args": ["--cache-ram", "0"]}
    async with llama_mcp.having(LLAMA_CPP_PATH=engine).connect(era) as connection:
        await connection.call("start_llama_server", **start)
        first = await say(connection, LONG)
        session_id = first["session_id"]
        replies = [first, await say(connection, "And the lakes?", session_id=session_id)]
        await say(connection, "Somebody else: " + LONG)
        replies.append(await say(connection, "And the seas?", session_id=session_id))
        await connection.call(
            "update_session", session_id=session_id, system_prompt="Be a geographer."
        )
        replies.append(await say(connection, "And the bays?", session_id=session_id))
        await connection.call("stop_llama_server")
        await connection.call("start_llama_server", **start)
        replies.append(await say(connection, "And the capes?", session_id=session_id))
        while not replies[-1]["context"].get("turns_dropped"):
            message = f"{len(replies)} times I asked. {LONG}"
            replies.append(await say(connection, message, session_id=session_id))
        read = await connection.call("read_session", session_id=session_id)
        last = await connection.receipt("wait_for_reply", session_id=session_id)
        data = json.loads(await connection.read(f"llama://sessions/{session_id}.json"))
    causes = [reply["receipt"].get("cache_miss", "").partition(":")[0] for reply in replies]
    assert causes[:5] == [
        "first turn",
        "",
        "pushed out by other sessions",
        "session edited",
        "server restarted",
    ]
    assert causes[5:-1] == [""] * len(causes[5:-1]) and causes[-1] == "history cut"
    for reply in replies:
        usage, receipt = reply["usage"], reply["receipt"]
        assert receipt["cached_tokens"] + receipt["recomputed_tokens"] == usage["prompt_tokens"]
        assert receipt["queue_ms"] >= 0 and receipt["generation_ms"] > 0
        assert receipt["prompt_ms"] > 0
    assert [turn["receipt"] for turn in data["turns"]] == [reply["receipt"] for reply in replies]
    assert last["receipt"] == replies[-1]["receipt"]
    # What the model reads has each figure once.
    for turn, reply in zip(read["turns"], replies, strict=True):
        assert (turn["usage"], turn["timing"]) == (reply["usage"], reply["timing"])
        assert turn["receipt"].items() < reply["receipt"].items()


async def test_a_model_that_cannot_reuse_its_cache_is_told_from_llama_servers_log(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(
        fake_folder,
        usage={"prompt_tokens": 90, "prompt_tokens_details": {"cached_tokens": 0}},
        chat_log_lines=[
            "slot update_slots: id  0 | task 7 | forcing full prompt re-processing due"
        ],
    )
    async with llama_mcp.having(LLAMA_CPP_PATH=str(fake)).connect() as connection:
        await connection.call("start_llama_server")
        session_id = (await say(connection, LONG))["session_id"]
        again = await say(connection, "Again.", session_id=session_id)
    assert again["receipt"]["cache_miss"].startswith("model does not support it")


async def test_waiting_for_a_slot_is_part_of_the_receipt(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, hold_at_token=3)
    async with llama_mcp.having(LLAMA_CPP_PATH=str(fake), PARALLEL="1").connect() as connection:
        await connection.call("start_llama_server")
        # The second waits for its slot until the first is let go.
        parts = [await connection.call("chat", message=LONG, wait_seconds=0) for _ in range(2)]
        await connection.call_until(lambda status: status.get("waiting_turns") == 1, "status")
        set_faults(fake_folder)
        for part in parts:
            await connection.rest_of_reply(part)
        receipts = [
            await connection.receipt("wait_for_reply", session_id=part["session_id"])
            for part in parts
        ]
    first, second = (beside["receipt"] for beside in receipts)
    assert first["queue_ms"] < second["queue_ms"]
