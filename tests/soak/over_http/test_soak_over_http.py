"""The soak over HTTP works: a few seconds of it find nothing, and what is wrong would be found."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.soak.over_http.aftermath import look_around
from tests.soak.over_http.load import HttpSoak, Plan
from tests.soak.over_http.prying import strange_in

SHORT = Plan(
    seconds=12,
    people=2,
    clients_each=2,
    pause_seconds=0.1,
    life_seconds=6,
    server_life_seconds=6,
)


@pytest.mark.slow
@pytest.mark.posix
async def test_a_short_soak_finds_nothing_and_notices_sessions_that_change_hands(
    tmp_path: Path, tiny_model: Path
) -> None:
    soak = HttpSoak(tmp_path, tiny_model, SHORT)
    await soak.run()
    assert await look_around(soak) == []
    assert len(soak.memory_mib) > 1, "the server was never started again"
    assert sum(said.status == "complete" for said in soak.ledger.said.values()) > 0
    with closing(sqlite3.connect(soak.home / "sessions.db")) as archive, archive:
        archive.execute("UPDATE sessions SET owner = 'person9'")
    assert any("of person9 has words of person" in fault for fault in await look_around(soak))


def test_words_of_another_person_in_a_frame_are_noticed() -> None:
    frame = {"result": {"text": "<person1x2x3 4> sun, <person2x1x1 9> rain"}}
    assert strange_in(frame, "person1") == ["<person2x1x1 9>"]
    assert strange_in({"result": "<person1x9x9 1>"}, "person1") == []
