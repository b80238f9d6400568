"""What models have made of texts is kept across processes, within its room, and never wrong."""

import os
import stat
from array import array
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from llama_mcp.llama_server.rank_server import Vector
from llama_mcp.ranking import vector_cache
from llama_mcp.ranking.vector_cache import KnownVectors, VectorCache, key_of
from tests.support.pipes import make_pipe

MODEL = "0123456789abcdef"
ROOMY = 2**20


def vectors(*numbers: int, length: int = 8) -> dict[bytes, Vector]:
    return {key_of(str(number)): array("f", [number] * length) for number in numbers}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / "vectors"


@pytest.fixture
def open_known(folder: Path) -> Callable[[], KnownVectors]:
    """What another process that comes now knows."""
    return lambda: VectorCache(lambda: folder, ROOMY).of(MODEL)


def files_in(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.vectors"))


def put(known: KnownVectors, made: dict[bytes, Vector]) -> None:
    known.add(made.items())
    known.save()


def test_another_process_knows_what_was_saved_and_nothing_else(
    open_known: Callable[[], KnownVectors], folder: Path
) -> None:
    made, numbers = vectors(1, 2, 3), vectors(4, 5, length=1)
    known = open_known()
    known.add((made | numbers).items())
    assert known.get(list(made)) == made  # before they are saved, too
    known.save()
    for again in (known, open_known()):
        assert again.get([*made, *numbers, key_of("6")]) == made | numbers
        assert again.number(key_of("4")) == 4
        assert again.number(key_of("6")) is None
    other = VectorCache(lambda: folder, ROOMY).of("another-model")
    assert other.get(list(made)) == {}


@pytest.mark.posix
def test_only_the_owner_can_read_what_is_kept(
    open_known: Callable[[], KnownVectors], folder: Path
) -> None:
    put(open_known(), vectors(1))
    (file,) = files_in(folder)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (file, file.parent, folder)]
    assert modes == [0o600, 0o700, 0o700]


def test_keys_tell_where_one_part_ends() -> None:
    assert key_of("ab", "c") != key_of("a", "bc") != key_of("abc")
    assert key_of("\ud800") != key_of("?")


@pytest.mark.parametrize("length", [1, 8])
def test_what_is_damaged_counts_as_nothing_and_is_made_anew(
    open_known: Callable[[], KnownVectors], folder: Path, length: int
) -> None:
    made = vectors(1, 2, 3, length=length)
    put(open_known(), made)
    (file,) = files_in(folder)
    whole = file.read_bytes()
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        found = open_known().get(list(made))
        assert all(made[key] == vector for key, vector in found.items())
        assert len(found) < 3, place
    for end in range(0, len(whole), 3):
        file.write_bytes(whole[:end])
        assert open_known().get(list(made)) == {}
    put(open_known(), made)
    assert open_known().get(list(made)) == made


def test_what_was_used_longest_ago_is_thrown_away_first(folder: Path) -> None:
    cache = VectorCache(lambda: folder, 1400)  # three of 452 bytes
    for number, model in enumerate(("first", "second", "third")):
        put(cache.of(model), vectors(number, length=100))
        for file in files_in(folder / model):
            os.utime(file, (1000 + number, 1000 + number))
    assert cache.of("first").get(list(vectors(0)))  # which uses it now
    put(cache.of("fourth"), vectors(3, length=100))
    kept = {file.parent.name for file in files_in(folder)}
    assert kept == {"first", "third", "fourth"}
    assert not (folder / "second").exists()


def test_what_a_call_needs_is_not_thrown_away_by_what_it_adds(folder: Path) -> None:
    cache = VectorCache(lambda: folder, 1400)  # three of 452 bytes
    put(cache.of("other"), vectors(9, length=100))
    for _ in range(3):  # the same call, each time with all of its vectors from the first on
        known = cache.of(MODEL)
        for number in range(10):
            wanted = vectors(number, length=100)
            if not known.get(list(wanted)):
                put(known, wanted)
        assert "LLAMA_MCP_VECTOR_CACHE_MB=" in known.why_not_kept
        kept = [number for number in range(10) if cache.of(MODEL).get([key_of(str(number))])]
        assert kept == [0, 1, 2]
    assert not (folder / "other").exists()
    put(cache.of(MODEL), vectors(7, length=100))  # what another call needs takes its room again
    assert cache.of(MODEL).get(list(vectors(7, length=100)))


