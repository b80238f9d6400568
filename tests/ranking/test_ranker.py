"""A ranking is sorted, complete, bounded, and says what it could not read."""

from pathlib import Path

import pytest

from llama_mcp.ranking.errors import NothingToRankError
from tests.ranking.conftest import CONTEXT, Room

# Each letter is a token to the tiny models.
LONG = "a b " * CONTEXT


async def test_the_text_that_is_the_query_comes_first_and_the_others_sorted_behind_it(
    room: Room,
) -> None:
    ranking = await room.rank("b c d", ["x y", "b c d", "b c", "q"], top_n=3)
    first, *rest = ranking.rows
    assert (first.index, first.score, first.begins) == (1, 1.0, "b c d")
    scores = [row.score for row in ranking.rows]
    assert scores == sorted(scores, reverse=True) and len(rest) == 2
    assert (ranking.by, ranking.ranked) == ("embeds (cosine)", 4)
    assert ranking.notes == ("llama-server was started for this call (embeds).",)
    assert not (await room.rank("b c d", ["x"])).notes


async def test_of_equal_texts_the_earlier_stands_higher_and_is_asked_for_once(room: Room) -> None:
    ranking = await room.rank("b", ["c", "b", "c", "b"])
    assert [row.index for row in ranking.rows] == [1, 3, 0, 2]
    assert sorted(room.asked[-1]) == ["b", "c"]


async def test_a_text_that_is_longer_than_the_window_is_cut_by_the_models_own_count_and_said(
    room: Room,
) -> None:
    for model in ("embeds", "ranks"):
        ranking = await room.rank("b", ["x", LONG, "y"], model=model)
        assert ranking.ranked == 3
        assert any(note.startswith("Of text 1 only the beginning") for note in ranking.notes)
        read = next(text for batch in room.asked for text in batch if len(text) > 10)
        # No more than fits, and nearly all of that.
        assert CONTEXT * 0.8 < len(read.split()) < CONTEXT
        await room.process.supervisor.stop(force=True)
        room.asked.clear()


@pytest.mark.parametrize("model", ["embeds", "ranks"])
async def test_a_query_that_is_longer_than_the_window_is_cut_and_said(
    room: Room, model: str
) -> None:
    ranking = await room.rank(LONG, ["x", LONG], model=model)
    assert ranking.ranked == 2
    assert any(note.startswith("The query is longer") for note in ranking.notes)


async def test_of_a_book_no_more_is_counted_than_can_be_read(room: Room) -> None:
    for book in ("a b " * 100_000, "ab" * 100_000):
        room.asked.clear()
        ranking = await room.rank("b", [book])
        assert any(note.startswith("Of text 0 only") for note in ranking.notes)
        assert len(room.asked[-1][0]) <= len(book) / 2
        assert room.servers.asked.counts < 20


async def test_texts_without_a_word_are_left_out_and_counted(room: Room) -> None:
    ranking = await room.rank("b", ["", "b", " \n\t"])
    assert [row.index for row in ranking.rows] == [1] and ranking.ranked == 1
    assert "2 texts without a word left out." in ranking.notes


@pytest.mark.parametrize("texts", [[], ["", " "]])
async def test_where_there_is_nothing_to_rank_nothing_is_started(
    room: Room, texts: list[str]
) -> None:
    with pytest.raises(NothingToRankError, match="no text with a word"):
        await room.rank("b", texts)
    with pytest.raises(NothingToRankError, match="query is empty"):
        await room.rank("  ", ["b"])
    assert (await room.process.supervisor.status()).state == "stopped"


async def test_hundreds_of_texts_are_asked_for_in_bounded_requests(room: Room) -> None:
    texts = [f"{'b ' * (number % 50)}{chr(97 + number % 26)}" for number in range(400)]
    ranking = await room.rank("b b b", texts, top_n=400)
    assert ranking.ranked == len(ranking.rows) == 400
    assert {row.index for row in ranking.rows} == set(range(400))
    assert max(map(len, room.asked)) <= 32
    again = await room.rank("b b b", texts, top_n=400)
    assert [row.score for row in again.rows] == [row.score for row in ranking.rows]


