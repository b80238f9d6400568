"""Settings keep their backslashes, and quotes mean what the platform's users mean by them."""

import os
from pathlib import Path, PureWindowsPath

import pytest
from pydantic import ValidationError

from llama_mcp.llama_server.engine.extra_args import without_scale
from llama_mcp.setting_texts import ON_WINDOWS, plain_path, split_command_line, split_folders
from llama_mcp.settings import Settings, describe_invalid

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
    (r"\\nas\m;;C:/n; ", [r"\\nas\m", "C:/n"], [r"\\nas\m;;C", "/n; "]),
    ("/a:/b c:", ["/a:/b c:"], ["/a", "/b c"]),
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


@pytest.mark.parametrize(("text", "path"), PATHS)
def test_a_path_loses_only_the_quotes_and_spaces_around_it_and_only_on_windows(
    text: str, path: str
) -> None:
    assert plain_path(text, windows=True) == path
    assert PureWindowsPath(plain_path(text, windows=True)) == PureWindowsPath(path)
    assert plain_path(text, windows=False) == text


def test_a_variable_in_a_path_is_named_and_not_filled_in() -> None:
    with pytest.raises(ValueError, match="%USERPROFILE% is not filled in here; write the folder"):
        plain_path(r"%USERPROFILE%\models", windows=True)
    assert plain_path("%USERPROFILE%", windows=False) == "%USERPROFILE%"


@pytest.mark.parametrize(("value", "on_windows", "elsewhere"), SCALED)
def test_an_adapter_s_scale_is_cut_off_and_never_the_path_behind_a_drive_letter(
    value: str, on_windows: str, elsewhere: str
) -> None:
    assert without_scale(value, windows=True) == on_windows
    assert without_scale(value, windows=False) == elsewhere


def test_the_settings_follow_the_rules_of_this_platform(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folders = [tmp_path / "a b", tmp_path / "c"]
    monkeypatch.setenv("LLAMA_MCP_MODEL_DIRS", os.pathsep.join(map(str, folders)))
    monkeypatch.setenv("LLAMA_MCP_ALLOWED_PATHS", f"~{os.pathsep}{tmp_path}{os.sep}")
    monkeypatch.setenv("LLAMA_MCP_HOME", f"~{os.sep}here")
    monkeypatch.setenv("LLAMA_MCP_EXTRA_ARGS", r'--a "b c" d\\e')
    settings = Settings()
    assert settings.model_dirs == tuple(folders)
    assert settings.allowed_paths == (Path.home(), tmp_path)
    assert settings.home == Path.home() / "here"
    assert settings.extra_args == ("--a", "b c", r"d\\e" if ON_WINDOWS else r"d\e")


def test_quotes_around_a_folder_in_a_setting_are_left_out_on_windows_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LLAMA_MCP_HOME", f'"{tmp_path}"')
    assert Settings().home == (tmp_path if ON_WINDOWS else Path(f'"{tmp_path}"'))


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("EXTRA_ARGS", '--a "b', "a quote is opened and never closed"),
        ("EXTRA_ARGS", "[1]", "valid string"),
        ("HOME", "~no-such-user/x", "home directory"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    if name == "HOME" and ON_WINDOWS:
        value, reason = r"%NO%\x", "%NO% is not filled in"
    monkeypatch.setenv(f"LLAMA_MCP_{name}", value)
    with pytest.raises(ValidationError) as raised:
        Settings()
    told = describe_invalid(raised.value)
    assert told.startswith(f"LLAMA_MCP_{name}: ") and reason in told
