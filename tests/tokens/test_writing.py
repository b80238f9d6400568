"""Entries come and go, and every other line of the file stays."""

import re
import stat
import sys
from pathlib import Path

import pytest

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.tokens.entry import digest_of, entry_of, new_token
from llama_mcp.tokens.errors import OpenTokensFileError, TokenNameError, TokensFileError
from llama_mcp.tokens.reading import read_tokens
from llama_mcp.tokens.writing import add_token, remove_token


def names(file: Path) -> list[str]:
    return [entry.caller.owner for entry in read_tokens(file)]


def test_a_token_is_kept_as_a_hash_in_a_file_of_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    token = add_token(file, "ann", "operate", ["turns_at_once = 2"])
    assert re.fullmatch(r"[\w-]{43}", token) and token not in file.read_text()
    (entry,) = read_tokens(file)
    assert entry_of(digest_of(token), read_tokens(file)) == entry
    assert entry_of(digest_of(new_token()), read_tokens(file)) is None
    assert entry.caller.turns_at_once == 2
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.glob("tokens*")] == ["tokens.toml"]


def test_adding_and_removing_leaves_the_other_lines(tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    add_token(file, "ann", "chat")
    ann = file.read_text()
    add_token(file, "bob.x", "chat")
    with_notes = file.read_text().replace('["bob.x"]', '# Bob, until May.\n["bob.x"]')
    file.write_text(f"# The team.\n\n{with_notes}\n# The end.\n")
    file.chmod(0o600)
    add_token(file, "cid", "admin")
    assert names(file) == ["ann", "bob.x", "cid"]
    remove_token(file, "ann")
    assert names(file) == ["bob.x", "cid"]
    assert file.read_text().startswith("# The team.\n\n# Bob, until May.\n")
    assert "# The end.\n" in file.read_text() and ann not in file.read_text()
    remove_token(file, "cid")
    remove_token(file, "bob.x")
    assert names(file) == [] and "# The team." in file.read_text()


def test_names_that_are_there_or_not_or_cannot_be_change_nothing(tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    add_token(file, "ann", "chat")
    before = file.read_bytes()
    with pytest.raises(TokenNameError, match="ANN has an entry already"):
        add_token(file, "ANN", "chat")
    with pytest.raises(TokenNameError, match="bob has no entry in .* It has ann"):
        remove_token(file, "bob")
    for name in ("", "a b", '"', "a" * 65, "-x", "ä"):
        with pytest.raises(InvalidArgumentError):
            add_token(file, name, "chat")
    with pytest.raises(TokensFileError, match="turns_at_once has to be"):
        add_token(file, "bob", "chat", ["turns_at_once = -1"])
    assert file.read_bytes() == before


def test_a_file_that_is_wrong_is_not_written_to(tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    file.write_text("[ann\n")
    file.chmod(0o600)
    for change in (lambda: add_token(file, "bob", "chat"), lambda: remove_token(file, "ann")):
        with pytest.raises(TokensFileError, match="line 1"):
            change()
    assert file.read_text() == "[ann\n"


@pytest.mark.posix
def test_a_file_that_others_can_open_is_refused_with_what_to_run(tmp_path: Path) -> None:
    file = tmp_path / "tokens.toml"
    add_token(file, "ann", "chat")
    for mode in (0o604, 0o644, 0o620, 0o602):
        file.chmod(mode)
        with pytest.raises(OpenTokensFileError, match=f"Run `chmod 600 {re.escape(str(file))}`"):
            read_tokens(file)
    file.chmod(0o400)
    assert names(file) == ["ann"]


def test_a_folder_and_what_is_not_there_are_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(TokensFileError, match="cannot be used"):
        read_tokens(tmp_path)
    with pytest.raises(TokensFileError, match="it cannot be read: No such file"):
        read_tokens(tmp_path / "nothing")
