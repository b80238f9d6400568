"""The process while it is early: what it imports, how it waits, and how it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from llama_mcp.early.catalogue import read_catalogue
from tests.early.exchange import GREETING, INITIALIZED, answers, modern, request, started
from tests.support.client_process import LlamaMCP
from tests.support.processes import PATIENCE_SECONDS, until

pytestmark = pytest.mark.posix

LISTS = ("tools/list", "prompts/list", "resources/templates/list", "resources/list")
LINES = b"".join(
    json.dumps(message).encode() + b"\n"
    for message in (GREETING, INITIALIZED, *(request(m) for m in LISTS), request("ping"))
)
# Prints to stderr what was imported by the time the client has left.
PROGRAM = """
import sys
from_the_start = set(sys.modules)
from llama_mcp.cli.main import main
code = main([])
print(*sorted(set(sys.modules) - from_the_start), file=sys.stderr)
sys.exit(code)
"""
NEEDED = {"_json", "_signal", "_sre", "gc", "select"}
STATUS = {"name": "status", "arguments": {}}


def run(llama_mcp: LlamaMCP, lines: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=lines,
        capture_output=True,
        env={"PATH": os.defpath, "HOME": str(llama_mcp.home), **llama_mcp.environment},
        check=True,
    )


def test_nothing_is_imported_for_the_first_answers_but_this_room(llama_mcp: LlamaMCP) -> None:
    done = run(llama_mcp, LINES)
    assert done.stdout.count(b"\n") == 6
    imported = set(done.stderr.decode().split())
    ours = {name for name in imported if name.startswith("llama_mcp")}
    assert ours - {"llama_mcp", "llama_mcp.cli", "llama_mcp.cli.main"} == {
        name for name in ours if name.startswith("llama_mcp.early")
    }
    assert imported - ours <= NEEDED


def test_a_probe_leaves_nothing_behind(llama_mcp: LlamaMCP) -> None:
    for lines in (b"", LINES, json.dumps(modern("server/discover")).encode()):
        done = run(llama_mcp, lines)
        assert done.stdout.count(b"\n") == lines.count(b'"id"')
        assert not llama_mcp.home.exists()


@pytest.mark.skipif(
    sys.platform != "linux", reason="the bound is for Linux: others count otherwise"
)
def test_an_idle_process_is_small(llama_mcp: LlamaMCP) -> None:
    with started(llama_mcp) as process:
        process.process.stdin.write(LINES)  # type: ignore[union-attr]  # a pipe
        process.process.stdin.flush()  # type: ignore[union-attr]
        process.lines(6)
        assert process.is_early()
        assert psutil.Process(process.process.pid).memory_info().rss < 12 * 2**20


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_as_it_ends_the_real_server(
    llama_mcp: LlamaMCP, number: signal.Signals
) -> None:
    with started(llama_mcp) as process:
        process.tell(GREETING)
        process.lines(1)
        process.process.send_signal(number)
        assert process.process.wait(PATIENCE_SECONDS) == 0


def test_a_signal_while_the_real_server_is_imported_ends_it_too(llama_mcp: LlamaMCP) -> None:
    with started(llama_mcp) as process:
        process.tell(GREETING)
        process.lines(1)
        process.tell(request("tools/call", STATUS))
        process.process.send_signal(signal.SIGTERM)
        assert process.process.wait(PATIENCE_SECONDS) == 0


def test_the_last_line_needs_no_end(llama_mcp: LlamaMCP) -> None:
    with started(llama_mcp) as process:
        stdin = process.process.stdin
        assert stdin is not None
        stdin.write(json.dumps(GREETING).encode() + b"\n" + json.dumps(request("ping")).encode())
        assert process.end() == 0
        assert json.loads(process.lines(2)[1]) == {"jsonrpc": "2.0", "id": 1, "result": {}}


def test_a_call_brings_the_real_server_and_nothing_before_it(llama_mcp: LlamaMCP) -> None:
    with started(llama_mcp) as process:
        for message in (GREETING, INITIALIZED, request("tools/list", {}, 2)):
            process.tell(message)
        process.lines(2)
        assert process.is_early()
        process.tell(request("tools/call", STATUS, 3))
        said = [json.loads(line) for line in process.lines(3)]
        assert [frame["id"] for frame in said] == ["hello", 2, 3]
        assert said[2]["result"]["structuredContent"]["state"] == "stopped"
        assert not process.is_early()
        process.tell(request("ping", {}, 4))
        assert len(process.lines(4)) == 4  # none of the early answers came again
        assert process.end() == 0


def test_pipelined_requests_are_all_answered(llama_mcp: LlamaMCP) -> None:
    calls = [request("tools/call", STATUS, number) for number in range(10, 15)]
    asked = [GREETING, INITIALIZED, request("tools/list", {}, 2), *calls]
    with started(llama_mcp) as process:
        stdin = process.process.stdin
        assert stdin is not None
        stdin.write(b"".join(json.dumps(message).encode() + b"\n" for message in asked))
        stdin.flush()
        ids = [json.loads(line)["id"] for line in process.lines(7)]
    assert ids[:2] == ["hello", 2]
    assert sorted(ids[2:]) == [10, 11, 12, 13, 14]


def test_lists_that_nothing_changes_do_not_wait_behind_a_call(llama_mcp: LlamaMCP) -> None:
    call = request("tools/call", STATUS, 3)
    asked = [GREETING, INITIALIZED, call, request("tools/list", {}, 4), request("ping", {}, 5)]
    with started(llama_mcp) as process:
        stdin = process.process.stdin
        assert stdin is not None
        stdin.write(b"".join(json.dumps(message).encode() + b"\n" for message in asked))
        stdin.flush()
        ids = [json.loads(line)["id"] for line in process.lines(4)]
    assert ids[:2] == ["hello", 4]
    assert sorted(ids[2:]) == [3, 5]


async def test_a_listener_gets_the_real_server_once_it_asks_nothing_more(
    llama_mcp: LlamaMCP,
) -> None:
    with started(llama_mcp) as process:
        process.tell(modern("server/discover"))
        process.tell(modern("subscriptions/listen", {"notifications": {}}, 2))
        process.tell(modern("tools/list", None, 3))
        process.lines(3)
        await until(lambda: not process.is_early(), "the real server comes")
        cancelled = modern("notifications/cancelled", {"requestId": 2})
        del cancelled["id"]
        process.tell(cancelled)
        process.tell(modern("tools/list", None, 4))
        assert json.loads(process.lines(4)[-1])["id"] == 4
        assert process.end() == 0


def test_a_client_that_does_not_read_loses_no_answer_and_no_part_of_one(
    llama_mcp: LlamaMCP,
) -> None:
    with started(llama_mcp) as process:
        process.tell(GREETING)
        for number in range(40):  # half a megabyte; a pipe takes 64 KiB
            process.tell(request("tools/list", {}, number))
        ids = [json.loads(line)["id"] for line in process.lines(41)]
        assert ids[0] == "hello"
        assert sorted(ids[1:]) == list(range(40))


def test_a_client_that_reads_no_more_can_still_leave(llama_mcp: LlamaMCP) -> None:
    with started(llama_mcp) as process:
        process.tell(GREETING)
        for number in range(40):
            process.tell(request("tools/list", {}, number))
        assert process.end() == 0


def test_one_socket_may_be_stdin_and_stdout(llama_mcp: LlamaMCP) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen(
            llama_mcp.command,
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            env={"HOME": str(llama_mcp.home), **llama_mcp.environment},
        )
        theirs.close()
        lines = ours.makefile("rwb")
        for message in (GREETING, request("ping"), request("tools/call", STATUS, 2)):
            lines.write(json.dumps(message).encode() + b"\n")
            lines.flush()
            assert json.loads(lines.readline())["id"] == message["id"]
        ours.shutdown(socket.SHUT_WR)
        assert process.wait(PATIENCE_SECONDS) == 0
        lines.close()


def test_a_wrong_setting_is_told_by_the_first_call(llama_mcp: LlamaMCP) -> None:
    wrong = llama_mcp.having(PORT="many")
    call = request("tools/call", {"name": "start_llama_server", "arguments": {}}, 2)
    said = answers(wrong, [GREETING, INITIALIZED, request("tools/list"), call])
    result = json.loads(said[-1])["result"]
    assert result["isError"]
    assert "LLAMA_MCP_PORT cannot be 'many'" in result["content"][0]["text"]


def test_another_sdk_than_the_catalogue_s_is_served_as_before(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    # The first folder on the path with a package mcp counts; this one names no version.
    folder = tmp_path / "path" / "mcp"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(
        "import sys, importlib\n"
        f"sys.path.remove({str(folder.parent)!r})\n"
        "del sys.modules['mcp']\n"
        "importlib.import_module('mcp')\n"
    )
    assert read_catalogue() is not None
    variables = llama_mcp.variables | {"PYTHONPATH": str(folder.parent)}
    other = LlamaMCP(llama_mcp.home, variables, llama_mcp.command)
    with started(other) as process:
        process.tell(GREETING)
        assert json.loads(process.lines(1)[0])["id"] == "hello"
        assert not process.is_early()
        assert process.end() == 0


def test_what_hangs_while_the_list_is_read_holds_up_nobody(llama_mcp: LlamaMCP) -> None:
    if sys.platform == "win32":
        raise OSError("Windows has no FIFO")
    # A FIFO in place of the archive: whoever opens it waits for its other end.
    llama_mcp.home.mkdir()
    os.mkfifo(llama_mcp.home / "sessions.db")
    with started(llama_mcp) as process:
        process.tell(GREETING)
        process.tell(request("resources/list", {}, 1))
        process.tell(request("tools/call", STATUS, 2))
        assert {json.loads(line)["id"] for line in process.lines(3)} == {"hello", 1, 2}
        assert psutil.Process(process.process.pid).children() == []
