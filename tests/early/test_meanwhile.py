"""While the real server is imported, lists are answered; nothing is lost or said twice."""

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from tests.early.exchange import GREETING, INITIALIZED, Process, modern, request, started
from tests.support.client_process import LlamaMCP
from tests.support.pipes import make_pipe
from tests.support.processes import PATIENCE_SECONDS, until

pytestmark = pytest.mark.posix

STATUS = request("tools/call", {"name": "status", "arguments": {}}, "call")
# In the place of a package that the real server imports: it waits for whoever opens the FIFO.
SLOW_PACKAGE = """
import importlib, sys
open({fifo!r}).read()
sys.path.remove({folder!r})
del sys.modules["anyio"]
importlib.import_module("anyio")
"""


class SlowImport:
    """An import that goes on when it is let."""

    def __init__(self, folder: Path, llama_mcp: LlamaMCP) -> None:
        package = folder / "slow" / "anyio"
        package.mkdir(parents=True)
        self._fifo, self._opened = folder / "fifo", -1
        make_pipe(self._fifo)
        code = SLOW_PACKAGE.format(fifo=str(self._fifo), folder=str(package.parent))
        (package / "__init__.py").write_text(code)
        variables = llama_mcp.variables | {"PYTHONPATH": str(package.parent)}
        self.llama_mcp = replace(llama_mcp, variables=variables)

    def _has_come(self) -> bool:
        with suppress(OSError):  # nobody reads it yet
            self._opened = os.open(self._fifo, os.O_WRONLY | getattr(os, "O_NONBLOCK", 0))
        return self._opened >= 0

    async def comes(self) -> None:
        await until(self._has_come, "the import begins")

    def go_on(self) -> None:
        os.close(self._opened)


@pytest.fixture
def slow_import(tmp_path: Path, llama_mcp: LlamaMCP) -> SlowImport:
    return SlowImport(tmp_path, llama_mcp)


@contextmanager
def greeted(slow_import: SlowImport) -> Iterator[Process]:
    with started(slow_import.llama_mcp) as process:
        process.tell(GREETING)
        process.tell(INITIALIZED)
        process.tell(STATUS)
        yield process


def ids_of(lines: list[bytes]) -> list[Any]:
    return [json.loads(line)["id"] for line in lines]


async def test_lists_do_not_wait_for_the_import_and_all_else_is_answered_after_it(
    slow_import: SlowImport,
) -> None:
    with greeted(slow_import) as process:
        await slow_import.comes()
        process.tell(request("ping", {}, "ping"))
        process.tell(request("tools/list", {}, 1))
        process.tell(b"{")
        process.tell(request("resources/list", {}, "resources"))
        process.tell(request("prompts/list", {}, 2))
        early = process.lines(3)
        assert ids_of(early) == ["hello", 1, 2]
        slow_import.go_on()
        said = process.lines(7)
        assert said[:3] == early
        assert sorted(map(str, ids_of(said[3:]))) == ["None", "call", "ping", "resources"]
        process.tell(request("tools/list", {}, 3))
        again = json.loads(process.lines(8)[-1])
        assert again == json.loads(early[1]) | {"id": 3}
        assert process.end() == 0


async def test_a_listener_s_lists_do_not_wait_either(slow_import: SlowImport) -> None:
    with started(slow_import.llama_mcp) as process:
        process.tell(modern("server/discover"))
        process.tell(modern("subscriptions/listen", {"notifications": {}}, 2))
        await slow_import.comes()
        process.tell(modern("tools/list", None, 3))
        assert ids_of(process.lines(3)[2:]) == [3]
        slow_import.go_on()
        process.tell(modern("tools/call", {"name": "status", "arguments": {}}, 4))
        assert ids_of(process.lines(4)[3:]) == [4]
        assert process.end() == 0


async def test_a_line_that_comes_in_parts_before_and_after_is_read_whole(
    slow_import: SlowImport,
) -> None:
    line = json.dumps(request("ping", {}, "parts")).encode() + b"\n"
    with greeted(slow_import) as process:
        stdin = process.process.stdin
        assert stdin is not None
        stdin.write(line[:10])
        stdin.flush()
        await slow_import.comes()
        for part in (line[10:20], line[20:30]):
            stdin.write(part)
            stdin.flush()
        slow_import.go_on()
        stdin.write(line[30:])
        stdin.flush()
        assert sorted(ids_of(process.lines(3))) == ["call", "hello", "parts"]
        assert process.end() == 0


async def test_a_client_that_does_not_read_meanwhile_loses_no_part_of_an_answer(
    slow_import: SlowImport,
) -> None:
    with greeted(slow_import) as process:
        await slow_import.comes()
        for number in range(40):  # half a megabyte; a pipe takes 64 KiB
            process.tell(request("tools/list", {}, number))
        slow_import.go_on()
        ids = ids_of(process.lines(42))
        assert sorted(map(str, ids)) == sorted(["hello", "call", *map(str, range(40))])
        assert process.end() == 0


async def test_more_than_is_kept_meanwhile_waits_in_the_pipe(slow_import: SlowImport) -> None:
    with greeted(slow_import) as process:
        await slow_import.comes()
        long = request("ping", {"_meta": {"x": "y" * 1_500_000}}, "long")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.to_thread.run_sync, process.tell, long)
            slow_import.go_on()
        process.tell(request("tools/list", {}, 1))
        assert sorted(map(str, ids_of(process.lines(4)))) == ["1", "call", "hello", "long"]
        assert process.end() == 0


async def test_a_cancelled_call_of_before_is_cancelled(
    slow_import: SlowImport,
) -> None:
    with greeted(slow_import) as process:
        await slow_import.comes()
        call = request("tools/call", {"name": "chat", "arguments": {"message": "Hello"}}, "chat")
        cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled"}
        process.tell(call)
        process.tell({**cancelled, "params": {"requestId": "chat"}})
        process.tell(request("tools/list", {}, 1))
        process.lines(2)
        slow_import.go_on()
        process.tell(request("ping", {}, "ping"))
        assert "chat" not in ids_of(process.lines(4))
        assert process.end() == 0


async def test_a_client_that_leaves_meanwhile_ends_it(slow_import: SlowImport) -> None:
    with greeted(slow_import) as process:
        await slow_import.comes()
        assert process.process.stdin is not None
        process.process.stdin.close()
        slow_import.go_on()
        assert process.process.wait(PATIENCE_SECONDS) == 0


async def test_a_signal_meanwhile_ends_it(slow_import: SlowImport) -> None:
    with greeted(slow_import) as process:
        await slow_import.comes()
        process.tell(request("tools/list", {}, 1))
        process.lines(2)
        process.process.send_signal(signal.SIGTERM)
        assert process.process.wait(PATIENCE_SECONDS) == 0
