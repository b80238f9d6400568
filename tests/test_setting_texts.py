"""Settings keep their backslashes, and quotes mean what the platform's users mean by them."""

import re
from pathlib import PureWindowsPath

import pytest

from llama_mcp.llama_server.engine.extra_files import without_scale
from llama_mcp.setting_texts import is_unset, plain_path, split_command_line, split_folders

# What is written, and what it is on Windows and elsewhere; None: it is refused.
COMMAND_LINES: list[tuple[str, list[str] | None, list[str] | None]] = [
    ("", [], []),
    ("  \t ", [], []),
    ("--threads 4  --mlock", ["--threads", "4", "--mlock"], ["--threads", "4", "--mlock"]),
    ("--lora C:/my/a.gguf", ["--lora", "C:/my/a.gguf"], ["--lora", "C:/my/a.gguf"]),
    (r"--lora C:\my\a.gguf", ["--lora", r"C:\my\a.gguf"], ["--lora", "C:mya.gguf"]),
    (r"--lora \\nas\my\a.gguf", ["--lora", r"\\nas\my\a.gguf"], ["--lora", r"\nasmya.gguf"]),
    (r'--lora "C:\m y\a.gguf"', ["--lora", r"C:\m y\a.gguf"], ["--lora", r"C:\m y\a.gguf"]),
    ('--a "b c"d', ["--a", "b cd"], ["--a", "b cd"]),
    ('--a ""', ["--a", ""], ["--a", ""]),
    ('"" x', ["", "x"], ["", "x"]),
    (r'--a "{\"b\": 1}"', ["--a", '{"b": 1}'], ["--a", '{"b": 1}']),
    ('--a "b ""c"" d"', ["--a", 'b "c" d'], ["--a", "b c d"]),
    (r'--a b\\"c d"', ["--a", r"b\c d"], ["--a", r"b\c d"]),
    (r'--a "C:\b\\" x', ["--a", "C:\\b\\", "x"], ["--a", "C:\\b\\", "x"]),
    (r'--a "C:\b\" x', None, None),
    ("--a 'b c'", ["--a", "'b", "c'"], ["--a", "b c"]),
    ("--a it's", ["--a", "it's"], None),
    ('--a "b', None, None),
    ('["--a", "C:\\\\m y\\\\a.gguf"]', ["--a", r"C:\m y\a.gguf"], ["--a", r"C:\m y\a.gguf"]),
    (r'["C:\Models"]', None, None),
    ('["--a"', None, None),
]
FOLDERS: list[tuple[str, list[str], list[str]]] = [
    (r"C:\a;D:\b", [r"C:\a", r"D:\b"], ["C", r"\a;D", r"\b"]),
    (r'"C:\a;b";C:\c', [r'"C:\a;b"', r"C:\c"], ['"C', r'\a;b";C', r"\c"]),
    (r"\\nas\m;;C:/n; ", [r"\\nas\m", "C:/n"], [r"\\nas\m;;C", "/n;"]),
    ("/a:/b c:", ["/a:/b c:"], ["/a", "/b c"]),
    ("file:///a:/b;file:/c", ["file:///a:/b", "file:/c"], ["file:///a", "/b;file", "/c"]),
    ("'/a:/b:file:/c'", ["'/a:/b:file:/c'"], ["/a", "/b", "file:/c"]),
    ("${user_config.dirs}:/b", ["${user_config.dirs}:/b"], ["/b"]),
    ('["/a;b:c", "/d"]', ["/a;b:c", "/d"], ["/a;b:c", "/d"]),
]
# What is written, and the path that Windows is given.
PATHS = [
    (r"E:\src\llama_cpp", r"E:\src\llama_cpp"),
    (r'"C:\Program Files\llama.cpp"', r"C:\Program Files\llama.cpp"),
    (r'"C:\Program Files"\llama.cpp', r"C:\Program Files\llama.cpp"),
    ("C:\\Models\\ ", "C:\\Models\\"),
    ('"C:\\Models\\"', "C:\\Models\\"),
    ("C:/Models/mistral-7b.gguf", "C:/Models/mistral-7b.gguf"),
    (r"\\nas\models\größer.gguf", r"\\nas\models\größer.gguf"),
    (r"\\?\C:\Models", r"\\?\C:\Models"),
    (r"~\models", r"~\models"),
    ("100% sure.gguf", "100% sure.gguf"),
]
SCALED = [
    (r"C:\a.gguf", r"C:\a.gguf", r"C:\a.gguf"),
    (r"C:\a.gguf:0.5", r"C:\a.gguf", r"C:\a.gguf"),
    ("C:5", "C:5", "C"),
    ("/a.gguf:0.5", "/a.gguf", "/a.gguf"),
    ("/a:b", "/a:b", "/a:b"),
    ("a.gguf", "a.gguf", "a.gguf"),
    ("1", "1", "1"),
]


def split_or_none(text: str, windows: bool) -> list[str] | None:
    try:
        return list(split_command_line(text, windows=windows))
    except ValueError:
        return None


