"""Where files lie in the cache, and when they appear as a model."""

import os
from pathlib import Path

import pytest

from llama_mcp.models.download.transfer.cache import RepositoryCache, repositories_in
from llama_mcp.models.download.transfer.choice import HubFile

COMMIT = "a" * 40
PARTS = tuple(HubFile(f"q/m-0000{number}-of-00002.gguf", 3, str(number) * 64) for number in (1, 2))


def with_blobs(folder: Path, *files: HubFile) -> RepositoryCache:
    cache = RepositoryCache(folder, "user/repo")
    for file in files:
        cache.make_room(file)
        Path(cache.blob(file)).write_bytes(file.oid[:3].encode())
    return cache


def refuse(_target: str, _name: str) -> None:
    """Make no link, as Windows does to users without the right."""
    raise OSError(1314, "A required privilege is not held by the client")


def test_the_file_that_makes_it_a_model_appears_last_and_the_commit_after_it(
    tmp_path: Path,
) -> None:
    cache = with_blobs(tmp_path, *PARTS)
    made: list[str] = []

    def link(target: str, name: str) -> None:
        assert cache.current("main") is None
        made.append(os.path.basename(name))
        os.symlink(target, name)

    cache.publish(COMMIT, PARTS, (), "main", link)
    assert made == ["m-00002-of-00002.gguf", "m-00001-of-00002.gguf"]
    assert cache.current("main") == COMMIT
    assert [file.path for file in cache.files_of(COMMIT)] == [part.path for part in PARTS]
    assert repositories_in(tmp_path) == ["user/repo"]


def test_where_links_are_not_allowed_the_file_itself_is_where_the_link_would_be(
    tmp_path: Path,
) -> None:
    cache = with_blobs(tmp_path, *PARTS)
    for _ in range(2):  # a second time nothing is left to do
        cache.publish(COMMIT, PARTS, (), "main", refuse)
    for part in PARTS:
        path = Path(cache.snapshot(COMMIT, part.path))
        assert not path.is_symlink() and path.read_bytes() == part.oid[:3].encode()
        assert cache.has(COMMIT, part) and cache.missing_bytes(COMMIT, part) == 0
        assert not os.path.exists(cache.blob(part))


@pytest.mark.posix
def test_a_link_to_a_blob_that_was_removed_is_made_anew(tmp_path: Path) -> None:
    cache = with_blobs(tmp_path, *PARTS)
    cache.publish(COMMIT, PARTS, (), "main")
    os.unlink(cache.blob(PARTS[0]))
    assert not cache.has(COMMIT, PARTS[0]) and cache.missing_bytes(COMMIT, PARTS[0]) == 3
    newer = HubFile(PARTS[0].path, 3, "9" * 64)
    with_blobs(tmp_path, newer).publish(COMMIT, (newer, PARTS[1]), (), "main")
    assert Path(cache.snapshot(COMMIT, newer.path)).read_bytes() == b"999"


@pytest.mark.posix
def test_a_link_that_another_process_makes_at_the_same_moment_is_left(tmp_path: Path) -> None:
    cache = with_blobs(tmp_path, *PARTS)

    def link(target: str, name: str) -> None:
        os.symlink(target, name)
        os.symlink(target, name)

    cache.publish(COMMIT, PARTS, (), "main", link)
    assert all(os.path.exists(cache.blob(part)) for part in PARTS)


def test_a_commit_that_is_asked_for_by_its_hash_is_named_by_nothing_else(tmp_path: Path) -> None:
    cache = with_blobs(tmp_path, *PARTS)
    cache.publish(COMMIT, PARTS, (), COMMIT)
    assert cache.current("main") is None and cache.current(COMMIT) == COMMIT
    cache.publish(COMMIT, PARTS, (), "refs/pr/1")
    assert cache.current("refs/pr/1") == COMMIT


def test_what_is_no_folder_of_a_repository_is_none(tmp_path: Path) -> None:
    (tmp_path / "models--odd").mkdir()
    (tmp_path / "models--a--b" / "snapshots" / COMMIT).mkdir(parents=True)
    assert repositories_in(tmp_path) == [] == repositories_in(tmp_path / "missing")


def test_a_link_that_leads_nowhere_is_none(tmp_path: Path) -> None:
    cache = with_blobs(tmp_path, *PARTS)
    cache.publish(COMMIT, PARTS, (), "main", lambda _target, _name: None)
    assert [file.path for file in cache.files_of(COMMIT)] == [part.path for part in PARTS]
