import os
import socket
import struct
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from llama_mcp.models import library
from llama_mcp.models.errors import ModelUnusableError
from llama_mcp.models.library import find_models
from llama_mcp.models.model_file import check_model_file

NOBODY = 65534


def a_header(version: int = 3, *, order: str = "<") -> bytes:
    return b"GGUF" + struct.pack(f"{order}IQQ", version, 12, 24)


def write(path: Path, content: bytes = a_header()) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def why_unusable(path: Path) -> str:
    with pytest.raises(ModelUnusableError) as caught:
        check_model_file(path)
    assert caught.value.path == str(path)
    return str(caught.value)


@pytest.mark.parametrize("version", [2, 3])
def test_a_gguf_file_is_accepted(tmp_path: Path, version: int) -> None:
    check_model_file(write(tmp_path / "m.gguf", a_header(version) + b"rest"))


@pytest.mark.posix
def test_a_link_to_a_gguf_file_is_accepted(tmp_path: Path) -> None:
    link = tmp_path / "link.gguf"
    link.symlink_to(write(tmp_path / "blob"))

    check_model_file(link)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b"GG", "it ends after 2 bytes"),
        (a_header()[:20], "it ends after 20 bytes, within its header"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"\n\n  <HTML><head>", "web page"),
        (b"<?xml version='1.0'?><Error>AccessDenied", "web page"),
        (struct.pack("<Q", 300) + b'{"a":{"dtype":"F32"', "safetensors"),
        (b'{"a":{"dtype":"F32"', "safetensors or JSON"),
        (b"PK\x03\x04" + bytes(60), "PyTorch or zip"),
        (b"\x80\x02\x8a\nl" + bytes(60), "PyTorch or zip"),
        (b"tjgg" + bytes(60), "older than GGUF"),
        (b"NOTG" + bytes(60), "not a GGUF file (it begins with b'NOTG')"),
        (a_header(1), "GGUF version 1, which llama.cpp no longer reads"),
        (a_header(99), "GGUF version 99"),
        (a_header(3, order=">"), "big-endian"),
    ],
)
def test_a_file_that_is_no_model_is_named_for_what_it_is(
    tmp_path: Path, content: bytes, words: str
) -> None:
    assert words in why_unusable(write(tmp_path / "m.gguf", content))


def test_a_missing_model_brings_up_to_five_others_of_its_folder(tmp_path: Path) -> None:
    for name in "abcdefg":
        write(tmp_path / f"{name}.gguf")
    write(tmp_path / "mmproj-a.gguf")

    text = why_unusable(tmp_path / "x.gguf")

    assert "it does not exist" in text
    assert "a.gguf, b.gguf, c.gguf, d.gguf, e.gguf and 2 more" in text


def test_a_missing_model_in_a_folder_without_models_says_so(tmp_path: Path) -> None:
    assert f"There is no GGUF file in {tmp_path}" in why_unusable(tmp_path / "x.gguf")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"

    assert f"nor does the folder {folder}" in why_unusable(folder / "x.gguf")


def test_a_path_through_a_file_does_not_exist(tmp_path: Path) -> None:
    assert "it does not exist" in why_unusable(write(tmp_path / "m.gguf") / "x.gguf")


def test_a_path_that_no_system_can_have_does_not_exist() -> None:
    assert "it does not exist" in why_unusable(Path("/models/\0.gguf"))


@pytest.mark.posix
def test_a_path_too_long_for_the_system_is_refused(tmp_path: Path) -> None:
    assert "cannot be read" in why_unusable(tmp_path / ("x" * 5000))


@pytest.mark.posix
def test_a_link_to_nothing_names_what_it_points_to(tmp_path: Path) -> None:
    link = tmp_path / "link.gguf"
    link.symlink_to("gone.gguf")

    assert "a link to gone.gguf, which does not exist" in why_unusable(link)


def test_a_folder_is_refused_with_the_models_in_it(tmp_path: Path) -> None:
    write(tmp_path / "m.gguf")

    text = why_unusable(tmp_path)

    assert "it is a folder" in text
    assert f"GGUF files in {tmp_path}: m.gguf." in text


