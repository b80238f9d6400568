"""What is read for a message, and what its caller is told of it."""

from pathlib import Path

import pytest

from llama_mcp.files.border import FileBorder, border_of
from llama_mcp.files.errors import NothingFoundError, PictureUnusableError
from llama_mcp.settings import FileSettings
from llama_mcp.turns.attaching import MOST_PICTURE_BYTES, take_files
from llama_mcp.turns.errors import FileTooLargeForChatError

CUT_OFF = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path.resolve()


@pytest.fixture
def border(folder: Path) -> FileBorder:
    return border_of(FileSettings(file_dirs=(folder,)), [folder])


def test_a_broken_picture_among_others_is_left_out_and_one_named_itself_is_refused(
    folder: Path, border: FileBorder
) -> None:
    (folder / "a.txt").write_text("words")
    (folder / "sea.png").write_bytes(CUT_OFF)
    for asked in ("*", ".", "{a.txt,sea.png}"):
        taken = take_files([asked], border)
        assert [each.file.name for each in taken.files] == ["a.txt"]
        sent, left_out = taken.notes
        assert sent == "1 file was sent with the message."
        assert left_out == "Left out: sea.png (it is a PNG picture without a header)."
    with pytest.raises(PictureUnusableError):
        take_files(["a.txt", "sea.png"], border)
    with pytest.raises(NothingFoundError, match=r"sea\.png \(it is a PNG picture"):
        take_files(["*.png"], border)


def test_a_file_named_often_is_sent_once_without_a_word(folder: Path, border: FileBorder) -> None:
    (folder / "a.txt").write_text("words")
    taken = take_files(["a.txt"] * 500, border)
    assert (len(taken.files), taken.notes) == (1, ())


def test_empty_files_are_said_to_be(folder: Path, border: FileBorder) -> None:
    for number in range(7):
        (folder / f"{number}.txt").write_text("\n" * number)
    assert take_files(["0.txt"], border).notes == ("0.txt is empty.",)
    empty, _ = take_files(["*"], border).notes
    assert empty == "0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 2 more are empty."


def test_what_was_odd_in_a_text_is_told_with_its_name_and_of_a_few_only(
    folder: Path, border: FileBorder
) -> None:
    for number in range(9):
        (folder / f"{number}.txt").write_bytes("é".encode() * 99 + b"\xff")
    *told, more, _ = take_files(["*"], border).notes
    assert [note[:7] for note in told] == [f"{number}.txt: " for number in range(5)]
    assert more == "Of the other files there are 4 more such notes."


def test_too_large_a_picture_is_told_with_the_limit_of_pictures(
    folder: Path, border: FileBorder
) -> None:
    with (folder / "big.gif").open("wb") as file:
        file.write(b"GIF89a")
        file.truncate(MOST_PICTURE_BYTES + 1)
    with pytest.raises(FileTooLargeForChatError, match=f"may have {MOST_PICTURE_BYTES:,} in all"):
        take_files(["big.gif"], border)
