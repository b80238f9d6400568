"""The file of tokens changes while it is served: at once, in open sessions and streams too."""

from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest

from llama_mcp.cli.doctor.checks.http import look_at_http
from llama_mcp.cli.doctor.findings import Circumstances, Finding, Level
from llama_mcp.reading_settings import read_settings
from llama_mcp.tokens.writing import add_token, remove_token
from tests.fake_llama_server.install import install_fake
from tests.support.client_process import LlamaMCP
from tests.support.http_process import ACCEPT, RawCaller, messages_of, serving
from tests.support.processes import PATIENCE_SECONDS, until


async def status_until(caller: RawCaller, wanted: int) -> None:
    """Ask until the answer has that status."""
    with anyio.fail_after(PATIENCE_SECONDS):
        while True:
            async with caller.asked("tools/list") as response:
                if response.status_code == wanted:
                    return
            await anyio.sleep(0.05)


async def test_a_token_that_is_added_or_replaced_is_good_without_a_restart(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    async with serving(llama_mcp, tmp_path / "http", ["ann"]) as server:
        server.tokens["cid"] = add_token(server.tokens_file, "cid", "chat")
        await status_until(RawCaller(server, "cid", "auto"), 200)
        remove_token(server.tokens_file, "cid")
        old, server.tokens["cid"] = (
            server.tokens["cid"],
            add_token(server.tokens_file, "cid", "chat"),
        )
        await status_until(RawCaller(server, "cid", "auto"), 200)
        server.tokens["cid"] = old
        await status_until(RawCaller(server, "cid", "auto"), 401)


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_a_token_that_is_removed_ends_its_sessions_streams_and_calls(
    llama_mcp: LlamaMCP, fake_folder: Path, tmp_path: Path, era: str
) -> None:
    fake = install_fake(fake_folder, hold_at_token=3)
    async with serving(llama_mcp.having(LLAMA_CPP_PATH=str(fake)), tmp_path / "http") as server:
        ann, bob = RawCaller(server, "ann", era), RawCaller(server, "bob", era)
        await ann.hello()
        await bob.hello()
        ended = []

        async def listen() -> None:
            if era == "auto":
                wants = {"notifications": {"resourcesListChanged": True}}
                async with ann.asked("subscriptions/listen", **wants) as response:
                    await response.aread()
            else:
                headers = {"Mcp-Session-Id": ann.session_id or "", "Accept": ACCEPT}
                async with server.http("ann") as http:
                    await http.get(server.mcp, headers=headers)
            ended.append("stream")

        async def chat(caller: RawCaller, begun: anyio.Event) -> None:
            ask = {"name": "chat", "arguments": {"message": "Go on"}}
            async with caller.asked("tools/call", **ask, _meta={"progressToken": 1}) as response:
                async for message in messages_of(response):
                    if message.get("params", {}).get("message"):
                        begun.set()
            ended.append(caller.name)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)
            begun = anyio.Event()
            tasks.start_soon(chat, ann, begun)
            await begun.wait()
            remove_token(server.tokens_file, "ann")
            await until(lambda: sorted(ended) == ["ann", "stream"], "what ann has open ends")
            await status_until(ann, 401)
            async with bob.asked("tools/list") as response:
                assert response.status_code == 200
            tasks.cancel_scope.cancel()


async def test_a_broken_edit_keeps_the_tokens_of_before_and_is_told_in_the_log(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    async with serving(llama_mcp, tmp_path / "http", ["ann"]) as server:
        good = server.tokens_file.read_text()
        server.tokens_file.write_text(good + '[bob]\nsha256 = "no hash"\n')
        await until(lambda: "line 5: sha256 has to be" in server.told(), "the log says it")
        (found,) = await http_findings(llama_mcp, tmp_path)
        assert found.level == Level.FAULT and "line 5: sha256 has to be" in found.text
        assert f"process {server.process.pid} at {server.url}" in found.text
        ann = RawCaller(server, "ann", "auto")
        await status_until(ann, 200)
        server.tokens_file.write_text(good)
        (found,) = await http_findings(llama_mcp, tmp_path)
        assert found.level == Level.OK and found.text.endswith("to 1 token")
        server.tokens["bob"] = add_token(server.tokens_file, "bob", "chat")
        await status_until(RawCaller(server, "bob", "auto"), 200)
        for token in server.tokens.values():
            assert token not in server.told()
        server.process.kill()
        await server.process.wait()
        (found,) = await http_findings(llama_mcp, tmp_path)
        assert found.text == "no process of this home serves HTTP"


async def http_findings(llama_mcp: LlamaMCP, folder: Path) -> Sequence[Finding]:
    """Return what `llama-mcp doctor` finds of HTTP."""
    settings = read_settings(llama_mcp.environment)
    return await look_at_http(Circumstances(llama_mcp.environment, settings, folder))
