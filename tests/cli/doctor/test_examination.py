"""Checks are apart: what one does, or does not do, is no matter of another's."""

import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from llama_mcp.cli.doctor.examining import Examination
from llama_mcp.cli.doctor.findings import Check, Circumstances, Finding, Level, fault, fine
from llama_mcp.errors import NoHomeError
from llama_mcp.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.fixture
def circumstances(tmp_path: Path) -> Circumstances:
    return Circumstances({}, Settings(), tmp_path)


async def well(_: Circumstances) -> Sequence[Finding]:
    return [fine("well")]


async def test_a_check_that_raises_becomes_a_line(circumstances: Circumstances) -> None:
    async def raise_it(_: Circumstances) -> Sequence[Finding]:
        raise KeyError("lost")

    async with anyio.create_task_group() as tasks:
        examination = Examination(circumstances, tasks)
        [finding] = await examination.make(Check("odd", raise_it))
        assert finding.level is Level.FAULT
        assert finding.text == "This could not be checked: KeyError: 'lost'"
        assert await examination.make(Check("next", well)) == [fine("well")]


async def test_a_check_that_hangs_becomes_a_line(circumstances: Circumstances) -> None:
    answers = threading.Event()

    async def hang(_: Circumstances) -> Sequence[Finding]:
        await anyio.to_thread.run_sync(answers.wait)
        return [fine("never told")]

    async with anyio.create_task_group() as tasks:
        examination = Examination(circumstances, tasks)
        [finding] = await examination.make(Check("slow", hang, seconds=0.1))
        after = await examination.make(Check("next", well))
        was_stuck = examination.is_stuck
        answers.set()
    assert finding.text == "This could not be checked within 0.1 s."
    assert after == [fine("well")] and was_stuck


async def test_one_fault_is_told_once(circumstances: Circumstances) -> None:
    async def without_home(_: Circumstances) -> Sequence[Finding]:
        raise NoHomeError("nobody's")

    async with anyio.create_task_group() as tasks:
        examination = Examination(circumstances, tasks)
        [first] = await examination.make(Check("home", without_home))
        [second] = await examination.make(Check("archive", without_home))
    assert first == fault(first.text, first.next_step or "")
    assert second.level is Level.WARNING


async def test_a_disk_that_does_not_answer_keeps_nobody_from_leaving(tmp_path: Path) -> None:
    program = Path(__file__).with_name("hanging_program.py")
    done = await anyio.run_process(
        [sys.executable, str(program)], env={"TMPDIR": str(tmp_path)}, check=False
    )
    assert done.returncode == 1
    assert b"This could not be checked within 0.1 s." in done.stdout
    assert not await anyio.to_thread.run_sync(lambda: list(tmp_path.glob("llama-mcp-doctor-*")))
