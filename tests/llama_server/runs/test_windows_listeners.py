"""What Windows' table of listeners says, read from bytes as the system writes them."""

import socket
import sys

import pytest

from llama_mcp.llama_server.runs.windows_listeners import COUNT, ROW, listening_pid, pid_in

LISTEN, LOCALHOST = 2, 0x0100007F


def table(*owners: tuple[int, int]) -> bytes:
    """Return the table with a row for each port and pid, and what lies behind it in the buffer."""
    rows = [ROW.pack(LISTEN, LOCALHOST, socket.htons(port), 0, 0, pid) for port, pid in owners]
    return COUNT.pack(len(rows)) + b"".join(rows) + b"left over"


def test_the_owner_of_a_port_is_found_among_others() -> None:
    assert pid_in(table((8080, 12), (8081, 4012)), 8081) == 4012


def test_a_port_without_a_listener_or_without_an_owner_has_no_pid() -> None:
    assert pid_in(table((8080, 12), (8081, 0)), 8081) is None
    assert pid_in(table(), 8081) is None


@pytest.mark.skipif(sys.platform != "win32", reason="asks Windows")
def test_no_pid_is_told_for_a_port_on_which_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert listening_pid(port) is None
