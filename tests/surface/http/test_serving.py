"""Who may serve where: one process of a home, and nobody without tokens."""

import json
import subprocess
from pathlib import Path
from typing import Any

import anyio
import pytest

from llama_mcp.tokens.writing import add_token
from tests.support.client_process import LlamaMCP
from tests.support.http_process import RawCaller, serving
from tests.support.processes import PATIENCE_SECONDS, until


async def refused(llama_mcp: LlamaMCP, *arguments: str) -> tuple[int, str]:
    """Return how `serve` ends with these arguments, and what it says."""
    with anyio.fail_after(PATIENCE_SECONDS):
        ended = await anyio.run_process(
            [*llama_mcp.command, "serve", *arguments],
            check=False,
            env=llama_mcp.environment,
            stdin=subprocess.DEVNULL,
        )
    assert ended.stdout == b""
    return ended.returncode, ended.stderr.decode()


async def test_a_second_process_of_a_home_says_who_serves_and_stdio_is_served_beside_it(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    async with serving(llama_mcp, tmp_path / "http") as server:
        more = ("--http", "127.0.0.1:0", "--tokens", str(server.tokens_file))
        code, told = await refused(llama_mcp, *more)
        assert code == 1 and f"process {server.process.pid} at {server.url}" in told, told
        async with llama_mcp.connect() as beside:
            assert (await beside.call("status"))["state"] == "stopped"
        server.process.kill()
        await server.process.wait()
    # The kernel has let go of the lock.
    async with serving(llama_mcp, tmp_path / "again") as server, server.connect("ann") as it:
        assert (await it.call("status"))["state"] == "stopped"


@pytest.mark.parametrize("address", ["127.0.0.1:0", "0.0.0.0:0", "[::]:0"])
async def test_nobody_is_served_without_tokens_wherever_it_listens(
    llama_mcp: LlamaMCP, address: str
) -> None:
    code, told = await refused(llama_mcp, "--http", address)
    assert code == 2 and "llama-mcp tokens add NAME" in told


async def test_wrong_addresses_and_files_are_refused_in_a_sentence(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens.toml"
    add_token(tokens, "ann", "chat")
    for address in ("here", "127.0.0.1:70000", "::1:80", "http://x:1", "256.1.1.1:1"):
        code, told = await refused(llama_mcp, "--http", address, "--tokens", str(tokens))
        assert code == 1 and address.removeprefix("http:") in told and "Traceback" not in told, told
    missing = ("--http", "127.0.0.1:0", "--tokens", str(tmp_path / "nothing"))
    code, told = await refused(llama_mcp, *missing)
    assert code == 1 and "cannot be read: No such file" in told


@pytest.mark.posix
async def test_tokens_that_others_can_read_are_refused_with_what_to_run(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens.toml"
    add_token(tokens, "ann", "chat")
    for mode in (0o644, 0o660):
        tokens.chmod(mode)
        code, told = await refused(llama_mcp, "--http", "127.0.0.1:0", "--tokens", str(tokens))
        assert code == 1 and f"Run `chmod 600 {tokens}`" in told, told


async def test_beyond_loopback_tls_is_asked_for_and_names_of_a_proxy_are_served(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    hosts = ("--hosts", "llm.example.org, Box.Example.org", "--http", "0.0.0.0:0")
    async with serving(llama_mcp, tmp_path / "http", ["ann"], *hosts) as server:
        assert "put TLS in front" in server.told()
        server.url = server.url.replace("0.0.0.0", "127.0.0.1")
        ann = RawCaller(server, "ann", "auto")
        asked = ann.message("tools/list")
        for host, origin, status in (
            ("llm.example.org", None, 200),
            ("LLM.example.org:443", "https://llm.example.org", 200),
            ("box.example.org.", "https://llm.example.org", 200),
            ("localhost", None, 200),
            ("llm.example.org", "https://evil.example.org", 403),
            ("evil.example.org", None, 421),
        ):
            given = {"Host": host} | ({"Origin": origin} if origin else {})
            async with server.http("ann", **given) as http:
                answer = await http.post(server.mcp, json=asked, headers=ann.headers(asked))
                assert answer.status_code == status, (host, origin)


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_each_call_is_noted_with_who_what_session_and_outcome_but_no_text(
    llama_mcp: LlamaMCP, tmp_path: Path, era: str
) -> None:
    audit = tmp_path / "audit.jsonl"

    def lines() -> list[dict[str, Any]]:
        read = map(json.loads, audit.read_text().splitlines())
        return [line for line in read if line["method"] != "tools/list"]

    async with serving(llama_mcp, tmp_path / "http", ["ann"], "--audit", str(audit)) as server:
        async with server.connect("ann", era) as it:
            reply = await it.call("chat", message="Secret pears", max_tokens=3)
            await it.refusal("read_session", session_id="zzzz-zzzz-zzzz")
            await it.read(f"llama://sessions/{reply['session_id']}")
            await until(lambda: len(lines()) >= 4, "all is noted")
            noted = lines()
            audit.rename(tmp_path / "audit.1")
            await it.call("status")
            await until(audit.exists, "it is begun anew")
        assert "Secret" not in server.told() and "Secret" not in (tmp_path / "audit.1").read_text()
    first, chat, session, resource = noted
    assert first["method"] == ("server/discover" if era == "auto" else "initialize")
    assert (chat["who"], chat["method"], chat["what"]) == ("ann", "tools/call", "chat")
    assert chat["session"] == reply["session_id"] and chat["outcome"] == "ok"
    assert isinstance(chat["duration_ms"], int) and chat["at"].endswith("Z")
    assert (session["session"], session["outcome"]) == ("zzzz-zzzz-zzzz", "error")
    assert resource["what"] == f"llama://sessions/{reply['session_id']}"
    assert audit.stat().st_mode & 0o077 == 0
