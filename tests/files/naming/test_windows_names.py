r"""Names that Windows takes for something else than a file are told by pure functions."""

from pathlib import Path, PurePosixPath

import pytest

from llama_mcp.files.errors import BadNameError
from llama_mcp.files.naming.asked import clean_path, take_apart
from llama_mcp.files.naming.windows_names import is_on_another_machine, problem_of


@pytest.mark.parametrize(
    "path",
    [
        *("CON", "con", "nul", "aux.txt", "COM1", "com1.log", "LPT9.tar.gz", "COM¹", "CONIN$"),
        *(r"C:\work\nul", "sub/prn.md", "NUL ", "nul .txt", "Con:"),
        *("a.txt:stream", "a.txt::$DATA", "C:a.txt", r"C:\work\a.txt:b", "::$INDEX_ALLOCATION"),
        *("a.txt.", "a.txt ", "sub./a.txt", r"sub \a.txt"),
        *(r"\\.\PhysicalDrive0", r"\\?\C:\a.txt", "//./pipe/x", "//?/C:/a", r"\??\C:\a"),
        *("a<b", 'a"b', "a|b", "a\x01b"),
    ],
)
def test_what_is_no_file_of_windows_is_told(path: str) -> None:
    assert problem_of(path)


@pytest.mark.parametrize(
    "path",
    [
        *(
            "a.txt",
            r"C:\notes\a.txt",
            "C:/notes/a.txt",
            "..\\a.txt",
            "./a.txt",
            r"\\nas\share\a.txt",
        ),
        *("console.txt", "nullable.py", "com10.txt", "auxiliary", "src/**/*.py", "a?.txt", ".env"),
    ],
)
def test_what_may_be_a_file_of_windows_is_not(path: str) -> None:
    assert problem_of(path) is None


def test_another_machine_is_told_before_it_is_called() -> None:
    for path in (r"\\nas\share\a.txt", "//nas/share/a.txt", "\\/nas/x"):
        assert is_on_another_machine(path)
        with pytest.raises(BadNameError, match="another machine"):
            take_apart(path, [Path("/notes")], windows=True)
    assert not is_on_another_machine(r"\work\a.txt")


@pytest.mark.parametrize("text", ["nul", "nul:1-3", "a.txt:stream", r"C:a.txt", '"aux.txt"'])
def test_a_caller_s_text_is_judged_by_them_on_windows(text: str) -> None:
    with pytest.raises(BadNameError):
        take_apart(text, [Path("/notes")], windows=True)


@pytest.mark.parametrize("text", ["aux.txt", "out.md:x", "out.md.", "\\\\nas\\out.md", "sub\\"])
def test_nothing_is_saved_under_such_a_name(text: str) -> None:
    with pytest.raises(BadNameError):
        clean_path(text, Path("/notes"), windows=True)


def test_lines_behind_a_path_with_a_drive_are_taken_apart() -> None:
    asked = take_apart(r"C:\work\a.txt:10-80", [Path("/notes")], windows=True)
    assert (asked.text, asked.first_line, asked.last_line) == (r"C:\work\a.txt", 10, 80)
    assert PurePosixPath(asked.text)
