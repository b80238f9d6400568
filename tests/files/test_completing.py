"""Names that are typed in part are completed, and only with what may be read."""

import os
import sys
from pathlib import Path

import pytest

from llama_mcp.files.border import FileBorder
from llama_mcp.files.completing import names_from


def made(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("text", encoding="utf-8")


@pytest.fixture
def files(opened: Path) -> Path:
    made(opened, "note2.txt", "note10.txt", "Notes/a.md", "other.txt", ".hidden", ".env", "my.key")
    return opened


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("no", ["note2.txt", "note10.txt", "Notes/"]),
        ("NOTE1", ["note10.txt"]),
        ("Notes/", ["Notes/a.md"]),
        ("./Notes/a", ["./Notes/a.md"]),
        ("", ["note2.txt", "note10.txt", "Notes/", "other.txt"]),
        (".h", [".hidden"]),
        (".e", []),
        ("my", []),
        ("x", []),
        ("none/x", []),
        ("note2.txt/", []),
        ("*", []),
        ("\0", []),
        ("a\0b/c", []),
        ("\ud800", []),
        ("~no-such-user/x", []),
        ("http://127.0.0.1/", []),
        ("x" * 100_000, []),
    ],
)
def test_what_begins_so_is_told_in_natural_order(
    files: Path, border: FileBorder, typed: str, names: list[str]
) -> None:
    assert names_from(typed, border, 10) == names


def test_an_absolute_path_completes_inside_the_border_and_nowhere_else(
    files: Path, closed: Path, border: FileBorder
) -> None:
    assert names_from(f"{files}/oth", border, 10) == [f"{files}/other.txt"]
    for outside in (f"{closed}/", "../closed/", f"{files.parent}/", "/", "/etc/pass", "~/"):
        assert names_from(outside, border, 10) == []


@pytest.mark.posix
def test_links_complete_only_where_they_stay_inside_and_what_is_no_file_never_does(
    files: Path, closed: Path, border: FileBorder
) -> None:
    if sys.platform == "win32":
        raise OSError("Windows has no FIFO")
    (files / "see-other").symlink_to("other.txt")
    (files / "see-closed").symlink_to(closed)
    (files / "see-private").symlink_to(closed / "private.txt")
    (files / "see-key").symlink_to("my.key")
    (files / "see-nothing").symlink_to("none")
    os.mkfifo(files / "see-fifo")
    assert names_from("see", border, 10) == ["see-other"]
    assert names_from("see-closed/", border, 10) == []


@pytest.mark.posix
def test_a_name_that_is_no_unicode_is_passed_over(files: Path, border: FileBorder) -> None:
    try:
        os.close(os.open(os.fsencode(files) + b"/\xff.txt", os.O_CREAT))
    except OSError:
        pytest.skip("this file system takes Unicode only")
    assert len(names_from("", border, 10)) == 4


def test_no_more_are_told_than_asked_for(files: Path, border: FileBorder) -> None:
    assert names_from("", border, 2) == ["note2.txt", "note10.txt"]


def test_what_a_caller_cannot_do_with_does_not_count(files: Path, border: FileBorder) -> None:
    made(files, "a,b.txt", "a,c.txt")
    names = names_from("", border, 2, lambda name: "," not in name)
    assert names == ["note2.txt", "note10.txt"]


@pytest.mark.posix  # Windows has no such names
def test_a_name_that_acts_on_a_terminal_is_passed_over(files: Path, border: FileBorder) -> None:
    made(files, "x\x1b[2J.txt", "x\u202egnp.txt", "x\ny.txt", "xé.txt")
    assert names_from("x", border, 10) == ["xé.txt"]


def test_without_an_open_folder_nothing_is_told(opened: Path) -> None:
    made(opened, "a.txt")
    assert names_from("a", FileBorder((), (), opened), 10) == []
