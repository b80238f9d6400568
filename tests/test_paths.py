"""A path that no file can have is refused in words, like any other wrong argument."""

import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.paths import absolute_path, expand_path, is_inside
from llama_mcp.setting_texts import is_address

IMPOSSIBLE = (
    [
        ("a\0b", "null"),
        ("x" * 100_000, "too long"),
        (r"%NO_SUCH%\x", "%NO_SUCH% is not filled in here"),
    ]
    if sys.platform == "win32"
    else [
        ("a\0b", "null byte"),
        ("x" * 100_000, "File name too long"),
        ("x" * 300, "File name too long"),
        ("~no-such-user/x", "Could not determine home directory"),
    ]
)


@pytest.mark.parametrize(("text", "reason"), IMPOSSIBLE)
def test_a_path_that_cannot_be_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"^model_path is a path .*: .*{reason}.*Pass"):
        expand_path("model_path", text)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_that_leads_to_itself_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(link)
    with pytest.raises(InvalidArgumentError, match="symbolic links"):
        expand_path("model_path", str(link))


def test_a_path_where_nothing_is_yet_is_given_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for path in (tmp_path / "nothing", file / "below-a-file", tmp_path):
        assert expand_path("model_path", str(path)) == path


def test_a_tilde_is_the_users_own_folder() -> None:
    assert expand_path("model_path", "~/x") == Path.home() / "x"


@pytest.mark.parametrize(
    "written",
    [
        "{path}\n",
        "  {path} ",
        '"{path}"',
        "'{path}'",
        " `{path}`\n",
        "“{path}”",
        "file://{path}",
        "FILE://localhost{path}",
        "file:{path}",
        '"file://{escaped}"',
        "{shell}",
    ],
)
@pytest.mark.posix
def test_what_is_copied_along_with_a_path_is_taken_off(tmp_path: Path, written: str) -> None:
    path = tmp_path / "my model é.gguf"
    path.touch()
    shell = str(path).replace(" ", "\\ ")
    text = written.format(path=path, escaped=quote(str(path)), shell=shell)
    assert expand_path("model_path", text) == path


@pytest.mark.posix
@pytest.mark.parametrize("name", ["m.gguf ", "'m'", "a\\ b"])
def test_a_name_that_is_there_as_it_is_written_is_taken_as_it_is(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert expand_path("model_path", str(tmp_path / name)) == tmp_path / name


def test_the_home_folder_is_known_by_its_variable_too() -> None:
    for text in ("$HOME/x", "${HOME}/x"):
        assert expand_path("model_path", text) == Path.home() / "x"
    with pytest.raises(InvalidArgumentError, match="HOMER is not filled in here"):
        expand_path("model_path", "$HOMER/x")


@pytest.mark.parametrize("address", ["https://h.co/x.gguf", " s3://b/x", "hf://user/repo"])
def test_an_address_on_a_network_is_told_from_a_path(address: str) -> None:
    with pytest.raises(InvalidArgumentError, match="is an address .* Pass what is on this machine"):
        expand_path("llama_cpp_path", address)
    assert not is_address(r"C:\models") and not is_address("C:/models")


@pytest.mark.posix
def test_a_path_with_dots_is_made_plain_unless_a_link_gives_them_another_meaning(
    tmp_path: Path,
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "x").touch()
    assert absolute_path(tmp_path / "a" / ".." / "x") == tmp_path / "x"
    assert absolute_path(tmp_path / "a" / ".." / "nothing") == tmp_path / "nothing"
    (tmp_path / "link").symlink_to(tmp_path / "a" / "b")
    (tmp_path / "a" / "x").touch()
    through = tmp_path / "link" / ".." / "x"
    assert absolute_path(through) == through


def test_a_path_lies_in_a_folder_however_the_two_are_spelled(tmp_path: Path) -> None:
    """Elsewhere a link stands in for a file system that ignores case: two names, one folder."""
    folder, other_name = tmp_path / "Models", tmp_path / "mODELS"
    folder.mkdir()
    if sys.platform == "linux":
        other_name.symlink_to(folder, target_is_directory=True)
    for inside in (folder, folder / "x.gguf", other_name, other_name / "nothing" / "x.gguf"):
        assert is_inside(inside, folder)
    for outside in (tmp_path, tmp_path / "Models2", tmp_path / "nothing"):
        assert not is_inside(outside, folder)
