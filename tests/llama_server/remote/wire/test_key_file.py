"""A key comes from a file, is read again when that changes, and is told nowhere."""

import os
import sys
from pathlib import Path

import pytest

from llama_mcp.llama_server.remote.errors import KeyFileError
from llama_mcp.llama_server.remote.wire.key_file import KeyFile, without_key
from tests.support.ordinary_user import an_ordinary_user


def test_a_key_is_read_again_when_its_file_has_changed(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("first-key\n")
    key_file = KeyFile(path)
    assert key_file.read() == key_file.read() == "first-key"
    path.write_text("\ufeffsecond-key-which-is-longer\r\n", encoding="utf-8")
    assert key_file.read() == "second-key-which-is-longer"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b" \n\n", "it is empty"),
        (b"my secret\nanother", "one key on one line"),
        ("schlüssel-secret".encode(), "ASCII"),
        (b"\xff\xfesecret", "ASCII"),
        (b"secret" * 20_000, "more than 65,536 bytes"),
    ],
)
def test_a_file_without_one_key_is_refused_and_nothing_of_it_told(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(KeyFileError, match=said) as problem:
        KeyFile(path).read()
    assert "secret" not in str(problem.value) and str(path) in str(problem.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="there is no such file"):
        KeyFile(tmp_path / "none").read()
    with pytest.raises(KeyFileError, match="no regular file"):
        KeyFile(tmp_path).read()


@pytest.mark.posix
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("secret")
    path.chmod(0)
    with an_ordinary_user(), pytest.raises(KeyFileError, match="may not read it"):
        KeyFile(path).read()


@pytest.mark.posix
def test_nobody_waits_for_the_writer_of_a_pipe(tmp_path: Path) -> None:
    if sys.platform == "win32":
        raise OSError("Windows has no FIFO")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(KeyFileError, match="no regular file"):
        KeyFile(tmp_path / "pipe").read()


def test_a_key_that_an_engine_repeats_is_hidden() -> None:
    assert without_key("wrong key sk-123", "sk-123") == "wrong key [key]"
    assert without_key("nothing", None) == "nothing"
