"""Which folders are open to callers, by the operator's settings and the client's folders."""

import os
from pathlib import Path

import pytest

from llama_mcp.errors import WrongSettingsError
from llama_mcp.files.border import border_of
from llama_mcp.files.errors import NoFoldersError, NotAFileError, OutsideBorderError
from llama_mcp.files.finding import find
from llama_mcp.files.naming.opening import check_ordinary
from llama_mcp.files.saving import check_save
from llama_mcp.reading_settings import read_settings
from llama_mcp.settings import FileSettings


def test_the_client_s_folders_are_open_where_nothing_is_set(opened: Path, closed: Path) -> None:
    border = border_of(FileSettings(), [opened, closed])
    assert border.read_dirs == border.save_dirs == (opened, closed)
    assert border.base == opened


def test_the_operator_s_folders_take_their_place(opened: Path, closed: Path) -> None:
    border = border_of(FileSettings(file_dirs=(closed,)), [opened])
    assert (border.read_dirs, border.save_dirs, border.base) == ((closed,), (opened,), closed)


@pytest.mark.parametrize("folder", ["root", "home", "above home"])
def test_a_client_s_folder_that_holds_everything_opens_nothing(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path.resolve() / "people" / "me"
    home.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    given = {"root": Path(home.anchor), "home": home, "above home": home.parent}[folder]
    border = border_of(FileSettings(), [given])
    assert border.read_dirs == ()
    with pytest.raises(NoFoldersError, match="setting LLAMA_MCP_FILE_DIRS to them"):
        find(["a.txt"], border)
    with pytest.raises(NoFoldersError, match="setting LLAMA_MCP_SAVE_DIRS to them"):
        check_save("a.txt", border)


def test_folders_that_are_not_there_open_nothing(opened: Path) -> None:
    border = border_of(FileSettings(file_dirs=(opened / "gone",)), [opened])
    with pytest.raises(NoFoldersError, match="LLAMA_MCP_FILE_DIRS names none that is there"):
        find(["a.txt"], border)
    border = border_of(FileSettings(), [opened / "gone"])
    with pytest.raises(NoFoldersError, match=r"gone\) is not there"):
        find(["a.txt"], border)


def test_wrong_settings_are_told(opened: Path) -> None:
    settings = read_settings({"LLAMA_MCP_FILE_DIRS": "~no-such-user/x"})
    with pytest.raises(WrongSettingsError, match="LLAMA_MCP_FILE_DIRS"):
        border_of(settings, [opened])


def test_settings_are_read_as_lists(opened: Path, closed: Path) -> None:
    settings = read_settings(
        {
            "LLAMA_MCP_FILE_DIRS": f"{opened}{os.pathsep}{closed}",
            "LLAMA_MCP_SAVE_DIRS": "None",
            "LLAMA_MCP_SECRET_FILES": "default, *.private",
        }
    )
    border = border_of(settings, [])
    assert border.read_dirs == (opened, closed)
    assert border.save_dirs == ()
    assert border.secrets.matching(["a.private"]) == "*.private"
    assert border.secrets.matching(["a.pem"]) == "*.pem"


def test_llama_mcp_s_own_records_are_closed(opened: Path) -> None:
    (opened / "home" / "runs").mkdir(parents=True)
    (opened / "home" / "runs" / "launch.json").write_text("{}", encoding="utf-8")
    border = border_of(FileSettings(), [opened], own=[opened / "home"])
    for act in (
        lambda: find(["home/runs/launch.json"], border),
        lambda: check_save("home/runs/launch.json", border, overwrite=True),
    ):
        with pytest.raises(Exception, match="one of llama-mcp's own records"):
            act()


@pytest.mark.posix
@pytest.mark.parametrize(
    "asked",
    ["/proc/self/environ", "/proc/self/mem", "/sys/kernel/notes", "/dev/zero", "/dev/stdin"],
)
def test_what_the_kernel_shows_as_files_is_closed_even_where_all_is_open(asked: str) -> None:
    if not Path(asked).exists():
        pytest.skip(f"this system has no {asked}")
    border = border_of(FileSettings(file_dirs=(Path("/"),)), [])
    with pytest.raises(NotAFileError, match="no file but"):
        find([asked], border)


@pytest.mark.posix
def test_a_place_of_the_kernel_s_elsewhere_is_closed_too(opened: Path) -> None:
    status = os.stat("/proc/self/status") if Path("/proc/self/status").exists() else None
    if status is None:
        pytest.skip("this system shows no processes as files")
    with pytest.raises(NotAFileError, match="answer of the kernel"):
        check_ordinary(status, "mounted elsewhere")


def test_a_client_s_folder_for_secrets_is_not_taken(opened: Path) -> None:
    (opened / ".ssh" / "keys").mkdir(parents=True)
    border = border_of(FileSettings(), [opened / ".ssh" / "keys"])
    assert border.read_dirs == ()
    assert "one for secrets" in border.why_none


def test_relative_paths_are_looked_for_in_every_open_folder(opened: Path, closed: Path) -> None:
    (opened / "a.txt").write_text("a", encoding="utf-8")
    border = border_of(FileSettings(), [opened, closed])
    found = find(["a.txt", "private.txt", "priv*"], border)
    assert [file.path.name for file in found.files] == ["a.txt", "private.txt"]


def test_a_folder_is_the_same_however_a_link_spells_it(opened: Path) -> None:
    (opened / "a.txt").write_text("a", encoding="utf-8")
    (opened.parent / "other-name").symlink_to(opened)
    border = border_of(FileSettings(), [opened.parent / "other-name"])
    assert border.read_dirs == (opened,)
    (file,) = find([str(opened.parent / "other-name" / "a.txt")], border).files
    assert (file.name, file.path) == ("a.txt", opened / "a.txt")


def test_an_operator_who_opens_nothing_is_named_as_the_reason(opened: Path) -> None:
    border = border_of(FileSettings(file_dirs=(), save_dirs=()), [opened])
    with pytest.raises(NoFoldersError, match="because LLAMA_MCP_FILE_DIRS says so"):
        find(["a.txt"], border)
    with pytest.raises(NoFoldersError, match="because LLAMA_MCP_SAVE_DIRS says so"):
        check_save("a.txt", border)


def test_a_token_s_folders_take_the_place_of_all_others(opened: Path, closed: Path) -> None:
    settings = FileSettings(file_dirs=(opened,), save_dirs=(opened,))
    border = border_of(settings, [], (), (closed,), (closed,))
    assert (border.read_dirs, border.save_dirs, border.base) == ((closed,), (closed,), closed)
    with pytest.raises(OutsideBorderError, match="open more, by file_dirs of this token"):
        find([str(opened / "a.txt")], border)
    with pytest.raises(OutsideBorderError, match="open more, by save_dirs of this token"):
        check_save(str(opened / "new.txt"), border)
    only_saves = border_of(settings, [], (), (), (closed,))
    assert only_saves.base == closed


def test_a_token_without_folders_has_none(opened: Path) -> None:
    border = border_of(FileSettings(file_dirs=(opened,)), [opened], (), (), ())
    with pytest.raises(NoFoldersError, match=r"file_dirs of this token says so.*file of tokens"):
        find(["a.txt"], border)
    with pytest.raises(NoFoldersError, match="No file can be written, because save_dirs of this"):
        check_save("a.txt", border)


def test_without_a_word_of_the_token_the_settings_count_and_no_client_s_folder(
    opened: Path,
) -> None:
    border = border_of(FileSettings(file_dirs=(opened,)), [], (), None, None)
    assert (border.read_dirs, border.save_dirs) == ((opened,), ())
