"""What a model gives that is no number is told, and never ranked."""

from pathlib import Path
from typing import Any

import pytest

from llama_mcp.ranking.errors import NoScoresError
from llama_mcp.settings import Settings
from tests.fake_llama_server.install import install_fake, set_faults
from tests.ranking.conftest import CONTEXT, Room

pytestmark = pytest.mark.posix  # not tried with the batch file that is the stand-in on Windows


@pytest.fixture
def settings(settings: Settings, fake_folder: Path) -> Settings:
    fake = str(install_fake(fake_folder))
    return settings.model_copy(update={"llama_cpp_path": fake, "extra_args": ()})


def gives(*vectors: list[float | None]) -> dict[str, Any]:
    data = [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    return {"answers": {"/v1/embeddings": {"code": 200, "body": {"data": data}}}}


async def test_a_text_without_a_usable_vector_has_no_score_and_the_others_have(
    room: Room, fake_folder: Path
) -> None:
    texts = {"first": gives([1, 1], [None, 1], [0, 0], [2, 0])}
    set_faults(fake_folder, **gives([3, 0]), by_text=texts)
    ranking = await room.rank("the query", ["first", "second", "third", "fourth"])
    assert [(row.index, row.score) for row in ranking.rows] == [(3, 1.0), (0, 0.7071)]
    assert ranking.ranked == 2
    assert any("2 texts or pieces have no score" in note for note in ranking.notes)
    # What is no vector is not kept: another time it may be one.
    set_faults(fake_folder, **gives([3, 0]), by_text={"second": gives([1, 0], [1, 0])})
    assert (await room.rank("the query", ["first", "second", "third", "fourth"])).ranked == 4


async def test_vectors_of_another_length_than_the_querys_are_of_no_use(
    room: Room, fake_folder: Path
) -> None:
    set_faults(fake_folder, **gives([3, 0]), by_text={"first": gives([1, 1], [1, 0])})
    assert (await room.rank("the query", ["first", "second"])).ranked == 2
    longer = {"first": gives([1, 1, 0], [1, 0, 0])}
    # Another build makes other vectors: the old ones are made anew.
    set_faults(fake_folder, **gives([3, 0, 0]), by_text=longer)
    ranking = await room.rank("the query", ["first", "second"])
    assert [(row.index, row.score) for row in ranking.rows] == [(1, 1.0), (0, 0.7071)]
    set_faults(fake_folder, **gives([3, 0]), by_text=longer)
    with pytest.raises(NoScoresError, match="for any of the texts"):
        await room.rank("the query", ["first", "second"])


@pytest.mark.parametrize("query", [[None, None], [0, 0]])
async def test_without_a_vector_of_the_query_nothing_is_ranked(
    room: Room, fake_folder: Path, query: list[float | None]
) -> None:
    set_faults(fake_folder, **gives(query))
    with pytest.raises(NoScoresError, match="for the query"):
        await room.rank("the query", ["a"])


async def test_without_a_vector_of_any_text_nothing_is_ranked(
    room: Room, fake_folder: Path
) -> None:
    set_faults(fake_folder, **gives([1, 0]), by_text={"first": gives([0, 0])})
    with pytest.raises(NoScoresError, match="for any of the texts"):
        await room.rank("the query", ["first"])


async def test_a_build_that_does_not_say_what_a_query_takes_is_given_texts_that_fit(
    room: Room, fake_folder: Path
) -> None:
    results = [{"index": 0, "relevance_score": 1}]
    set_faults(fake_folder, answers={"/v1/rerank": {"code": 200, "body": {"results": results}}})
    await room.rank("q" * 400, ["b" * 4000], model="ranks")
    (read,) = room.asked[-1]
    # A token is four characters to the stand-in.
    assert 500 < len(read) < 4 * (CONTEXT - 100)


async def test_scores_that_are_none_are_told(room: Room, fake_folder: Path) -> None:
    results = [{"index": 0, "relevance_score": None}, {"index": 1, "relevance_score": -3.25}]
    body = {"results": results, "usage": {"prompt_tokens": 4}}
    set_faults(fake_folder, answers={"/v1/rerank": {"code": 200, "body": body}})
    ranking = await room.rank("the query", ["a", "b"], model="ranks")
    assert [(row.index, row.score) for row in ranking.rows] == [(1, -3.25)]
