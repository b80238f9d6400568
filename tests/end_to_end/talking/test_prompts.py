"""Prompts over the wire, in both eras: listed, completed, got, refused."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.toolsets import TOOL_OF_PROMPT
from tests.hostile.json_values import ODD_TEXTS
from tests.support.client_process import LlamaMCP
from tests.support.raw_client import INITIALIZE, RawClient, raw_client

INVALID_PARAMS = -32602
VERSIONS = ["2024-11-05", "2025-11-25", "2026-07-28"]


@asynccontextmanager
async def client_of(llama_mcp: LlamaMCP, version: str) -> AsyncIterator[RawClient]:
    async with raw_client(llama_mcp) as client:
        if version == "2026-07-28":
            await client.discover()
        else:
            asked = await client.ask("initialize", **INITIALIZE | {"protocolVersion": version})
            assert (await client.answer(asked))["result"]["protocolVersion"] == version
            await client.notify("notifications/initialized")
        yield client


async def message_of(client: RawClient, name: str, **arguments: str) -> str:
    asked = await client.ask("prompts/get", name=name, arguments=arguments)
    (message,) = (await client.answer(asked))["result"]["messages"]
    assert message["role"] == "user"
    return str(message["content"]["text"])


async def error_of(client: RawClient, **params: Any) -> dict[str, Any]:
    answer = await client.answer(await client.ask("prompts/get", **params))
    error: dict[str, Any] = answer["error"]
    return error


async def completed(client: RawClient, name: str, argument: str, typed: str) -> list[str]:
    asked = await client.ask(
        "completion/complete",
        ref={"type": "ref/prompt", "name": name},
        argument={"name": argument, "value": typed},
    )
    values: list[str] = (await client.answer(asked))["result"]["completion"]["values"]
    return values


def made_files(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    (folder / "notes").mkdir(parents=True)
    for name in ("note.txt", "note,2.txt", "other.md", "id_rsa"):
        (folder / name).write_text("text", encoding="utf-8")
    return folder


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_person_goes_on_with_an_earlier_conversation(
    llama_mcp: LlamaMCP, version: str
) -> None:
    async with client_of(llama_mcp, version) as client:
        listed = await client.answer(await client.ask("prompts/list"))
        assert [each["name"] for each in listed["result"]["prompts"]] == list(TOOL_OF_PROMPT)
        asked = await message_of(client, "ask", question="One?")
        arguments = json.loads(asked.split("\n")[1])
        first = await client.call("chat", **arguments, max_tokens=2)
        session_id = first["structuredContent"]["session_id"]
        assert await completed(client, "go_on", "session_id", session_id[:3]) == [session_id]
        assert await completed(client, "go_on", "message", "x") == []
        assert await completed(client, "aks", "session_id", "") == []
        told = await message_of(client, "go_on", session_id=session_id[:6], message="Two?")
        assert '"One?"' in told
        second = await client.call("chat", **json.loads(told.split("\n")[1]), max_tokens=2)
        assert second["structuredContent"]["turn"] == 2
        slow = await message_of(client, "why_slow")
        assert "ready" in slow and "tokens/s" in slow and "ctx_size" in slow


@pytest.mark.parametrize("version", VERSIONS[1:])
async def test_what_is_wrong_is_told_as_the_specification_says(
    llama_mcp: LlamaMCP, version: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async with client_of(llama_mcp, version) as client:
        unknown = await error_of(client, name="go_on", arguments={"session_id": "zzzz"})
        assert unknown["code"] == INVALID_PARAMS
        assert "There is no session 'zzzz'" in unknown["message"]
        for params in (
            {"name": "nonsense"},
            {"name": "ask"},
            {"name": "ask", "arguments": {"question": " "}},
            {"name": "ask", "arguments": {"question": 3}},
            {"name": "ask", "arguments": ["question"]},
            {"name": "summarize_files", "arguments": {"files": ","}},
            {"name": "go_on", "arguments": {"session_id": "../x", "message": "y"}},
            {},
        ):
            error = await error_of(client, **params)
            assert error["code"] == INVALID_PARAMS, params
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("version", VERSIONS)
async def test_files_complete_below_the_folder_that_the_operator_opens(
    llama_mcp: LlamaMCP, version: str, tmp_path: Path
) -> None:
    folder = made_files(tmp_path)
    async with client_of(llama_mcp.having(FILE_DIRS=str(folder)), version) as client:
        typed = "other.md, no"
        assert await completed(client, "summarize_files", "files", typed) == [
            "other.md, note.txt",
            "other.md, notes/",
        ]
        assert await completed(client, "summarize_files", "files", "../") == []
        assert await completed(client, "summarize_files", "focus", "no") == []
        assert await completed(client, "ask", "question", "no") == []


async def test_files_complete_below_the_roots_of_a_client_that_tells_them(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    folder = made_files(tmp_path)
    async with raw_client(llama_mcp) as client:
        await client.answer(
            await client.ask("initialize", **INITIALIZE | {"capabilities": {"roots": {}}})
        )
        await client.notify("notifications/initialized")
        asked = await client.ask(
            "completion/complete",
            ref={"type": "ref/prompt", "name": "summarize_files"},
            argument={"name": "files", "value": "note."},
        )
        question = await client.next()
        assert question["method"] == "roots/list"
        roots = {"roots": [{"uri": folder.as_uri()}]}
        answer = {"jsonrpc": "2.0", "id": question["id"], "result": roots}
        await client.write(json.dumps(answer).encode())
        completion = (await client.answer(asked))["result"]["completion"]
        assert completion["values"] == ["note.txt"]


async def test_without_a_llama_server_the_question_why_it_is_slow_says_that_none_runs(
    llama_mcp: LlamaMCP,
) -> None:
    async with client_of(llama_mcp, VERSIONS[1]) as client:
        assert "stopped" in await message_of(client, "why_slow")


async def test_odd_arguments_become_data_or_a_refusal(
    llama_mcp: LlamaMCP, capfd: pytest.CaptureFixture[str]
) -> None:
    async with client_of(llama_mcp, VERSIONS[-1]) as client:
        for typed in filter(str.strip, ODD_TEXTS):
            asked = await message_of(client, "ask", question=typed)
            assert json.loads(asked.split("\n")[1]) == {"message": typed}
            error = await error_of(client, name="go_on", arguments={"session_id": typed})
            assert error["code"] == INVALID_PARAMS
            await completed(client, "go_on", "session_id", typed)
            await completed(client, "summarize_files", "files", typed)
    assert "Traceback" not in capfd.readouterr().err
