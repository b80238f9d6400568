"""What a caller names is found as it is meant, and only inside the border."""

from pathlib import Path

import pytest

from llama_mcp.files.border import FileBorder
from llama_mcp.files.errors import (
    BadNameError,
    BinaryFileError,
    FileMissingError,
    FileRefusedError,
    NotAFileError,
    NothingFoundError,
    OutsideBorderError,
    SecretFileError,
    TooManyFilesError,
)
from llama_mcp.files.finding import MAX_FILES, find
from llama_mcp.files.named import LeftOut
from tests.support.pipes import make_pipe


def made(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"text of {name}\n", encoding="utf-8")


def names_of(border: FileBorder, *asked: str) -> list[str]:
    return [file.name for file in find(asked, border).files]


def test_paths_are_taken_relative_and_absolute_and_each_file_once(
    opened: Path, border: FileBorder
) -> None:
    made(opened, "a.txt", "sub/b.txt")
    asked = ["sub/b.txt", "./a.txt", str(opened / "a.txt"), "sub/../a.txt", ' "a.txt"\n']
    assert names_of(border, *asked) == ["sub/b.txt", "a.txt"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.txt", ["a1.txt", "a2.txt", "a10.txt"]),
        ("a?.txt", ["a1.txt", "a2.txt"]),
        ("a[12].*", ["a1.txt", "a2.txt"]),
        ("**/*.py", ["m.py", "src/deep/n.py", "src/o.py"]),
        ("src/**", ["src/deep/n.py", "src/o.py"]),
        ("src/*/n.py", ["src/deep/n.py"]),
        ("**/deep/**/*.py", ["src/deep/n.py"]),
        ("{m.py,src/o.py}", ["m.py", "src/o.py"]),
        ("a1.{txt,md}", ["a1.txt"]),
        ("{src,m.py}", ["src/deep/n.py", "src/o.py", "m.py"]),
        ("{,m.py}", ["m.py"]),
        ("src", ["src/deep/n.py", "src/o.py"]),
        (".hidden/*", [".hidden/h.py"]),
        ("*.txt:2-3", ["a1.txt", "a2.txt", "a10.txt"]),
    ],
)
def test_patterns_and_folders_give_their_files_in_natural_order(
    opened: Path, border: FileBorder, pattern: str, expected: list[str]
) -> None:
    made(opened, "a10.txt", "a2.txt", "a1.txt", "m.py", "src/o.py", "src/deep/n.py", ".hidden/h.py")
    assert names_of(border, pattern) == expected


@pytest.mark.parametrize(
    ("asked", "lines"),
    [("a:10-80", (10, 80)), ("a:10", (10, 10)), ("a:10-", (10, None)), ("a", (None, None))],
)
def test_lines_stand_behind_a_colon(
    opened: Path, border: FileBorder, asked: str, lines: tuple[int | None, int | None]
) -> None:
    made(opened, "a")
    (file,) = find([asked], border).files
    assert (file.first_line, file.last_line) == lines


@pytest.mark.parametrize("asked", ["a:0", "a:9-3", "a:0-"])
def test_lines_that_are_none_are_refused(opened: Path, border: FileBorder, asked: str) -> None:
    made(opened, "a")
    with pytest.raises(BadNameError, match="Lines count from 1"):
        find([asked], border)


@pytest.mark.posix
def test_a_file_that_is_really_called_so_goes_before_lines_and_patterns(
    opened: Path, border: FileBorder
) -> None:
    made(opened, "a", "a:10-80", "[x]*.txt", "x.txt", "$HOME", '"q"', "~$a.md")
    assert names_of(border, "a:10-80", "[x]*.txt", "$HOME", '"q"', "~$a.md") == [
        *("a:10-80", "[x]*.txt", "$HOME", '"q"', "~$a.md")
    ]


@pytest.mark.parametrize(
    "asked", ["../closed/private.txt", "sub/../../closed/private.txt", "../closed/nothing.txt"]
)
def test_what_lies_outside_is_refused_whether_it_is_there_or_not(
    closed: Path, border: FileBorder, asked: str
) -> None:
    with pytest.raises(OutsideBorderError, match="LLAMA_MCP_FILE_DIRS"):
        find([asked], border)


def test_a_link_that_leads_out_is_refused(opened: Path, closed: Path, border: FileBorder) -> None:
    (opened / "innocent.txt").symlink_to(closed / "private.txt")
    (opened / "way").symlink_to(closed)
    for asked in ("innocent.txt", "way/private.txt", "way/*", "way"):
        with pytest.raises(OutsideBorderError):
            find([asked], border)
    found = find(["*"], border)
    assert found.files == ()
    assert [row.name for row in found.left_out] == ["innocent.txt", "way"]


def test_a_link_inside_is_the_file_that_it_leads_to(opened: Path, border: FileBorder) -> None:
    made(opened, "real.txt")
    (opened / "link.txt").symlink_to("real.txt")
    assert names_of(border, "link.txt", "real.txt", "*.txt") == ["real.txt"]