def test_an_empty_folder_is_refused_with_what_to_pass(tmp_path: Path) -> None:
    assert "pass the path of a .gguf file" in why_unusable(tmp_path)


def test_a_socket_is_refused_without_being_opened(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no such sockets")
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))

        assert "not a regular file" in why_unusable(path)


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no named pipes in folders")
    os.mkfifo(tmp_path / "p")

    assert "not a regular file" in why_unusable(tmp_path / "p")


@contextmanager
def an_ordinary_user() -> Iterator[None]:
    """Root may read everything, so a test that runs as root steps down for a moment."""
    if sys.platform == "win32":
        pytest.skip("Windows has no such permissions")
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)


def test_a_file_without_permission_to_read_is_told_apart() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        path = write(Path(folder) / "m.gguf")
        path.chmod(0)

        with an_ordinary_user():
            assert "no permission to read it" in why_unusable(path)


def test_a_file_in_a_locked_folder_is_told_apart() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "m.gguf")
        Path(folder).chmod(0)
        try:
            with an_ordinary_user():
                assert "no permission to read it" in why_unusable(path)
                assert find_models([Path(folder)]) == []
        finally:
            Path(folder).chmod(0o700)


def test_a_later_part_of_a_split_model_names_the_first(tmp_path: Path) -> None:
    text = why_unusable(write(tmp_path / "m-00002-of-00005.gguf"))

    assert "it is part 2 of 5" in text
    assert str(tmp_path / "m-00001-of-00005.gguf") in text


def test_a_missing_part_of_a_split_model_is_named(tmp_path: Path) -> None:
    first = write(tmp_path / "m-00001-of-00003.gguf")
    write(tmp_path / "m-00002-of-00003.gguf")

    text = why_unusable(first)

    assert "m-00003-of-00003.gguf is missing" in text
    assert "m-00002" not in text


def test_a_split_model_that_is_all_there_is_accepted(tmp_path: Path) -> None:
    write(tmp_path / "m-00002-of-00002.gguf")

    check_model_file(write(tmp_path / "m-00001-of-00002.gguf"))


def test_models_are_found_sorted_with_projectors_and_later_parts_left_out(tmp_path: Path) -> None:
    found = [
        write(tmp_path / "a" / "deep" / "m.gguf"),
        write(tmp_path / "b.GGUF"),
        write(tmp_path / "s-00001-of-00002.gguf"),
    ]
    write(tmp_path / "s-00002-of-00002.gguf")
    write(tmp_path / "mmproj-b.gguf")
    write(tmp_path / "readme.txt")
    write(tmp_path / ".hidden" / "h.gguf")
    (tmp_path / "folder.gguf").mkdir()

    assert find_models([tmp_path]) == found


def test_models_of_folders_that_overlap_are_found_once(tmp_path: Path) -> None:
    model = write(tmp_path / "a" / "m.gguf")

    assert find_models([tmp_path / "a", tmp_path, tmp_path / "nowhere"]) == [model]


def test_links_to_folders_cannot_lead_in_circles(tmp_path: Path) -> None:
    model = write(tmp_path / "m.gguf")
    (tmp_path / "loop").symlink_to(tmp_path)

    assert find_models([tmp_path]) == [model]


def test_folders_too_deep_are_not_looked_into(tmp_path: Path) -> None:
    write(tmp_path.joinpath(*"123456") / "m.gguf")
    write(tmp_path.joinpath(*"1234567") / "too_deep.gguf")

    assert [path.name for path in find_models([tmp_path])] == ["m.gguf"]


def test_the_search_ends_at_its_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = tmp_path / "models"
    for number in range(5):
        write(models / str(number) / "m.gguf")
    monkeypatch.setattr(library, "MAX_MODELS", 3)
    assert len(find_models([models])) == 3

    monkeypatch.setattr(library, "MAX_FOLDERS", 2)
    assert len(find_models([models])) == 1
