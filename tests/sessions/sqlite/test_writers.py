import sys
from pathlib import Path

import pytest

from llama_mcp.sessions.sqlite.writers import Writers, _is_locked
from tests.sessions.talk import start_writer


def test_a_writer_is_alive_for_itself_and_for_others_until_it_closes(tmp_path: Path) -> None:
    writer, other = Writers(tmp_path / "writers"), Writers(tmp_path / "writers")
    writer_id = writer.own_id()

    assert writer.is_alive(writer_id)
    assert other.is_alive(writer_id)
    writer.close()
    assert not other.is_alive(writer_id)


def test_a_closed_writer_leaves_no_file_and_comes_back_under_another_id(tmp_path: Path) -> None:
    writer = Writers(tmp_path / "writers")
    first = writer.own_id()
    writer.close()

    assert list((tmp_path / "writers").iterdir()) == []
    assert writer.own_id() != first
    writer.close()


def test_nothing_is_made_before_somebody_writes(tmp_path: Path) -> None:
    writers = Writers(tmp_path / "writers")

    assert not writers.is_alive("0123456789abcdef")
    writers.close()
    assert not (tmp_path / "writers").exists()


def test_the_files_of_killed_writers_are_removed_by_the_next_writer(tmp_path: Path) -> None:
    folder = tmp_path / "writers"
    program = start_writer("stream", tmp_path / "sessions.db", "-")
    assert program.stdout is not None
    program.stdout.readline()
    (left_behind,) = folder.iterdir()
    writers = Writers(folder)
    assert writers.is_alive(left_behind.stem)
    program.kill()
    program.communicate()

    own = writers.own_id()

    assert [path.stem for path in folder.iterdir()] == [own]
    assert not writers.is_alive(left_behind.stem)
    writers.close()


@pytest.mark.posix
def test_lock_files_are_for_their_owner_only(tmp_path: Path) -> None:
    writers = Writers(tmp_path / "writers")
    writers.own_id()

    (path,) = (tmp_path / "writers").iterdir()

    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    writers.close()


@pytest.mark.posix
def test_a_lock_that_cannot_be_written_is_tried_without_disturbing_others_who_try_it(
    tmp_path: Path,
) -> None:
    if sys.platform == "win32":
        return
    import fcntl

    writers = Writers(tmp_path / "writers")
    held = tmp_path / "writers" / f"{writers.own_id()}.lock"
    assert _is_locked(held)
    free = tmp_path / "free.lock"
    assert not _is_locked(free)  # its writer has closed
    free.touch()
    assert not _is_locked(free)
    with free.open() as tried:
        fcntl.flock(tried, fcntl.LOCK_SH)
        assert not _is_locked(free)
        fcntl.flock(tried, fcntl.LOCK_EX)
        assert _is_locked(free)
    writers.close()
