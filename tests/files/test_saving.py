"""What is saved is written whole, inside the border, and over another file only when asked."""

import os
from pathlib import Path

import pytest

from llama_mcp.files.border import FileBorder
from llama_mcp.files.errors import (
    BadNameError,
    OutsideBorderError,
    SaveExistsError,
    SaveRefusedError,
    SecretFileError,
)
from llama_mcp.files.saving import check_save
from tests.support.ordinary_user import an_ordinary_user
from tests.support.pipes import make_pipe


def test_a_reply_is_saved_in_folders_that_are_made(opened: Path, border: FileBorder) -> None:
    saved = check_save("new/deep/a.md", border).write("Grüße\n")
    assert saved.path == opened / "new" / "deep" / "a.md"
    assert (saved.name, saved.size_bytes) == ("new/deep/a.md", 8)
    assert saved.path.read_text(encoding="utf-8") == "Grüße\n"
    assert [path.name for path in saved.path.parent.iterdir()] == ["a.md"]


def test_a_file_is_replaced_only_when_asked(opened: Path, border: FileBorder) -> None:
    (opened / "a.md").write_text("old", encoding="utf-8")
    with pytest.raises(SaveExistsError, match="overwrite=true"):
        check_save("a.md", border)
    (opened / "a.md").chmod(0o640)
    check_save("a.md", border, overwrite=True).write("new")
    assert (opened / "a.md").read_text(encoding="utf-8") == "new"
    assert (opened / "a.md").stat().st_mode & 0o777 == 0o640


def test_a_file_that_comes_in_between_is_not_replaced(opened: Path, border: FileBorder) -> None:
    place = check_save("a.md", border)
    (opened / "a.md").write_text("theirs", encoding="utf-8")
    with pytest.raises(SaveExistsError):
        place.write("ours")
    assert [path.read_text(encoding="utf-8") for path in opened.iterdir()] == ["theirs"]


def test_a_folder_that_becomes_a_link_in_between_is_not_followed(
    opened: Path, closed: Path, border: FileBorder
) -> None:
    (opened / "out").mkdir()
    place = check_save("out/a.md", border)
    (opened / "out").rmdir()
    (opened / "out").symlink_to(closed)
    with pytest.raises(SaveRefusedError):
        place.write("ours")
    assert [path.name for path in closed.iterdir()] == ["private.txt"]


def test_nothing_is_saved_outside_or_through_a_link_that_leads_there(
    opened: Path, closed: Path, border: FileBorder
) -> None:
    (opened / "way").symlink_to(closed)
    (opened / "link.txt").symlink_to(closed / "private.txt")
    for asked in ("../closed/a.md", str(closed / "a.md"), "way/a.md", "link.txt"):
        with pytest.raises(OutsideBorderError, match="LLAMA_MCP_SAVE_DIRS"):
            check_save(asked, border, overwrite=True)


@pytest.mark.parametrize(
    "asked",
    ["", "sub/", "..", ".", "a\0b", "https://x.org/a", "sub/..", "\ud800", "a\x1b[2J", "*.md"],
)
def test_what_can_be_no_file_is_refused(border: FileBorder, asked: str) -> None:
    with pytest.raises(BadNameError):
        check_save(asked, border)


@pytest.mark.parametrize("asked", [".bashrc", ".git/hooks/pre-commit", "a/.b/c.md"])
def test_hidden_names_are_not_written(border: FileBorder, asked: str) -> None:
    with pytest.raises(SaveRefusedError, match="begins with a dot"):
        check_save(asked, border)


@pytest.mark.posix
def test_a_place_whose_path_is_no_unicode_is_refused(opened: Path, border: FileBorder) -> None:
    odd = opened / os.fsdecode(b"odd\xff")
    try:
        odd.mkdir()
    except OSError:
        pytest.skip("a disk with Unicode names only")
    (opened / "way").symlink_to(odd)
    with pytest.raises(SaveRefusedError, match="no Unicode"):
        check_save("way/a.md", border)


def test_secrets_are_not_replaced(border: FileBorder) -> None:
    with pytest.raises(SecretFileError):
        check_save("server.key", border, overwrite=True)


@pytest.mark.posix
def test_a_link_inside_is_kept_and_the_file_behind_it_is_replaced(
    opened: Path, border: FileBorder
) -> None:
    (opened / "real.md").write_text("old", encoding="utf-8")
    (opened / "link.md").symlink_to("real.md")
    check_save("link.md", border, overwrite=True).write("new")
    assert (opened / "link.md").is_symlink()
    assert (opened / "real.md").read_text(encoding="utf-8") == "new"


@pytest.mark.posix
def test_nothing_is_written_over_a_folder_a_fifo_or_a_dangling_link(
    opened: Path, closed: Path, border: FileBorder
) -> None:
    (opened / "folder").mkdir()
    make_pipe(opened / "pipe")
    (opened / "nowhere").symlink_to(closed / "new.txt")
    (opened / "a.txt").write_text("a", encoding="utf-8")
    for asked in ("folder", "pipe", "nowhere", "a.txt/b.md", "x" * 300):
        with pytest.raises(SaveRefusedError):
            check_save(asked, border, overwrite=True)
    assert not (closed / "new.txt").exists()


def test_a_folder_that_may_not_be_written_is_told_at_once(opened: Path, border: FileBorder) -> None:
    opened.chmod(0o555)
    try:
        with an_ordinary_user(), pytest.raises(SaveRefusedError, match="may not write"):
            check_save("a.md", border)
    finally:
        opened.chmod(0o755)


@pytest.mark.posix
def test_a_new_file_has_the_permissions_that_the_umask_gives(
    opened: Path, border: FileBorder
) -> None:
    before = os.umask(0o027)
    try:
        check_save("a.md", border).write("a")
    finally:
        os.umask(before)
    assert (opened / "a.md").stat().st_mode & 0o777 == 0o640


def test_a_write_that_fails_leaves_nothing_behind(opened: Path, border: FileBorder) -> None:
    (opened / "sub").mkdir()
    place = check_save("sub/a.md", border, overwrite=True)
    (opened / "sub" / "a.md").mkdir()
    with pytest.raises(SaveRefusedError):
        place.write("x")
    assert [path.name for path in (opened / "sub").iterdir()] == ["a.md"]


def test_any_text_can_be_written(opened: Path, border: FileBorder) -> None:
    saved = check_save("a.md", border).write("lone \ud800 surrogate\r\n")
    assert (opened / "a.md").read_bytes() == b"lone ? surrogate\r\n"
    assert saved.size_bytes == 18
