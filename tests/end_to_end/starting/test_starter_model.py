"""With the starter model, whose answers make sense, and what it is told when nobody says."""

from pathlib import Path
from typing import Any

import pytest

from llama_mcp.models.starter_model import SYSTEM_PROMPT
from tests.fake_llama_server.install import install_fake, received_requests
from tests.fake_llama_server.running import CHAT
from tests.support.client_process import LlamaMCP, text_of

# How the README, the demo and people's first tries put it.
FIRST_QUESTIONS = (
    "What is the capital of France?",
    "What's the capital of France?",
    "Which city is the capital of France?",
    "Answer in one word: what is the capital of France?",
)


@pytest.mark.slow
async def test_the_first_question_gets_paris_and_the_next_one_is_understood(
    llama_mcp: LlamaMCP, engine: str
) -> None:
    variables = {"LLAMA_CPP_PATH": engine, "MODEL_PATH": "", "CTX_SIZE": "2048"}
    asked: dict[str, Any] = {"temperature": 0, "max_tokens": 60, "wait_seconds": 600}
    async with llama_mcp.having(**variables).connect() as connection:
        started = await connection.call("start_llama_server")
        assert "starter model" in " ".join(started["notes"])
        first = await connection.call("chat", message=FIRST_QUESTIONS[0], **asked)
        session = {"session_id": first["session_id"]}
        message = "What did I just ask about?"
        second = await connection.call("chat", message=message, **session, **asked)
        assert "France" in second["reply"] or "Paris" in second["reply"]
        # The prompt of the first turn, its system prompt included, is the beginning of the second.
        assert second["usage"]["cached_tokens"] >= first["usage"]["prompt_tokens"] - 1
        others = [
            await connection.call("chat", message=question, **asked)
            for question in FIRST_QUESTIONS[1:]
        ]
        for reply in (first, *others):
            assert "Paris" in reply["reply"]


async def test_it_is_told_how_to_answer_only_where_the_session_does_not_say(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder)
    having = llama_mcp.having(LLAMA_CPP_PATH=str(fake), MODEL_PATH="")
    async with having.connect() as connection:
        before = await connection.result("get_config")
        await connection.call("start_llama_server")
        for config in (before, await connection.result("get_config")):
            assert f'"{SYSTEM_PROMPT}"' in text_of(config)
        first = await connection.call("chat", message="One")
        session = {"session_id": first["session_id"]}
        await connection.call("chat", message="Two", **session)
        page = await connection.call("read_session", **session)
        await connection.call("update_session", **session, system_prompt="Rhyme.")
        await connection.call("chat", message="Three", **session)
        later = await connection.call("read_session", **session)
        await connection.call("chat", message="Four", system_prompt="Sing.")
        spoken = [{"role": "system", "content": "Shout."}]
        await connection.call("chat", message="Five", history=spoken)
    # Archived with the turns and told once; the session has none that its caller has not given.
    assert "system_prompt" not in page["session"]
    told = [turn["receipt"].get("models_system_prompt") for turn in page["turns"]]
    assert told == [SYSTEM_PROMPT, None]
    assert "models_system_prompt" not in later["turns"][2]["receipt"]
    sent = [r["body"]["messages"] for r in received_requests(fake_folder) if r["path"] == CHAT]
    assert [(messages[0]["role"], messages[0]["content"]) for messages in sent] == [
        ("system", content) for content in [SYSTEM_PROMPT] * 2 + ["Rhyme.", "Sing.", "Shout."]
    ]


async def test_what_it_is_told_is_counted_when_the_window_gets_full(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder)
    having = llama_mcp.having(LLAMA_CPP_PATH=str(fake), MODEL_PATH="", CTX_SIZE="1024")
    async with having.connect() as connection:
        await connection.call("start_llama_server")
        await connection.result("chat", message="word " * 400)
    counted = [r for r in received_requests(fake_folder) if "input_tokens" in r["path"]]
    assert counted and counted[0]["body"]["messages"][0]["content"] == SYSTEM_PROMPT


async def test_no_other_model_is_told_anything(llama_mcp: LlamaMCP, fake_folder: Path) -> None:
    fake = install_fake(fake_folder)
    async with llama_mcp.having(LLAMA_CPP_PATH=str(fake)).connect() as connection:
        await connection.call("start_llama_server")
        assert "system_prompt" not in text_of(await connection.result("get_config"))
        await connection.call("chat", message="One")
    (sent,) = [r["body"]["messages"] for r in received_requests(fake_folder) if r["path"] == CHAT]
    assert [message["role"] for message in sent] == ["user"]
