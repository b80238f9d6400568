"""The soak itself works: a few seconds of it find nothing, and what is wrong would be found."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.soak.aftermath import look_around
from tests.soak.kills import Killing
from tests.soak.kills import Plan as KillingPlan
from tests.soak.ledger import Ledger
from tests.soak.load import Plan, Soak
from tests.soak.measuring import Sample, growth_faults

SHORT = Plan(
    seconds=3,
    steady_clients=2,
    sessions_each=3,
    mortal_clients=1,
    mortal_sessions=1,
    pause_seconds=0.05,
    accident_seconds=1,
    rest_seconds=1,
)
DAMAGES = {
    "UPDATE turns SET reply = 'x' WHERE status = 'complete'": "has another reply",
    "UPDATE turns SET status = 'failed' WHERE status = 'complete'": "the archive says failed",
    "DELETE FROM turns WHERE status = 'complete'": "is not in the archive",
    "UPDATE turns SET message = 'unheard of'": "nobody said it",
    "INSERT INTO underway (turn_key, writer_id, saved_at_utc) VALUES (1, '', '')": "are under way",
}


@pytest.mark.slow
async def test_a_short_soak_finds_nothing_and_finds_whatever_is_done_to_the_archive(
    tmp_path: Path, tiny_model: Path
) -> None:
    soak = Soak(tmp_path, tiny_model, SHORT)
    await soak.run()
    assert await look_around(soak) == []
    assert all(len(samples) > 1 for samples in soak.samples.values())
    assert sum(said.status == "complete" for said in soak.ledger.said.values()) > 0
    content = (soak.home / "sessions.db").read_bytes()
    for damage, expected in DAMAGES.items():
        copy = tmp_path / "damaged.db"
        copy.write_bytes(content)
        with closing(sqlite3.connect(copy)) as archive, archive:
            archive.create_function("searchable", 2, lambda *texts: " ".join(texts))
            for trigger in ("turn_corrected", "turn_removed"):
                archive.execute(f"DROP TRIGGER {trigger}")
            archive.execute(damage)
        ledger = Ledger(said=soak.ledger.said)
        ledger.compare(copy)
        assert any(expected in fault for fault in ledger.faults), damage


async def test_kills_at_random_moments_lose_no_word_double_none_and_mix_none_up(
    tmp_path: Path, tiny_model: Path
) -> None:
    plan = KillingPlan(moments=4, replies=2, at_once=2, token_seconds=0.04)
    killing = Killing(tmp_path, tiny_model, plan)
    assert await killing.run() == []
    assert any(what.startswith("killed after") for what in killing.counts)


def test_what_grows_beyond_its_bound_is_named() -> None:
    first = Sample(memory_mib=80, open_files=14, threads=2, tasks=6, children=1)
    last = Sample(memory_mib=200, open_files=50, threads=40, tasks=60, children=1)
    assert growth_faults("x", [first, first]) == []
    named = [fault.split()[1] for fault in growth_faults("x", [first, last])]
    assert named == ["memory_mib", "open_files", "threads", "tasks"]


@pytest.mark.parametrize("text", ["<other 1> sun", "x<s 1> <other 2>"])
def test_words_of_others_in_a_transcript_are_noticed(text: str) -> None:
    ledger = Ledger()
    ledger.check_transcript("s", "<s 1> rain, <s 2> wind")
    assert ledger.faults == []
    ledger.check_transcript("s", text)
    assert "words of others" in ledger.faults[0]
