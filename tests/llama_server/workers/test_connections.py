"""What the system tells of a connection: who owes an answer, and who does not."""

import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from llama_mcp.llama_server.workers.connections import (
    OWING_SECONDS,
    WorkerConnection,
    connections_to,
    owed_by,
)
from tests.support.processes import until


@dataclass
class Pair:
    """Both ends of a connection of this process."""

    near: socket.socket
    far: socket.socket

    @property
    def address(self) -> str:
        host, port = self.near.getpeername()[:2]
        return f"{host}:{port}"

    def seen(self) -> WorkerConnection:
        return connections_to([self.address], [os.getpid()])[self.address]


@pytest.fixture
def pair() -> Iterator[Pair]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        far, _ = server.accept()
        with near, far:
            yield Pair(near, far)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells")
async def test_what_was_asked_and_not_answered_is_seen_until_it_is(pair: Pair) -> None:
    pair.near.sendall(b"first")
    pair.far.recv(5)
    pair.far.sendall(b"answer")
    pair.near.recv(6)
    await until(lambda: pair.seen().unanswered_seconds is None, "nothing is owed")
    await until(lambda: _sent_later(pair), "the kernel's clock has stepped between the two")
    await until(lambda: pair.seen().is_acknowledged, "what was sent has arrived")
    pair.far.sendall(b"answer")
    pair.near.recv(6)
    await until(lambda: pair.seen().unanswered_seconds is None, "nothing is owed any more")
    assert pair.seen().round_trip_ms is not None


def _sent_later(pair: Pair) -> bool:
    pair.near.sendall(b"again")
    pair.far.recv(5)
    return pair.seen().unanswered_seconds is not None


def test_a_worker_that_no_process_is_connected_to_is_left_out(pair: Pair) -> None:
    assert connections_to([pair.address], []) == {}
    assert connections_to(["127.0.0.1:1", "nonsense"], [os.getpid()]) == {}


def test_llama_server_waits_for_the_one_that_it_asked_last() -> None:
    owing = OWING_SECONDS + 1
    connections = {
        "a:1": WorkerConnection(unanswered_seconds=owing + 5),
        "b:1": WorkerConnection(unanswered_seconds=owing),
        "c:1": WorkerConnection(),
    }
    owed = owed_by(connections)
    assert owed is not None
    assert owed[0] == "b:1" and "was asked 4 s ago and has not answered" in owed[1]


def test_nobody_is_blamed_for_a_short_silence_or_without_proof() -> None:
    assert owed_by({"a:1": WorkerConnection(unanswered_seconds=OWING_SECONDS - 1)}) is None
    assert owed_by({"a:1": WorkerConnection()}) is None
    assert owed_by({}) is None


def test_what_does_not_arrive_is_told_from_what_is_not_answered() -> None:
    lost = WorkerConnection(unanswered_seconds=9.0, is_acknowledged=False)
    owed = owed_by({"a:1": lost})
    assert owed is not None and "has not arrived there for 9 s" in owed[1]
