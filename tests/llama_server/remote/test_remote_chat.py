"""A reply by an engine of which nothing is known but its URL."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from llama_mcp.llama_server.ready_server import PromptTooLongError
from llama_mcp.llama_server.remote.access import whole_window
from llama_mcp.llama_server.remote.errors import (
    RemoteBusyError,
    RemoteLostError,
    RemoteRefusedError,
    RemoteRequestError,
)
from tests.fake_openai_server.engine import SENTENCE, THOUGHT, FakeEngine, Refusal
from tests.llama_server.remote.conftest import OpenRemote, chunks_of, text_of
from tests.support.processes import until


@pytest.mark.parametrize(
    "oddity",
    [
        {},
        {"line_end": "\r\n"},
        {"sends_comments": True},
        {"sends_done": False},
        {"is_whole": True},
        {"tells_usage": False},
        {"breaks_in_figures": True},
    ],
)
async def test_a_reply_is_whole_whatever_the_shape_of_its_stream(
    open_remote: OpenRemote, oddity: dict[str, Any]
) -> None:
    remote = await open_remote(FakeEngine(**oddity))
    chunks = await chunks_of(await remote.engine.ready_server())
    assert text_of(chunks) == SENTENCE


async def test_a_stream_that_stays_open_behind_its_end_is_left(open_remote: OpenRemote) -> None:
    remote = await open_remote(FakeEngine(sends_done=False, stays_open=True))
    chunks = await chunks_of(await remote.engine.ready_server())
    assert text_of(chunks) == SENTENCE
    await until(lambda: remote.fake.left == 1, "the connection is closed")


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
async def test_thoughts_come_under_one_name(open_remote: OpenRemote, name: str) -> None:
    remote = await open_remote(FakeEngine(thinks_as=name))
    chunks = await chunks_of(await remote.engine.ready_server())
    assert text_of(chunks, "reasoning_content") == THOUGHT
    assert text_of(chunks) == SENTENCE


async def test_time_is_measured_here_where_the_engine_tells_none(open_remote: OpenRemote) -> None:
    remote = await open_remote()
    timings = (await chunks_of(await remote.engine.ready_server()))[-1]["timings"]
    assert timings["predicted_ms"] > 0 and timings["predicted_per_second"] > 0
    assert "prompt_ms" not in timings
    assert remote.engine.last_look().has_timings is False


async def test_the_session_is_named_by_a_hash_that_stays_the_same(open_remote: OpenRemote) -> None:
    remote = await open_remote()
    server = await remote.engine.ready_server()
    await chunks_of(server)
    await chunks_of(server)
    first, second = remote.fake.chats()
    key = first.headers["x-session-id"]
    assert key == second.headers["x-session-id"] == first.body["user"]
    assert "k7m2" not in str(first.headers) + str(first.body)


async def test_what_only_llama_server_has_is_not_sent_to_others(open_remote: OpenRemote) -> None:
    remote = await open_remote(FakeEngine(is_strict=True))
    server = await remote.engine.ready_server()
    await chunks_of(server, return_progress=True, cache_prompt=True)
    assert len(remote.fake.chats()) == 1 and not server.remarks


async def test_a_field_that_is_refused_is_left_out_once_and_for_all_and_told(
    open_remote: OpenRemote,
) -> None:
    remote = await open_remote(FakeEngine(refuses_fields=frozenset({"top_k", "stream_options"})))
    for tries in (3, 4):
        server = await remote.engine.ready_server()
        chunks = await chunks_of(server, top_k=5, temperature=0.5)
        assert text_of(chunks) == SENTENCE
        assert len(remote.fake.chats()) == tries
        assert server.remarks == ["The engine does not know top_k, which was left out."]
    assert remote.fake.chats()[-1].body["temperature"] == 0.5


async def test_requests_at_once_all_leave_out_a_field_that_is_refused(
    open_remote: OpenRemote,
) -> None:
    remote = await open_remote(FakeEngine(refuses_fields=frozenset({"top_k"})))
    server = await remote.engine.ready_server()
    texts: list[str] = []

    async def ask() -> None:
        texts.append(text_of(await chunks_of(server, top_k=5)))

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(ask)
    assert texts == [SENTENCE] * 4


async def test_max_tokens_is_sent_by_its_newer_name_where_that_is_wanted(
    open_remote: OpenRemote,
) -> None:
    said = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
        "'max_completion_tokens' instead."
    )
    remote = await open_remote(
        FakeEngine(refusals=[Refusal(400, {"error": {"message": said, "param": "max_tokens"}})])
    )
    server = await remote.engine.ready_server()
    await chunks_of(server, max_tokens=7)
    body = remote.fake.chats()[-1].body
    assert body["max_completion_tokens"] == 7 and "max_tokens" not in body
    assert not server.remarks


async def test_an_engine_that_asks_for_a_moment_gets_it(open_remote: OpenRemote) -> None:
    busy = Refusal(429, {"error": {"message": "slow down"}}, {"Retry-After": "0"})
    remote = await open_remote(FakeEngine(refusals=[busy, busy]))
    assert text_of(await chunks_of(await remote.engine.ready_server())) == SENTENCE
    assert len(remote.fake.chats()) == 3


async def test_an_engine_that_asks_for_long_is_not_asked_again_until_then(
    open_remote: OpenRemote,
) -> None:
    busy = Refusal(503, {"error": {"message": "out of capacity"}}, {"Retry-After": "600"})
    remote = await open_remote(FakeEngine(refusals=[busy]))
    server = await remote.engine.ready_server()
    with pytest.raises(RemoteBusyError, match=r"out of capacity.*Call again in 600 s") as first:
        await chunks_of(server)
    assert remote.url in str(first.value)
    with pytest.raises(RemoteBusyError, match=r"Call again in \d+ s"):
        await chunks_of(server)
    assert len(remote.fake.chats()) == 1


async def test_an_engine_that_asks_for_a_year_is_asked_again_within_an_hour(
    open_remote: OpenRemote,
) -> None:
    busy = Refusal(429, {"error": {"message": "quota"}}, {"Retry-After": "31536000"})
    remote = await open_remote(FakeEngine(refusals=[busy]))
    server = await remote.engine.ready_server()
    with pytest.raises(RemoteBusyError, match="Call again in 3600 s"):
        await chunks_of(server)


async def test_a_key_that_an_error_in_the_stream_repeats_is_not_told(
    open_remote: OpenRemote, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("sk-very-secret")
    fake = FakeEngine(key="sk-very-secret", error_after=1, dies_of="sk-very-secret has expired")
    remote = await open_remote(fake, key_file=tmp_path / "key")
    with pytest.raises(RemoteRequestError, match=r"\[key\] has expired") as refusal:
        await chunks_of(await remote.engine.ready_server())
    assert "very-secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"breaks_after": 2}, "ended before the reply was complete"),
        ({"error_after": 2}, "the model has died"),
    ],
)
async def test_a_reply_that_breaks_off_says_so(
    open_remote: OpenRemote, fault: dict[str, Any], said: str
) -> None:
    remote = await open_remote(FakeEngine(**fault))
    with pytest.raises((RemoteLostError, RemoteRequestError), match=said):
        await chunks_of(await remote.engine.ready_server())


async def test_leaving_a_reply_closes_its_connection(open_remote: OpenRemote) -> None:
    remote = await open_remote(FakeEngine(hangs_after=2))
    server = await remote.engine.ready_server()
    body = {"messages": [{"role": "user", "content": "Hello"}]}
    async with server.stream_chat(body) as chunks:
        async for chunk in chunks:
            if text_of([chunk]):
                break
    await until(lambda: remote.fake.left == 1, "the engine sees that nobody reads")


async def test_a_prompt_over_the_window_is_refused_with_what_was_learned(
    open_remote: OpenRemote,
) -> None:
    remote = await open_remote(FakeEngine("vllm", window=100))
    server = await remote.engine.ready_server()
    with pytest.raises(PromptTooLongError) as refusal:
        await chunks_of(server, messages=[{"role": "user", "content": "x" * 4000}])
    assert (refusal.value.window, refusal.value.prompt_tokens) == (100, 1004)


async def test_a_refusal_that_tells_no_numbers_makes_the_window_smaller(
    open_remote: OpenRemote,
) -> None:
    said = Refusal(400, {"error": {"message": "Too much", "code": "context_length_exceeded"}})
    remote = await open_remote(FakeEngine(refusals=[said]), ctx_size=5000)
    server = await remote.engine.ready_server()
    with pytest.raises(PromptTooLongError):
        await chunks_of(server, messages=[{"role": "user", "content": "x" * 12000}])
    assert 3000 < server.slot_ctx_size < 4000
    assert remote.engine.last_look().ctx_size_source == "guess"


async def test_an_engine_that_is_started_anew_with_another_window_has_that(
    open_remote: OpenRemote,
) -> None:
    remote = await open_remote(FakeEngine("vllm", window=100))
    server = await remote.engine.ready_server()
    with pytest.raises(PromptTooLongError):
        await chunks_of(server, messages=[{"role": "user", "content": "x" * 4000}])
    remote.fake.window = 9000
    look = await remote.engine.look(max_age_seconds=0)
    assert (look.ctx_size, look.ctx_size_source) == (9000, "told")


@pytest.mark.parametrize(
    ("told", "max_tokens", "window"),
    [(3, 2045, 2048), (2048, 2045, 2048), (1000, 100, 1000), (3, None, 3), (64, 64, 64)],
)
def test_a_window_that_is_told_less_max_tokens_is_put_together(
    told: int, max_tokens: int | None, window: int
) -> None:
    assert whole_window(told, max_tokens) == window


async def test_a_refusal_in_the_middle_of_a_reply_is_no_prompt_too_long(
    open_remote: OpenRemote,
) -> None:
    fake = FakeEngine(error_after=2, dies_of="The model's maximum context length is 100 tokens")
    remote = await open_remote(fake)
    server = await remote.engine.ready_server()
    before = server.slot_ctx_size
    with pytest.raises(RemoteRequestError, match="maximum context length"):
        await chunks_of(server)
    assert server.slot_ctx_size == before


async def test_a_model_that_the_engine_does_not_have_is_named(open_remote: OpenRemote) -> None:
    remote = await open_remote(model="no-such-model")
    with pytest.raises(RemoteRefusedError, match="asked for no-such-model"):
        await chunks_of(await remote.engine.ready_server())


async def test_a_prompt_that_was_cut_in_silence_is_remarked(open_remote: OpenRemote) -> None:
    remote = await open_remote(FakeEngine("ollama", window=1000), ctx_size=32_000)
    server = await remote.engine.ready_server()
    history = [{"role": "user", "content": "word " * 600}]
    await chunks_of(server, messages=history)
    assert not server.remarks
    longer = [*history, {"role": "assistant", "content": SENTENCE}]
    longer += [{"role": "user", "content": "word " * 1200}]
    await chunks_of(server, messages=longer)
    (remark,) = server.remarks
    assert "read 1000 tokens of a prompt of 9,044 bytes" in remark


async def test_an_ordinary_conversation_is_never_remarked(open_remote: OpenRemote) -> None:
    remote = await open_remote(FakeEngine("ollama", window=100_000))
    server = await remote.engine.ready_server()
    messages: list[dict[str, str]] = []
    for number in range(12):
        messages = [*messages, {"role": "user", "content": f"Question {number}. " * 40}]
        await chunks_of(server, messages=messages)
        messages = [*messages, {"role": "assistant", "content": SENTENCE}]
    assert not server.remarks
