"""Who holds a port: this process, one below it, another one, or one that is not named."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from llama_mcp.llama_server.runs import ports

LISTEN = """
import socket, time
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
time.sleep(600)
"""
# What is asked for stands above what listens, as a script above llama-server does.
WRAPPER = "import subprocess, sys; subprocess.run([sys.executable, '-c', {program!r}])"
# Wine names no owner of a port, and no system has to.
NOT_TOLD = (None,) if sys.platform == "win32" else ()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def test_a_port_is_held_by_the_process_that_listens(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    assert ports.owner_of(port, {os.getpid()}).is_ours in (True, *NOT_TOLD)
    assert not ports.is_free(port)


def test_a_port_of_another_process_is_not_held(listener: socket.socket) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        port = listener.getsockname()[1]
        assert ports.owner_of(port, {other.pid}).is_ours in (False, *NOT_TOLD)
        assert other.stdin is not None
        other.stdin.close()


def test_a_port_is_held_by_any_of_the_processes_that_are_named() -> None:
    program = WRAPPER.format(program=LISTEN)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as wrapper:
        try:
            assert wrapper.stdout is not None
            port = int(wrapper.stdout.readline())
            below = psutil.Process(wrapper.pid).children(recursive=True)
            family = {wrapper.pid, *(process.pid for process in below)}
            assert ports.owner_of(port, family).is_ours in (True, *NOT_TOLD)
        finally:
            for process in psutil.Process(wrapper.pid).children(recursive=True):
                process.kill()
            wrapper.kill()


def test_the_owner_of_a_port_that_is_not_ours_is_said(listener: socket.socket) -> None:
    owner = ports.owner_of(listener.getsockname()[1], frozenset())
    assert owner.is_ours in (False, *NOT_TOLD)
    assert f"pid {os.getpid()}" in owner.who or (NOT_TOLD and "does not tell" in owner.who)


def test_a_free_port_is_none_that_the_system_gives_to_outgoing_connections() -> None:
    first, end = ports.NEVER_OUTGOING
    assert all(first <= ports.find_free() < end for _ in range(20))


def test_the_holder_of_a_port_is_described_or_said_not_to_be_told(listener: socket.socket) -> None:
    words = ports.describe_holder(listener.getsockname()[1])
    assert f"pid {os.getpid()}" in words or (NOT_TOLD and "does not tell" in words)


def test_a_process_that_is_gone_holds_no_port(listener: socket.socket) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
        assert not ports.owner_of(listener.getsockname()[1], {gone.pid}).is_ours
