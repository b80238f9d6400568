"""A path that no file can have is refused in words, like any other wrong argument."""

import sys
from pathlib import Path

import pytest

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.paths import expand_path, is_inside

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
