"""The border to llama-server's HTTP: what it does wrong becomes an error of ours, with words."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.llama_server.api.client import LlamaServerClient
from llama_mcp.llama_server.api.refusals import error_from
from llama_mcp.llama_server.api.token_count import count_prompt_tokens
from llama_mcp.llama_server.errors import CompletionError, LlamaServerLostError
from tests.fake_llama_server.install import install_fake, set_faults
from tests.fake_llama_server.running import free_port, ready

MESSAGES = [{"role": "user", "content": "Hello there"}]
SENTENCE = "The quick brown fox jumps over the lazy dog."


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[LlamaServerClient]:
    """A client of a stand-in that behaves until a test sets its faults."""
    with ready(install_fake(tmp_path / "fake"), "--metrics") as server:
        client = LlamaServerClient(f"http://127.0.0.1:{server.port}")
        yield client
        await client.aclose()


async def reply_of(client: LlamaServerClient) -> str:
    pieces: list[str] = []
    async with client.stream_chat({"messages": MESSAGES}) as chunks:
        async for chunk in chunks:
            deltas = [choice["delta"] for choice in chunk.get("choices", [])]
            pieces += [delta.get("content") or "" for delta in deltas]
    return "".join(pieces)


async def test_a_stream_is_given_chunk_by_chunk(client: LlamaServerClient) -> None:
    assert await reply_of(client) == SENTENCE


@pytest.mark.parametrize(
    "oddity",
    [
        {"repeat_role": True, "null_content": True, "empty_choices": True, "comments": True},
        {"keep_alive_dies": True},
        {"wrong_content_type": "text/plain"},
        {"slow_headers_seconds": 0.2},
    ],
)
async def test_odd_but_whole_streams_are_read(
    client: LlamaServerClient, tmp_path: Path, oddity: dict[str, Any]
) -> None:
    set_faults(tmp_path / "fake", **oddity)
    assert await reply_of(client) == SENTENCE
    assert await reply_of(client) == SENTENCE


async def test_line_breaks_that_json_may_hold_do_not_split_a_chunk(
    client: LlamaServerClient, tmp_path: Path
) -> None:
    words = ["one\u2028two", "\x85three", "\u2029"]
    set_faults(tmp_path / "fake", reply_tokens=words)
    assert await reply_of(client) == "".join(words)


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ({"no_done": True}, "ended before the reply was complete"),
        ({"reset_at_stage": "headers"}, "connection to it failed"),
        ({"reset_at_stage": "body"}, "connection to it failed|ended before"),
        ({"die_at_token": {"n": 2, "code": 1}}, "connection to it failed|ended before"),
        ({"raw_chunks": ["data: {half\n\n"]}, "not JSON"),
    ],
)
async def test_a_broken_stream_is_a_lost_connection(
    client: LlamaServerClient, tmp_path: Path, faults: dict[str, Any], expected: str
) -> None:
    set_faults(tmp_path / "fake", **faults)
    with pytest.raises(LlamaServerLostError, match=expected):
        await reply_of(client)


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        ({"status": {"code": 500, "body": "<html>oops</html>"}}, "oops"),
        ({"status": {"code": 400, "body": {"error": {"message": "bad field"}}}}, "bad field"),
        ({"error_mid_stream": {"n": 2}}, "Context size has been exceeded"),
        ({"context_limit": 1}, "exceeds the available context size"),
        ({"redirect_to": "http://127.0.0.1:9/"}, "HTTP 302"),
    ],
)
async def test_a_refusal_keeps_llama_servers_words_and_says_what_to_do(
    client: LlamaServerClient, tmp_path: Path, faults: dict[str, Any], expected: str
) -> None:
    set_faults(tmp_path / "fake", **faults)
    with pytest.raises(CompletionError, match=expected):
        await reply_of(client)


async def test_what_a_build_does_not_have_is_none_and_no_error(
    client: LlamaServerClient, tmp_path: Path
) -> None:
    assert "llamacpp:" in (await client.metrics_text() or "")
    assert isinstance(await client.get_or_none("/slots"), list)
    set_faults(tmp_path / "fake", no_metrics=True, no_slots=True)
    assert await client.metrics_text() is None
    assert await client.get_or_none("/slots") is None


@pytest.mark.parametrize("faults", [{}, {"no_input_tokens": True}])
async def test_tokens_are_counted_by_builds_with_and_without_the_endpoint(
    client: LlamaServerClient, tmp_path: Path, faults: dict[str, Any]
) -> None:
    set_faults(tmp_path / "fake", **faults)
    assert await count_prompt_tokens(client, MESSAGES) > 2


async def test_nobody_on_the_port_is_not_healthy(tmp_path: Path) -> None:
    nobody = LlamaServerClient(f"http://127.0.0.1:{free_port()}")
    assert not await nobody.is_healthy()
    await nobody.aclose()


async def test_the_environments_proxy_never_sees_a_request(
    client: LlamaServerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    other = LlamaServerClient(client.url)
    assert await other.is_healthy()
    await other.aclose()


def test_an_error_without_an_envelope_is_quoted() -> None:
    assert "no explanation (HTTP 500)" in str(error_from(500, b""))
    assert "upstream timed out (HTTP 504)" in str(error_from(504, b"upstream timed out"))
    assert "(HTTP 400)" in str(error_from(400, b'{"error": "text"}'))
