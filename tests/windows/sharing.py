"""Two Windows llama-mcp processes with one home share one llama-server."""

from tests.windows.stage import Stage, call, close, start


async def sharing(stage: Stage) -> str:
    """The second joins what the first has started, and keeps it when the first leaves."""
    async with stage.client() as first, stage.client() as second:
        await first.hello()
        await second.discover()
        started = await start(first)
        joined = await start(second)
        assert joined["pid"] == started["pid"], "each has its own"
        assert joined["already_running"] is True
        told = await call(first, "chat", message="From the first", max_tokens=5)
        await close(first)
        assert (await call(second, "status"))["pid"] == started["pid"], "it left with the first"
        again = {"session_id": told["session_id"], "message": "From the second"}
        assert (await call(second, "chat", max_tokens=5, **again))["turn"] == 2
        await close(second)
    await stage.until_nothing_is_left()
    return "one pid, one session; it ended with the second"
