"""Bytes that are no UTF-8, wherever the system hands them over: all works, the wire has text."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.faults.victims import current_run
from tests.support.client_process import LlamaMCP
from tests.support.raw_client import RawClient, raw_client

pytestmark = pytest.mark.posix

# The byte 0xE9 as Python has it: é in Latin-1, half a character in UTF-8.
ODD = "caf\udce9"
SHOWN = "caf\ufffd"
URIS = ("status", "config", "metrics", "slots", "log")


async def whole_life(client: RawClient, **start: Any) -> list[str]:
    """Start, talk, look at everything, stop; return all texts."""
    await client.hello()
    texts = []
    for tool, arguments in (
        ("start_llama_server", start),
        ("status", {}),
        ("get_config", {}),
        ("chat", {"message": "Hello", "max_tokens": 4}),
        ("server_log", {"lines": 5}),
        ("server_metrics", {}),
        ("list_sessions", {}),
    ):
        result = await client.call(tool, **arguments)
        assert not result.get("isError"), result["content"][0]["text"]
        texts.append(result["content"][0]["text"])
    assert "ready" in texts[0] and "ready" in texts[1]
    for name in URIS:
        answer = await client.answer(
            await client.ask("resources/read", uri=f"llama://server/{name}")
        )
        texts.append(answer["result"]["contents"][0]["text"])
    stopped = await client.call("stop_llama_server")
    assert stopped["structuredContent"]["state"] == "stopped"
    return texts


async def test_inherited_variables_may_hold_any_bytes(llama_mcp: LlamaMCP) -> None:
    odd = dict.fromkeys(("USER", "LOGNAME", "LC_TIME", "LD_LIBRARY_PATH", "LANG", "X"), ODD)
    variables = {"PATH": f"/opt/{ODD}:/usr/bin:/bin", "HOME": f"/home/{ODD}", "SOME\udce9": "x"}
    odd_mcp = replace(llama_mcp, variables=llama_mcp.variables | odd | variables)
    async with raw_client(odd_mcp.having(PASS_ENV=f"X,SOME\udce9,{ODD}")) as client:
        await whole_life(client)
    environment = current_run(llama_mcp.home).launch.environment
    assert environment["PATH"].startswith(f"/opt/{ODD}:")
    assert environment["X"] == ODD and environment["SOME\udce9"] == "x"


async def test_the_home_may_have_any_bytes(llama_mcp: LlamaMCP, tmp_path: Path) -> None:
    async with raw_client(replace(llama_mcp, home=tmp_path / ODD)) as client:
        await whole_life(client)
    assert (tmp_path / ODD / "sessions.db").is_file()


async def test_a_model_may_have_any_bytes_in_its_name(
    llama_mcp: LlamaMCP, tmp_path: Path, tiny_model: Path
) -> None:
    folder = tmp_path / ODD
    folder.mkdir()
    model = folder / f"tiny {ODD}.gguf"
    shutil.copyfile(tiny_model, model)
    async with raw_client(llama_mcp.having(MODEL_PATH=f" '{model}'\n")) as client:
        texts = await whole_life(client)
    assert any(SHOWN in text for text in texts)
