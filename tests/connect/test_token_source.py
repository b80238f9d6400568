"""The token: from where, and only when nobody else can read it."""

import os
from pathlib import Path

import pytest

from llama_mcp.connect.failures import BridgeError
from llama_mcp.connect.token_source import TokenSource


def token_file(folder: Path, text: str = "secret-1\n", mode: int = 0o600) -> Path:
    path = folder / "token"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_a_file_goes_before_the_variable_and_without_either_there_is_none(tmp_path: Path) -> None:
    path = str(token_file(tmp_path))
    assert TokenSource(path, "of the variable").read() == "secret-1"
    assert TokenSource(None, "secret-2").read() == "secret-2"
    assert TokenSource(None, None).read() is None


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    source = TokenSource(str(token_file(tmp_path)), None)
    assert source.read() == "secret-1"
    new = tmp_path / "new"
    new.write_text("another-secret", encoding="utf-8")
    new.chmod(0o600)
    os.replace(new, tmp_path / "token")
    assert source.read() == "another-secret"


@pytest.mark.posix
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_can_read_is_not_used(tmp_path: Path, mode: int) -> None:
    path = token_file(tmp_path, mode=mode)
    with pytest.raises(BridgeError, match="chmod 600"):
        TokenSource(str(path), None).read()
    path.chmod(0o400)
    assert TokenSource(str(path), None).read() == "secret-1"


@pytest.mark.parametrize("text", ["", " \n", "two words", "with\ttab", "ä", "a\x00b", "x" * 5000])
def test_what_is_no_token_is_not_sent(tmp_path: Path, text: str) -> None:
    with pytest.raises(BridgeError) as refusal:
        TokenSource(str(token_file(tmp_path, text)), None).read()
    assert text.strip() == "" or text not in refusal.value.text


def test_a_file_that_is_not_there_is_looked_for_again(tmp_path: Path) -> None:
    source = TokenSource(str(tmp_path / "token"), None)
    with pytest.raises(BridgeError, match="cannot be read"):
        source.read()
    token_file(tmp_path)
    assert source.read() == "secret-1"
