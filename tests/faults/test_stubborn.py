"""A llama-server that will not end, or that says nothing any more."""

import signal
from pathlib import Path
from typing import Any

import pytest

from tests.fake_llama_server.install import install_fake
from tests.faults.victims import is_alive, process, start_model, until_nothing_is_left
from tests.support.client_process import LlamaMCP
from tests.support.processes import has_llama_server, until
from tests.support.raw_client import RawClient, raw_client


async def begin_reply(client: RawClient) -> int:
    """Begin a reply that does not end soon; return the request's id once it is under way."""
    arguments = {"message": "Go on and on"}
    meta = {"progressToken": "reply"}
    request = await client.ask("tools/call", name="chat", arguments=arguments, _meta=meta)
    while not (await client.next()).get("params", {}).get("message"):
        pass
    return request


async def all_answers(client: RawClient, *requests: int) -> dict[int, dict[str, Any]]:
    """Return the results of the requests, which may come in any order."""
    answers: dict[int, dict[str, Any]] = {}
    while set(requests) - answers.keys():
        message = await client.next()
        if "method" not in message:
            answers[message["id"]] = message["result"]
    return answers


async def test_one_that_ignores_sigterm_is_stopped_all_the_same(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, ignore_sigterm=True)
    async with raw_client(llama_mcp.having(LLAMA_CPP_PATH=str(fake))) as client:
        await client.hello()
        await start_model(client)
        stopped = (await client.call("stop_llama_server"))["structuredContent"]
        assert stopped["state"] == "stopped"
        await until_nothing_is_left(llama_mcp.home)
        await start_model(client)


async def test_one_that_ignores_sigterm_is_stopped_in_mid_reply_and_the_chat_is_told(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(
        fake_folder,
        ignore_sigterm=True,
        ignore_disconnect=True,
        reply="on and " * 2000,
        token_delay_seconds=0.05,
    )
    async with raw_client(llama_mcp.having(LLAMA_CPP_PATH=str(fake))) as client:
        await client.hello()
        await start_model(client)
        chat = await begin_reply(client)
        refused = await client.call("stop_llama_server")
        assert refused["isError"] and "force=true" in refused["content"][0]["text"]
        stop = await client.ask("tools/call", name="stop_llama_server", arguments={"force": True})
        answers = await all_answers(client, chat, stop)
        assert answers[stop]["structuredContent"]["state"] == "stopped"
        assert "was stopped while it replied" in answers[chat]["content"][0]["text"]
        await until_nothing_is_left(llama_mcp.home)


async def test_one_that_ignores_sigterm_is_stopped_while_it_loads_and_the_start_is_told(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, ignore_sigterm=True, load_forever=True)
    async with raw_client(llama_mcp.having(LLAMA_CPP_PATH=str(fake))) as client:
        await client.hello()
        start = await client.ask("tools/call", name="start_llama_server", arguments={})
        await until(lambda: has_llama_server(fake_folder), "it is spawned")
        stop = await client.ask("tools/call", name="stop_llama_server", arguments={})
        answers = await all_answers(client, start, stop)
        assert answers[stop]["structuredContent"]["state"] == "stopped"
        assert "was stopped while it was loading" in answers[start]["content"][0]["text"]
        assert (await client.call("status"))["structuredContent"]["state"] == "stopped"
        await until_nothing_is_left(llama_mcp.home)


@pytest.mark.slow
@pytest.mark.parametrize("way_out", ["stop with force", "SIGCONT"])
async def test_one_that_is_suspended_in_mid_reply_is_found_unresponsive(
    llama_mcp: LlamaMCP, way_out: str
) -> None:
    having = llama_mcp.having(CTX_SIZE="8192", UNRESPONSIVE_SECONDS="2")
    async with raw_client(having) as client:
        await client.hello()
        llama_server = process(await start_model(client))
        chat = await begin_reply(client)
        llama_server.signal(signal.Signals["SIGSTOP"])
        failed = (await client.answer(chat))["result"]["content"][0]["text"]
        assert "unresponsive" in failed and "force=true" in failed
        status = (await client.call("status"))["structuredContent"]
        assert (status["state"], status["pid"]) == ("unresponsive", llama_server.pid)
        if way_out == "SIGCONT":
            llama_server.signal(signal.Signals["SIGCONT"])
            reply = (await client.call("chat", message="Hello", max_tokens=2))["structuredContent"]
            assert reply["status"] == "complete"
            assert (await client.call("status"))["structuredContent"]["state"] == "ready"
        stopped = await client.call("stop_llama_server", force=True)
        assert stopped["structuredContent"]["state"] == "stopped"
        assert not is_alive(llama_server)
        await until_nothing_is_left(llama_mcp.home)