@pytest.mark.parametrize(("text", "on_windows", "elsewhere"), COMMAND_LINES)
def test_a_command_line_is_split_as_the_platform_s_users_write_it(
    text: str, on_windows: list[str] | None, elsewhere: list[str] | None
) -> None:
    assert split_or_none(text, windows=True) == on_windows
    assert split_or_none(text, windows=False) == elsewhere


@pytest.mark.parametrize(
    ("text", "windows", "reason"),
    [
        ('--a "b', False, "a quote is opened and never closed$"),
        ('--a "b', True, "a quote is opened and never closed$"),
        (r'--a "C:\b\"', True, "without a backslash at the end"),
        ("--a \\", False, "No escaped character"),
        (r'["C:\Models"]', True, "JSON needs each backslash twice"),
        ('["--a"', False, "is none .Expecting"),
    ],
)
def test_a_command_line_that_cannot_be_split_is_refused_with_the_reason(
    text: str, windows: bool, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        split_command_line(text, windows=windows)


@pytest.mark.parametrize(("text", "on_windows", "elsewhere"), FOLDERS)
def test_a_list_of_folders_is_separated_as_in_path(
    text: str, on_windows: list[str], elsewhere: list[str]
) -> None:
    assert list(split_folders(text, windows=True)) == on_windows
    assert list(split_folders(text, windows=False)) == elsewhere


# What copying and programs leave around a path, and the path.
COPIED = [
    (" /m/x.gguf\n", "/m/x.gguf"),
    ('"/m/x y.gguf"', "/m/x y.gguf"),
    ("'/m/x.gguf' ", "/m/x.gguf"),
    ("“/m/x.gguf”", "/m/x.gguf"),
    ("\ufeff/m/x.gguf", "/m/x.gguf"),
    ("\u202a/m/x.gguf\u202c", "/m/x.gguf"),
    ("/m/x\\ y.gguf", "/m/x y.gguf"),
    ("file:///m/x%20y.gguf", "/m/x y.gguf"),
    ("FILE://localhost/m/x.gguf", "/m/x.gguf"),
    ("file:/m/x.gguf", "/m/x.gguf"),
    ("file://~/x.gguf", "~/x.gguf"),
    ("file:///m/caf%E9.gguf", "/m/caf\udce9.gguf"),
    ('/m/a "b".gguf', '/m/a "b".gguf'),
    ('"a" and "b"', '"a" and "b"'),
    ("", ""),
]
URLS_ON_WINDOWS = [
    ("file:///C:/Models/x%20y.gguf", "C:/Models/x y.gguf"),
    ("file://nas/models/x.gguf", "//nas/models/x.gguf"),
    ("\u202aC:\\Models\\x.gguf", "C:\\Models\\x.gguf"),
]
UNSET = ["", "  \n", '""', "${user_config.model}", " '${env:X}' ", "null", "undefined", "\ufeff"]


@pytest.mark.parametrize(("text", "path"), [*PATHS, *URLS_ON_WINDOWS])
def test_a_path_on_windows_loses_only_what_was_written_around_it(text: str, path: str) -> None:
    assert plain_path(text, windows=True) == path
    assert PureWindowsPath(plain_path(text, windows=True)) == PureWindowsPath(path)


@pytest.mark.parametrize(("text", "path"), COPIED)
def test_a_path_elsewhere_loses_only_what_copying_left_around_it(text: str, path: str) -> None:
    assert plain_path(text, windows=False) == path


def test_a_file_of_another_machine_is_refused() -> None:
    with pytest.raises(ValueError, match="a file of the machine 'nas'"):
        plain_path("file://nas/models/x.gguf", windows=False)


@pytest.mark.parametrize("text", UNSET)
def test_what_nobody_has_filled_in_stands_for_no_value(text: str) -> None:
    assert is_unset(text)
    assert not is_unset(f"x{text}y")


def test_a_variable_in_a_path_is_named_and_not_filled_in() -> None:
    with pytest.raises(ValueError, match="%USERPROFILE% is not filled in here; write the folder"):
        plain_path(r"%USERPROFILE%\models", windows=True)
    assert plain_path("%USERPROFILE%", windows=False) == "%USERPROFILE%"
    assert plain_path("$HOME/m", windows=False) == plain_path("${HOME}/m", windows=False) == "~/m"
    for text, name in [("${ROOT}/m", "${ROOT}"), ("$ROOT/m", "$ROOT"), ("/a/${X}/b", "${X}")]:
        with pytest.raises(ValueError, match=re.escape(f"{name} is not filled in here")):
            plain_path(text, windows=False)


@pytest.mark.parametrize(("value", "on_windows", "elsewhere"), SCALED)
def test_an_adapter_s_scale_is_cut_off_and_never_the_path_behind_a_drive_letter(
    value: str, on_windows: str, elsewhere: str
) -> None:
    assert without_scale(value, windows=True) == on_windows
    assert without_scale(value, windows=False) == elsewhere