def test_many_small_files_become_few_and_nothing_of_them_is_lost(
    open_known: Callable[[], KnownVectors], folder: Path
) -> None:
    made = vectors(*range(100)) | vectors(*range(100, 200), length=1)
    (folder / MODEL).mkdir(parents=True)
    foreign = folder / MODEL / "foreign.vectors"
    foreign.write_bytes(b"LMVEC2")
    for key, vector in made.items():
        known = open_known()
        put(known, {key: vector})
        assert known.get([key]) == {key: vector}
    assert len(files_in(folder)) <= vector_cache.MOST_SMALL + 2
    assert open_known().get(list(made)) == made
    assert foreign.exists()


@pytest.mark.posix
def test_what_a_link_leads_to_is_left_alone_and_a_pipe_is_not_waited_for(
    open_known: Callable[[], KnownVectors], folder: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    theirs = [elsewhere / name for name in ("a.vectors", "a.vectors.tmp", "mine.tmp")]
    for path in theirs:
        path.write_bytes(b"x" * 100)
        os.utime(path, (1000, 1000))
    (folder / MODEL).mkdir(parents=True)
    (folder / "linked").symlink_to(elsewhere)
    (folder / MODEL / "linked.vectors").symlink_to(theirs[0])
    (folder / MODEL / "mine.tmp").write_bytes(b"x")
    os.utime(folder / MODEL / "mine.tmp", (1000, 1000))
    make_pipe(folder / MODEL / "pipe.vectors")
    put(open_known(), vectors(1))
    assert open_known().get(list(vectors(1))) == vectors(1)
    VectorCache(lambda: folder, 1).trim()
    assert all(path.exists() for path in (*theirs, folder / MODEL / "mine.tmp"))


def test_a_cache_without_room_keeps_nothing(folder: Path) -> None:
    cache = VectorCache(lambda: folder, 0)
    known = cache.of(MODEL)
    put(known, vectors(1))
    assert not cache.keeps and not folder.exists()
    assert known.why_not_kept == "LLAMA_MCP_VECTOR_CACHE_MB=0 keeps none of it"


def test_what_cannot_be_written_is_not_kept_and_no_error(
    folder: Path, open_known: Callable[[], KnownVectors]
) -> None:
    folder.parent.mkdir()
    folder.write_text("a file where the folder belongs")
    known = open_known()
    put(known, vectors(1))
    assert known.get(list(vectors(1))) == {}
    assert "cannot be kept" in known.why_not_kept


def test_processes_that_write_and_throw_away_at_once_give_nothing_wrong(folder: Path) -> None:
    made = vectors(*range(200))

    def work(worker: int) -> None:
        known = VectorCache(lambda: folder, 3000).of(MODEL)
        for number in range(worker, 200, 4):
            key = key_of(str(number))
            put(known, {key: made[key]})
            found = known.get(list(made))
            assert all(made[each] == vector for each, vector in found.items())

    with ThreadPoolExecutor(4) as workers:
        list(workers.map(work, range(4)))
    VectorCache(lambda: folder, 3000).trim()
    assert sum(file.stat().st_size for file in files_in(folder)) <= 3000


def test_what_a_killed_process_has_left_is_cleared_away(
    folder: Path, open_known: Callable[[], KnownVectors], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(open_known(), vectors(1))
    left = folder / MODEL / "left.vectors.tmp"
    left.write_bytes(b"half")
    open_known()
    assert left.exists()  # somebody may be writing it
    monkeypatch.setattr(vector_cache, "ABANDONED_SECONDS", -1.0)
    open_known()
    assert not left.exists()