def test_links_that_lead_round_are_not_walked(opened: Path, border: FileBorder) -> None:
    made(opened, "sub/a.txt")
    (opened / "sub" / "up").symlink_to(opened)
    found = find(["**/*.txt"], border)
    assert [file.name for file in found.files] == ["sub/a.txt"]
    assert found.left_out == (LeftOut("sub/up", "it is a link to a folder; name that itself"),)


@pytest.mark.parametrize(
    "name", [".env", ".ENV", ".env.local", "conf/.env", ".ssh/config", "id_rsa", "keys/a.PEM"]
)
def test_secrets_are_refused_by_name_and_left_out_of_patterns(
    opened: Path, border: FileBorder, name: str
) -> None:
    made(opened, name, "plain.txt")
    with pytest.raises(SecretFileError, match="LLAMA_MCP_SECRET_FILES"):
        find([name], border)
    (opened / "innocent.txt").symlink_to(name)
    with pytest.raises(SecretFileError):
        find(["innocent.txt"], border)
    found = find([".*", "**/*"], border, strict=False)
    assert [file.name for file in found.files] == ["plain.txt"]


@pytest.mark.posix
def test_a_fifo_a_socket_and_a_device_are_named_for_what_they_are(
    opened: Path, border: FileBorder
) -> None:
    make_pipe(opened / "pipe")
    with pytest.raises(NotAFileError, match="a FIFO"):
        find(["pipe"], border)
    (opened / "zero").symlink_to("/dev/zero")
    with pytest.raises(OutsideBorderError):
        find(["zero"], border)
    assert find(["*"], border).left_out[0] == LeftOut("pipe", "it is a FIFO")


def test_binary_files_are_named_as_what_they_seem(opened: Path, border: FileBorder) -> None:
    (opened / "model.bin").write_bytes(b"GGUF" + bytes(100))
    (opened / "noise").write_bytes(bytes(range(256)))
    made(opened, "a.txt")
    with pytest.raises(BinaryFileError, match="a GGUF model, not text"):
        find(["model.bin"], border)
    found = find(["*"], border)
    assert [file.name for file in found.files] == ["a.txt"]
    assert {row.name for row in found.left_out} == {"model.bin", "noise"}


def test_a_name_that_is_missing_is_told_with_the_nearest(opened: Path, border: FileBorder) -> None:
    made(opened, "report.txt")
    for asked in ("raport.txt", "REPORT.TXT."):
        with pytest.raises(FileMissingError, match=r"Nearest names there: report\.txt"):
            find([asked], border)


def test_what_gives_nothing_is_an_error_or_is_left_out(opened: Path, border: FileBorder) -> None:
    made(opened, "a.txt")
    for asked in ("*.nothing", "nothing.txt"):
        with pytest.raises(FileRefusedError):
            find([asked], border)
    found = find(["*.nothing", "nothing.txt", "a.txt"], border, strict=False)
    assert [file.name for file in found.files] == ["a.txt"]
    assert [row.name for row in found.left_out] == ["*.nothing", "nothing.txt"]
    (opened / "empty").mkdir()
    with pytest.raises(NothingFoundError, match="no file is in it"):
        find(["empty"], border)


@pytest.mark.parametrize("asked", ["{,}", "{,,}{,}", "{*.nothing,*.no}"])
def test_braces_round_nothing_give_nothing(opened: Path, border: FileBorder, asked: str) -> None:
    with pytest.raises(NothingFoundError):
        find([asked], border)


def test_what_stands_in_braces_is_taken_or_left_out_with_the_reason(
    opened: Path, closed: Path, border: FileBorder
) -> None:
    made(opened, "a!", "b.txt", "sub/c.txt", ".env")
    found = find(["{a!,b.txt:1,sub,missing,.env,../closed/private.txt,*.none}"], border)
    assert [file.name for file in found.files] == ["a!", "b.txt", "sub/c.txt"]
    assert [file.first_line for file in found.files] == [None, 1, None]
    assert [row.name for row in found.left_out] == ["missing", ".env", "../closed/private.txt"]
    with pytest.raises(SecretFileError):
        find(["{.env,*.none}"], border)


def test_braces_without_an_end_take_no_time(opened: Path, border: FileBorder) -> None:
    with pytest.raises(FileRefusedError):  # it took ten seconds, and a hundred names as many times
        find(["{" + "," * 30_000] * 100, border)
    assert find(["{" + "," * 30_000] * 100, border, strict=False).files == ()


def test_ten_thousand_files_are_refused_with_their_number(opened: Path, border: FileBorder) -> None:
    for number in range(10_000):
        (opened / f"{number}.txt").touch()
    with pytest.raises(TooManyFilesError, match=f"10,000 files.*at most {MAX_FILES:,}"):
        find(["*.txt"], border)
