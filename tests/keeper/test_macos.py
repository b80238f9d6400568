"""What macOS does differently: start times, families, a watcher. Tried elsewhere, not on a Mac."""

import os
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from llama_mcp.keeper import macos
from tests.support.processes import is_gone, until

if sys.platform == "win32":
    pytest.skip("macOS is a POSIX system", allow_module_level=True)

RUNNING, ZOMBIE = 2, 5


def bsd_info(pid: int, status: int = RUNNING) -> bytes:
    """Return a struct proc_bsdinfo as <sys/proc_info.h> lays it out, with C's own alignment."""
    return struct.pack(
        "@11I I 16s 32s 5I i Q Q",
        *(0x4004, status, 0, pid, 1, 501, 20, 501, 20, 501, 20),
        *(0, b"llama-server", b"llama-server"),
        *(9, pid, 1, 0, 0),
        *(0, 1_764_158_400, 42),
    )


def test_a_start_time_is_read_from_what_libproc_tells() -> None:
    assert macos.parse_bsd_info(bsd_info(4711), 4711) == "1764158400.000042"


@pytest.mark.parametrize(
    "info", [b"", b"short", bsd_info(4712), bsd_info(4711, ZOMBIE), bsd_info(4711) + b"more"]
)
def test_what_is_no_live_process_of_that_pid_has_no_start_time(info: bytes) -> None:
    assert macos.parse_bsd_info(info, 4711) is None


@pytest.mark.parametrize(
    ("line", "start"),
    [
        ("Ss   Wed Nov 26 11:00:00 2025    \n", "Wed Nov 26 11:00:00 2025"),
        ("Z    Wed Nov 26 11:00:00 2025", None),
        ("", None),
        ("R", None),
    ],
)
def test_a_start_time_is_read_from_a_line_of_ps(line: str, start: str | None) -> None:
    assert macos.parse_ps(line) == start


def test_a_start_time_follows_neither_time_zone_nor_locale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    start = macos.process_start(os.getpid())
    assert start is not None
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    assert macos.process_start(os.getpid()) == start


def test_a_process_that_is_gone_has_no_start_time() -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    assert macos.process_start(process.pid) is None


# A keeper as it is where no kernel kills llama-server with it: its child starts another one.
KEEPER = """
    import os, subprocess, sys, time
    from llama_mcp.keeper import child
    nobody = subprocess.DEVNULL
    program = "import subprocess, sys, time; p = subprocess.Popen(['sleep', '600']); "
    program += "print(p.pid, flush=True); time.sleep(600)"
    kept = child.spawn_watched([sys.executable, "-c", program], {"stdout": sys.stdout.fileno()})
    print(kept.pid, flush=True)
    if sys.stdin.readline():
        kept.ask_to_end()
        kept.wait(30)
        print(*kept.reap(), flush=True)
"""


def start_keeper() -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KEEPER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def pids_of(keeper: "subprocess.Popen[str]") -> list[int]:
    assert keeper.stdout is not None
    return [int(keeper.stdout.readline()) for _ in range(2)]


# A keeper whose child has started one that left its group, and is killed then or told to end.
LOSING_KEEPER = """
    import os, subprocess, sys
    from llama_mcp.keeper import child
    program = "import subprocess, time; subprocess.Popen(['sleep', '600'], start_new_session=True);"
    program += "print('up', flush=True); time.sleep(600)"
    read_fd, write_fd = os.pipe()
    kept = child.spawn_watched([sys.executable, "-c", program], {"stdout": write_fd})
    os.read(read_fd, 3)
    kept.note_members()
    if sys.argv[1] == "kill":
        os.kill(kept.pid, 9)
        while not kept.has_exited():
            kept.wait(0.1)
        assert kept.leaves_others()
    else:
        kept.ask_to_end()
        while not kept.is_over():
            kept.wait(0.1)
    print(*kept.reap(), kept.has_left_others())
"""


@pytest.mark.parametrize(("what", "ending"), [("kill", "None 9"), ("ask", "None 15")])
def test_what_has_left_the_group_of_a_watched_child_ends_with_it(what: str, ending: str) -> None:
    command = [sys.executable, "-c", textwrap.dedent(LOSING_KEEPER), what]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"{ending} False\n", "")


def test_a_parent_is_read_from_what_libproc_tells() -> None:
    assert macos.parse_parent(bsd_info(4711), 4711) == 1
    assert macos.parse_parent(bsd_info(4712), 4711) is None
    assert macos.parse_parent(b"short", 4711) is None


async def test_the_watcher_ends_all_that_a_killed_keeper_leaves(tmp_path: Path) -> None:
    with start_keeper() as keeper:
        pids = pids_of(keeper)
        keeper.kill()
        await until(lambda: all(map(is_gone, pids)), "what was kept ends")


async def test_a_watched_child_is_asked_to_end_and_the_watcher_ends_with_it() -> None:
    with start_keeper() as keeper:
        pids = pids_of(keeper)
        assert keeper.stdout is not None
        assert keeper.stdin is not None
        keeper.stdin.write("stop\n")
        keeper.stdin.flush()
        assert keeper.stdout.readline() == "None 15\n"
        assert keeper.wait() == 0
        for pid in pids:
            assert is_gone(pid)
