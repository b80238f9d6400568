"""Turns with files that outlive the llama-mcp process that was asked for them."""

from pathlib import Path
from typing import Any

import pytest

from tests.fake_llama_server.install import install_fake, received_requests, set_faults
from tests.fake_llama_server.running import CHAT
from tests.support.client_process import LlamaMCP
from tests.support.raw_client import RawClient, raw_client

pytestmark = pytest.mark.posix  # processes are killed, and files locked

TOKENS = [f"{number} " for number in range(60)]
WHOLE = "".join(TOKENS)


@pytest.fixture
def held(llama_mcp: LlamaMCP, fake_folder: Path, tmp_path: Path) -> LlamaMCP:
    """Replies stop in the middle until the stand-in gets other faults."""
    fake = install_fake(fake_folder, reply_tokens=TOKENS, hold_at_token=20)
    (tmp_path / "work").mkdir()
    folders = {"FILE_DIRS": str(tmp_path / "work"), "SAVE_DIRS": str(tmp_path / "work")}
    return llama_mcp.having(LLAMA_CPP_PATH=str(fake), PARALLEL="1", LINGER_SECONDS="-1", **folders)


async def be_killed(client: RawClient) -> None:
    client.process.kill()
    await client.exit_code()


async def ask(client: RawClient, **arguments: Any) -> dict[str, Any]:
    result = await client.call("chat", wait_seconds=0, **arguments)
    structure: dict[str, Any] = result["structuredContent"]
    return {"session_id": structure["session_id"]}


async def test_whoever_goes_on_with_a_reply_writes_it_to_its_file(
    held: LlamaMCP, fake_folder: Path, tmp_path: Path
) -> None:
    async with raw_client(held) as client:
        await client.hello()
        await client.call("start_llama_server")
        session = await ask(client, message="Count", save_to="numbers.md")
        await be_killed(client)
    set_faults(fake_folder, reply_tokens=TOKENS)
    # Another operator's folders: the place was checked when it was asked for.
    async with held.having(SAVE_DIRS="none").connect() as connection:
        end = await connection.call("wait_for_reply", wait_seconds=60, **session)
        await connection.call("stop_llama_server", force=True)
    path = tmp_path / "work" / "numbers.md"
    assert (end["status"], end["saved_to"]["path"]) == ("complete", str(path))
    assert path.read_text() == WHOLE


async def test_whoever_sends_a_message_that_was_not_sent_yet_sends_its_files(
    held: LlamaMCP, fake_folder: Path, tmp_path: Path
) -> None:
    notes = tmp_path / "work" / "notes.md"
    notes.write_text("what was read then\n")
    async with raw_client(held) as client:
        await client.hello()
        await client.call("start_llama_server")
        await ask(client, message="First")
        session = await ask(client, message="Count", files=["notes.md"])
        await be_killed(client)
    notes.unlink()
    set_faults(fake_folder, reply_tokens=TOKENS)
    async with held.connect() as connection:
        end = await connection.call("wait_for_reply", wait_seconds=60, **session)
        await connection.call("stop_llama_server", force=True)
    assert end["reply"] == WHOLE
    bodies = [r["body"] for r in received_requests(fake_folder) if r["path"] == CHAT]
    assert bodies[-1]["messages"][0]["content"] == (
        '<file name="notes.md">\nwhat was read then\n</file>\n\nCount'
    )
