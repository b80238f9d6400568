import re
import socket
import struct
import sys
import tempfile
from pathlib import Path

import pytest

from llama_mcp.models.errors import ModelUnusableError
from llama_mcp.models.model_file import check_model_file
from tests.support.ordinary_user import an_ordinary_user
from tests.support.pipes import make_pipe


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
        (b"\x7fELF" + bytes(60), "it is a program, which llama_cpp_path takes"),
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
    assert re.search(r"GGUF files in .*: (\w.gguf \(0.0 MiB\),? ?){5} ?and 2 more", text)
    assert "mmproj" not in text


def test_a_missing_model_in_a_folder_without_models_says_so(tmp_path: Path) -> None:
    assert "it does not exist. Check the path" in why_unusable(tmp_path / "x.gguf")


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
    assert f"GGUF files in {tmp_path}: m.gguf (0.0 MiB)." in text


def test_a_folder_is_refused_with_the_models_in_its_subfolders(tmp_path: Path) -> None:
    write(tmp_path / "publisher" / "repo" / "m.gguf")

    assert f"GGUF files in {tmp_path}: publisher/repo/m.gguf (0.0 MiB)." in why_unusable(tmp_path)


def test_an_empty_folder_is_refused_with_what_to_pass(tmp_path: Path) -> None:
    assert "pass the path of a .gguf file" in why_unusable(tmp_path)


def test_a_socket_is_refused_without_being_opened(tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("Windows has no such sockets")
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))

        assert "not a regular file" in why_unusable(path)


@pytest.mark.posix
def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    make_pipe(tmp_path / "p")

    assert "not a regular file" in why_unusable(tmp_path / "p")


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
        finally:
            Path(folder).chmod(0o700)


def test_a_later_part_of_a_split_model_names_the_first(tmp_path: Path) -> None:
    write(tmp_path / "m-00001-of-00005.gguf")
    text = why_unusable(write(tmp_path / "m-00002-of-00005.gguf"))

    assert "it is part 2 of 5" in text
    assert str(tmp_path / "m-00001-of-00005.gguf") in text


def test_a_later_part_whose_first_is_not_there_says_that(tmp_path: Path) -> None:
    text = why_unusable(write(tmp_path / "m-00002-of-00002.gguf"))

    assert "m-00001-of-00002.gguf is missing" in text


def test_a_missing_part_of_a_split_model_is_named(tmp_path: Path) -> None:
    first = write(tmp_path / "m-00001-of-00003.gguf")
    write(tmp_path / "m-00002-of-00003.gguf")

    text = why_unusable(first)

    assert "m-00003-of-00003.gguf is missing" in text
    assert "m-00002" not in text

    (tmp_path / "m-00002-of-00003.gguf").unlink()
    assert "m-00002-of-00003.gguf, m-00003-of-00003.gguf are missing" in why_unusable(first)


def test_a_split_model_that_is_all_there_is_accepted(tmp_path: Path) -> None:
    write(tmp_path / "m-00002-of-00002.gguf")

    check_model_file(write(tmp_path / "m-00001-of-00002.gguf"))
