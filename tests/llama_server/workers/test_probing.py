"""What a look says of what listens, or does not, at a worker's address."""

import os
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from llama_mcp.llama_server.workers.probing import IS_SILENT, NOTHING_LISTENS, WorkerLook, look_at
from tests.support.rpc_workers import free_port


@contextmanager
def listening(answer: bytes | None) -> Iterator[tuple[str, list[bytes]]]:
    """Give the address of one that reads a byte, answers and closes, and all that it has read.

    With None it accepts nothing: the system does, as for a program that stands still.
    """
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0), backlog=1) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    heard.append(connection.recv(1))
                    if answer:
                        connection.sendall(answer)

        thread = threading.Thread(target=serve)
        if answer is not None:
            thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}", heard
        if answer is not None:
            with suppress(OSError):  # Windows does not know it of one that listens
                server.shutdown(socket.SHUT_RDWR)
    if answer is not None:
        thread.join()


def look(address: str, patience_seconds: float = 5.0) -> WorkerLook:
    (seen,) = look_at([address], patience_seconds, max_age_seconds=0.0)
    return seen


def test_one_that_closes_on_what_is_no_command_answers() -> None:
    with listening(b"") as (address, heard):
        seen = look(address)
    assert seen.problem is None and not seen.is_gone
    assert seen.round_trip_ms is not None
    assert set(heard) == {b"\xff"}


def test_a_port_at_which_nothing_listens_is_said_to_be_one() -> None:
    seen = look(f"127.0.0.1:{free_port()}")
    assert seen.problem == NOTHING_LISTENS and seen.is_gone


@pytest.mark.posix
def test_one_that_stands_still_is_told_from_one_that_is_gone_and_takes_one_connection() -> None:
    with listening(None) as (address, _):
        for _again in range(5):  # its queue has room for two
            seen = look(address, 0.2)
            assert seen.problem == IS_SILENT and not seen.is_gone
    assert look(address).problem == NOTHING_LISTENS


if sys.platform != "win32":
    import resource

    @pytest.mark.posix
    def test_one_that_stands_still_is_told_with_a_thousand_files_open() -> None:
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard != resource.RLIM_INFINITY and hard < 1200:
            pytest.skip("no more than 1,024 files may be open here")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
        try:
            with ExitStack() as files, listening(None) as (address, _):
                for _file in range(1030):
                    files.enter_context(open(os.devnull))
                assert [look(address, 0.2).problem for _again in range(2)] == [IS_SILENT] * 2
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_another_program_is_not_taken_for_a_worker() -> None:
    with listening(b"SSH-2.0-x\r\n") as (address, _):
        assert look(address).problem == "what answers there is no RPC worker"


@pytest.mark.parametrize("address", ["worker", "worker.invalid:50052", "127.0.0.1:99999"])
def test_an_address_that_leads_nowhere_is_a_problem_and_no_failure(address: str) -> None:
    assert look(address).problem


@pytest.mark.posix
def test_all_are_looked_at_side_by_side_in_their_order() -> None:
    with listening(None) as (silent, _), listening(None) as (other, _), listening(b"") as (good, _):
        seen = look_at([silent, good, other], 0.3, max_age_seconds=0.0)
    assert [each.address for each in seen] == [silent, good, other]
    assert [bool(each.problem) for each in seen] == [True, False, True]


def test_a_fresh_look_is_told_again_without_another() -> None:
    with listening(b"") as (address, heard):
        look(address)
        asked = len(heard)
        look_at([address], 5.0, max_age_seconds=60.0)
    assert len(heard) == asked
