"""A session of any length is read whole, page by page, and no frame is longer than clients take."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.sessions.archive import Archive
from llama_mcp.sessions.records import TurnEnding, TurnStatus
from llama_mcp.surface.sizes import MAX_FRAME_BYTES
from tests.fake_llama_server.install import install_fake
from tests.support.client_process import LlamaMCP
from tests.support.raw_client import RawClient, raw_client

# Twelve failed turns of a megabyte, as agents leave them; the last one's text is all control
# characters, which are six bytes each on the wire.
MESSAGES = [
    *(f"{number} " + "x" * 1_000_000 for number in range(1, 12)),
    "12 " + "\x00" * 1_000_000,
]


PROMPT = "Be."


@pytest.fixture(scope="module")
async def session_id(shared_llama_mcp: LlamaMCP) -> str:
    shared_llama_mcp.home.mkdir(parents=True)
    archive = Archive(shared_llama_mcp.home / "sessions.db")
    session: str | None = None
    for message in MESSAGES:
        prompt = None if session else PROMPT
        begun = await archive.begin_turn(session, message, system_prompt=prompt, owner=LOCAL_OWNER)
        session = begun.session.session_id
        failed = TurnEnding(status=TurnStatus.FAILED, error="too long")
        await archive.end_turn(session, begun.turn, failed)
    await archive.close()
    assert session is not None
    return session


@pytest.fixture(scope="module")
async def client(shared_llama_mcp: LlamaMCP, session_id: str) -> AsyncIterator[RawClient]:
    async with raw_client(shared_llama_mcp) as client:
        await client.hello()
        yield client


def size_of(frame: dict[str, Any]) -> int:
    return len(json.dumps(frame, ensure_ascii=False).encode())


async def small(client: RawClient, method: str, **params: Any) -> dict[str, Any]:
    """Return a result whose frame is small enough."""
    answer = await client.answer(await client.ask(method, **params))
    assert size_of(answer) <= MAX_FRAME_BYTES
    result: dict[str, Any] = answer["result"]
    return result


async def test_the_resource_of_a_long_session_leads_through_all_of_it(
    client: RawClient, session_id: str
) -> None:
    said: dict[int, str] = {}
    uri: str | None = f"llama://sessions/{session_id}.json"
    pages = 0
    while uri:
        (content,) = (await small(client, "resources/read", uri=uri))["contents"]
        page = json.loads(content["text"])
        for turn in page["turns"]:
            said[turn["turn"]] = said.get(turn["turn"], "") + turn.get("message", "")
        uri, pages = page.get("next"), pages + 1
    assert list(said.values()) == MESSAGES and pages > 1


async def test_so_does_its_markdown(client: RawClient, session_id: str) -> None:
    text = ""
    uri: str | None = f"llama://sessions/{session_id}"
    while uri:
        (content,) = (await small(client, "resources/read", uri=uri))["contents"]
        last = content["text"].rstrip().split("\n")[-1]
        text += content["text"]
        uri = last.removeprefix("[More: ").removesuffix("]") if last.startswith("[More: ") else None
    assert text.count("x") > 11_000_000 and text.count(r"\x00") == 1_000_000
    assert text.count(f"## System prompt\n\n> {PROMPT}") == 1


async def test_so_does_read_session(client: RawClient, session_id: str) -> None:
    said: dict[int, str] = {}
    offset: int | None = 0
    while offset is not None:
        arguments = {"session_id": session_id, "offset": offset}
        result = await small(client, "tools/call", name="read_session", arguments=arguments)
        page = result["structuredContent"]
        for turn in page["turns"]:
            said[turn["turn"]] = said.get(turn["turn"], "") + turn.get("message", "")
        offset = page.get("next_offset")
        more = f"more: offset={offset}]" if offset is not None else "of 12]"
        assert result["content"][0]["text"].endswith(more)
    assert list(said.values()) == MESSAGES


async def test_huge_system_prompts_and_arguments_that_errors_quote_fit_too(
    client: RawClient, session_id: str
) -> None:
    prompt = {"session_id": session_id, "system_prompt": "\x00" * 2_000_000}
    await small(client, "tools/call", name="update_session", arguments=prompt)
    await small(client, "tools/call", name="list_sessions", arguments={})
    await small(client, "resources/read", uri="llama://sessions")
    await small(client, "resources/read", uri=f"llama://sessions/{session_id}.json")
    prompt["system_prompt"] = PROMPT
    await small(client, "tools/call", name="update_session", arguments=prompt)
    for arguments in ({"session_id": "x" * 9_000_000}, {"session_id": {"x" * 9_000_000: 1}}):
        result = await small(client, "tools/call", name="read_session", arguments=arguments)
        assert result["isError"]
    for method, params in (
        ("tools/call", {"name": "\x00" * 2_000_000}),
        ("x" * 9_000_000, {}),
        ("resources/read", {"uri": "llama://" + "x" * 9_000_000}),
    ):
        answer = await client.answer(await client.ask(method, **params))
        assert size_of(answer) <= MAX_FRAME_BYTES
    await small(client, "ping")


@pytest.mark.parametrize("token", ["x" * 1000, "\x00" * 1000])
async def test_a_reply_of_any_length_reaches_its_caller_in_small_frames(
    llama_mcp: LlamaMCP, fake_folder: Path, token: str
) -> None:
    """As progress whole, as a result as far as it fits, and in read_session page by page."""
    reply = token * 2400
    fake = install_fake(fake_folder, reply_tokens=[token * 1200, token * 1200, " end"])
    async with raw_client(llama_mcp.having(LLAMA_CPP_PATH=str(fake))) as client:
        await client.hello()
        await small(client, "tools/call", name="start_llama_server", arguments={})
        chat = {"name": "chat", "arguments": {"message": "Go on"}}
        request = await client.ask("tools/call", **chat, _meta={"progressToken": "p"})
        told = ""
        while "method" in (frame := await client.next()):
            assert size_of(frame) <= MAX_FRAME_BYTES
            told += frame.get("params", {}).get("message", "")
        assert frame["id"] == request and size_of(frame) <= MAX_FRAME_BYTES
        assert told == reply + " end"
        structure = frame["result"]["structuredContent"]
        assert structure["status"] == "complete"
        if structure["reply"] != told:
            assert f"of {len(told)} characters; read_session gives the rest]" in structure["reply"]
            assert "read_session gives the rest]" in frame["result"]["content"][0]["text"]
