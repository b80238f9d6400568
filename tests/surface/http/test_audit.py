"""What is noted of calls: each under the name of its own caller, and nothing of it is lost."""

import json
import logging
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from llama_mcp.surface.http.audit import Audit, AuditEntry
from tests.support.client_process import LlamaMCP
from tests.support.http_process import serving
from tests.support.processes import PATIENCE_SECONDS, until

ENTRY = AuditEntry("ann", "tools/call", "chat", "k7m2-q9x4-tbhz", "ok", 7)


@pytest.mark.posix
async def test_calls_of_two_people_side_by_side_are_each_noted_under_their_own_name(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    audit = tmp_path / "audit.jsonl"

    async def ask(name: str, era: str) -> None:
        async with server.connect(name, era) as it:
            for number in range(10):
                await it.refusal("read_session", session_id=f"{name}-{number}")

    def noted() -> list[dict[str, str]]:
        lines = map(json.loads, audit.read_text().splitlines())
        return [line for line in lines if line.get("what") == "read_session"]

    async with serving(
        llama_mcp, tmp_path / "http", ["ann", "bob"], "--audit", str(audit)
    ) as server:
        with anyio.fail_after(PATIENCE_SECONDS):
            async with anyio.create_task_group() as tasks:
                for name in ("ann", "bob"):
                    for era in ("auto", "legacy"):
                        tasks.start_soon(ask, name, era)
        await until(lambda: len(noted()) == 40, "all is noted")
        assert all(line["session"].startswith(line["who"]) for line in noted())


async def test_what_is_noted_last_is_written_and_a_file_that_cannot_be_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "audits"
    folder.mkdir()
    audit = Audit(folder / "audit.jsonl")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(audit.write)
        await anyio.lowlevel.checkpoint()
        audit.note(ENTRY)
        tasks.cancel_scope.cancel()
    (line,) = (folder / "audit.jsonl").read_text().splitlines()
    assert json.loads(line).items() >= {"who": "ann", "session": "k7m2-q9x4-tbhz"}.items()
    (folder / "audit.jsonl").unlink()
    folder.rmdir()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(audit.write)
        audit.note(ENTRY)
        await until(lambda: "1 calls are not noted" in caplog.text, "it is told")
        tasks.cancel_scope.cancel()


def test_without_a_file_calls_are_logged_at_info(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        Audit().note(ENTRY)
    (record,) = caplog.records
    assert record.levelno == logging.INFO and '"who": "ann"' in record.getMessage()


def test_names_that_callers_make_up_are_cut(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        Audit().note(AuditEntry("ann", "x" * 100_000, "", "", "ok", 0))
    assert len(caplog.text) < 1000 and "session" not in caplog.text
