"""What goes out at once, and what waits for its time."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from mcp import Client
from mcp.server.mcpserver import Context, MCPServer

from llama_mcp.llama_server.ready_server import ModelLoad
from llama_mcp.surface.notifications.progress import ReplyProgress, Stream
from llama_mcp.turns.replies.partial_reply import PartialReply
from tests.support.client_process import Progress

TELLING: tuple[Stream, ...] = ("chunks", "status")


@pytest.fixture(autouse=True)
def _no_time_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits for its time does so for longer than a test takes."""
    path = "llama_mcp.surface.notifications.progress.MIN_INTERVAL_SECONDS"
    monkeypatch.setattr(path, 3600)


async def told_by(body: Callable[[Context[Any]], Awaitable[None]]) -> Progress:
    """Return the progress of a call whose tool does this."""
    server, progress = MCPServer("test"), Progress()

    async def work(ctx: Context[Any]) -> str:
        await body(ctx)
        return ""

    server.add_tool(work)
    async with Client(server) as client:
        result = await client.call_tool("work", {}, progress_callback=progress.take)
    assert not result.is_error
    assert progress.rises
    return progress


def take(reply: PartialReply, finish_reason: str | None = None, **texts: str) -> None:
    reply.take({"choices": [{"delta": texts, "finish_reason": finish_reason}]})


@pytest.mark.parametrize("stream", TELLING)
async def test_the_first_text_and_the_last_go_out_at_once_although_the_prompt_was_told_of(
    stream: Stream,
) -> None:
    async def body(ctx: Context[Any]) -> None:
        progress, reply = ReplyProgress(ctx, stream), PartialReply()
        reply.prompt_total, reply.prompt_processed = 100, 50
        assert await progress.report(reply) > 0
        await progress.flush(reply)
        for content in ("Once", " upon", " a", " time"):
            take(reply, content=content)
            assert (await progress.report(reply) == 0) is (content == "Once")
        take(reply, "stop")
        assert await progress.report(reply) == 0
        assert await progress.report(reply) > 0

    progress = await told_by(body)
    assert progress.values == [50, 101, 104]
    if stream == "chunks":
        assert progress.messages == ["Once", " upon a time"]
    else:
        assert progress.messages[1:] == ["1 token: Once", "4 tokens: Once upon a time"]


@pytest.mark.parametrize("stream", TELLING)
async def test_that_it_thinks_goes_out_at_once_and_so_does_the_text_after_it(
    stream: Stream,
) -> None:
    async def body(ctx: Context[Any]) -> None:
        progress, reply = ReplyProgress(ctx, stream), PartialReply()
        for thought, is_told in (("Hm", True), ("so", False)):
            take(reply, reasoning_content=thought)
            assert (await progress.report(reply) == 0) is is_told
        take(reply, content="Once")
        assert await progress.report(reply) == 0

    assert (await told_by(body)).values == [1, 3]


async def test_the_first_text_does_not_wait_behind_how_far_the_model_has_loaded() -> None:
    async def body(ctx: Context[Any]) -> None:
        progress, reply = ReplyProgress(ctx, "chunks"), PartialReply()
        await progress.flush(PartialReply(load=ModelLoad(30.0, "it loads")))
        take(reply, content="Once")
        assert await progress.report(reply) == 0

    assert (await told_by(body)).messages[-1] == "Once"


async def test_whoever_waits_for_a_reply_that_has_grown_gets_the_new_text_at_once() -> None:
    async def body(ctx: Context[Any]) -> None:
        reply = PartialReply()
        for content in ("Once", " upon", " a", " time"):
            take(reply, content=content)
        progress = ReplyProgress(ctx, "chunks", first_piece=1)
        assert await progress.report(reply) == 0
        assert await progress.report(reply) > 0

    assert (await told_by(body)).text == " upon a time"