async def test_a_rerank_models_scores_are_told_as_they_are(room: Room) -> None:
    texts = ["x y", "b c d", "q", ""]
    ranking = await room.rank("b c", texts, model="ranks")
    server = await room.process.supervisor.rank_server()
    own = (await server.scores_of("b c", texts[:3])).scores
    assert ranking.by == "ranks (rerank scores)" and ranking.ranked == 3
    scores = {row.index: row.score for row in ranking.rows}
    assert [scores[index] for index in range(3)] == pytest.approx(own, abs=1e-3)
    assert list(scores.values()) == sorted(scores.values(), reverse=True)
    # Of the same query nothing is asked again but how much room the query leaves.
    room.asked.clear()
    await room.rank("b c", texts, model="ranks")
    assert room.asked == [[""]]
    await room.rank("b d", texts, model="ranks")
    assert room.asked[-1] == texts[:3]


async def test_rows_of_files_have_the_lines_that_their_words_stand_in(
    room: Room, tmp_path: Path
) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    lines = [f"{chr(97 + number % 26)} " * 40 for number in range(60)]
    (folder / "long.txt").write_text("\n".join(lines), encoding="utf-8")
    (folder / "short.txt").write_text("z z z\n", encoding="utf-8")
    (folder / "blank.txt").write_text("\n \n", encoding="utf-8")
    ranking = await room.rank("z z z", passages=room.files("*", base=folder), top_n=100)
    assert {row.file for row in ranking.rows} == {"long.txt", "short.txt"}
    assert ranking.rows[0].file == "short.txt" and ranking.rows[0].lines == "1-1"
    covered: list[int] = []
    for row in ranking.rows:
        if row.file == "long.txt":
            first, last = map(int, (row.lines or "").split("-"))
            covered += range(first, last + 1)
            assert lines[first - 1].startswith(row.begins[:5])
    assert sorted(covered) == list(range(1, 61))


async def test_the_same_folder_is_ranked_again_for_no_more_than_the_query(
    room: Room, tmp_path: Path
) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.txt").write_text(f"{name} b\n" * 300, encoding="utf-8")
    first = await room.rank("a", passages=room.files("*", base=folder))
    assert sum(map(len, room.asked)) > 5 and room.servers.asked.counts > 5
    room.asked.clear()
    room.servers.asked.counts = 0
    again = await room.rank("a", passages=room.files("*", base=folder))
    assert again.rows == first.rows
    assert room.asked == [["a"]] and room.servers.asked.counts == 0
    # Only what is new is read, whatever another file has to do with it.
    (folder / "0.txt").write_text("q r s\n", encoding="utf-8")
    await room.rank("b", passages=room.files("*", base=folder))
    assert room.asked[1:] == [["b"], ["q r s\n"]]


async def test_a_model_that_was_replaced_has_no_vectors_of_the_old_one(
    room: Room, rank_models: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.gguf"
    own.write_bytes((rank_models / "embeds.gguf").read_bytes())
    await room.rank("b", ["c"], model=str(own))
    await room.process.supervisor.stop(force=True)
    own.write_bytes((rank_models / "embeds.gguf").read_bytes() + b"\0")
    room.asked.clear()
    await room.rank("b", ["c"], model=str(own))
    assert room.asked == [["b"], ["c"]]


async def test_without_a_cache_everything_is_read_again_and_the_ranking_is_the_same(
    room: Room,
) -> None:
    room.settings = room.settings.model_copy(update={"vector_cache_mb": 0})
    first = await room.rank("b", ["c", "d"])
    again = await room.rank("b", ["c", "d"])
    assert first.rows == again.rows
    assert room.asked == [["b"], ["c", "d"]] * 2
    assert not (room.settings.state_dir / "vectors").exists()


async def test_files_that_hold_no_text_are_left_out_with_the_reason(
    room: Room, tmp_path: Path
) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text("a b", encoding="utf-8")
    (folder / "gone.txt").write_text("a b", encoding="utf-8")
    passages = room.files("*", base=folder)
    (folder / "gone.txt").unlink()
    ranking = await room.rank("a", passages=passages)
    assert [row.file for row in ranking.rows] == ["a.txt"]
    assert any(note.startswith("gone.txt left out: ") for note in ranking.notes)
    passages = room.files("*", base=folder)
    (folder / "a.txt").unlink()
    with pytest.raises(NothingToRankError, match=r"no file could be read \(a\.txt: "):
        await room.rank("a", passages=passages)
