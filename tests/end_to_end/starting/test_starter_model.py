"""With the starter model, whose answers make sense."""

import pytest

from tests.support.client_process import LlamaMCP


@pytest.mark.slow
async def test_the_starter_model_knows_the_capital_of_france_and_what_it_was_asked(
    llama_mcp: LlamaMCP, engine: str
) -> None:
    variables = {"LLAMA_CPP_PATH": engine, "MODEL_PATH": "", "CTX_SIZE": "2048"}
    async with llama_mcp.having(**variables).connect() as connection:
        started = await connection.call("start_llama_server")
        assert "starter model" in " ".join(started["notes"])
        first = await connection.call(
            "chat",
            message="What is the capital of France?",
            system_prompt="You are a helpful assistant.",
            temperature=0,
            max_tokens=40,
            wait_seconds=600,
        )
        assert "Paris" in first["reply"]
        second = await connection.call(
            "chat",
            message="What did I just ask about?",
            session_id=first["session_id"],
            temperature=0,
            max_tokens=60,
            wait_seconds=600,
        )
        assert "France" in second["reply"] or "Paris" in second["reply"]
        assert second["usage"]["cached_tokens"] > 0
