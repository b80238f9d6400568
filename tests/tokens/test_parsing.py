"""A file of tokens is read whole, or everything that is wrong with it is told with its line."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.callers import Caller, Scope
from llama_mcp.tokens.errors import TokensFileError
from llama_mcp.tokens.parsing import parsed

FILE = Path("/etc/llama-mcp/tokens.toml").absolute()
HASH = "a1" * 32
OTHER = "b2" * 32


def problems(text: str) -> list[str]:
    with pytest.raises(TokensFileError) as caught:
        parsed(text.encode(), FILE)
    return list(caught.value.problems)


def test_an_entry_says_who_may_do_what() -> None:
    text = f"""# The team.
[ann]
sha256 = "{HASH.upper()}"
scope = "chat"
file_dirs = ["/srv/ann", "shared"]
save_dirs = []
turns_at_once = 2
tokens_a_day = 100_000

["bob@example.org"]
sha256 = ["{OTHER}", "{"c3" * 32}"]
scope = "admin"
"""
    ann, bob = parsed(text.encode(), FILE)
    folders = (Path("/srv/ann").absolute(), FILE.parent / "shared")
    assert ann.caller == Caller("ann", Scope.CHAT, folders, (), 2, 100_000)
    assert ann.digests == (bytes.fromhex(HASH),)
    # Whoever is given no folder names no file.
    assert bob.caller == Caller("bob@example.org", Scope.ADMIN, (), (), None, None)
    assert len(bob.digests) == 2


def test_a_file_may_be_empty_and_come_from_windows() -> None:
    assert parsed(b"", FILE) == ()
    text = f'\ufeff[ann]\r\nsha256 = "{HASH}"\r\nscope = "chat"\r\n'
    assert [entry.caller.owner for entry in parsed(text.encode(), FILE)] == ["ann"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[ann", "line 1: it is no TOML"),
        ('[ann]\nx = """', "line 2: it is no TOML: what begins there is not finished"),
        ("ann = 3", "line 1: ann is no table: write [NAME]"),
        (f'[ann]\nsha256 = "{HASH}"', "line 1: scope is missing"),
        ('[ann]\nscope = "chat"', "line 1: sha256 is missing"),
        (f'[ann]\nsha256 = "{HASH}"\nscope = "boss"', "line 3: scope has to be one of chat,"),
        ('[ann]\nscope = "chat"\nsha256 = "secret"', "line 3: sha256 has to be the SHA-256"),
        ('[ann]\nscope = "chat"\nsha256 = []', "line 3: sha256 has to be"),
        (f'[ann]\nscope = "chat"\nsha256 = "{HASH}"\nscopes = 1', "nearest name is scope"),
        (f'[ann]\nscope="chat"\nsha256="{HASH}"\nturns_at_once = 0', "line 4: turns_at_once has"),
        (f'[ann]\nscope="chat"\nsha256="{HASH}"\ntokens_a_day = true', "line 4: tokens_a_day"),
        (f'[ann]\nscope="chat"\nsha256="{HASH}"\nfile_dirs = "x"', "line 4: file_dirs has to be"),
        (f'[ann]\nscope="chat"\nsha256="{HASH}"\nsave_dirs = ["a\\u0000"]', "line 4: save_dirs"),
        (f'["a b"]\nscope="chat"\nsha256="{HASH}"', "line 1: a name has up to 64"),
        (f'[a]\nscope="chat"\nsha256="{HASH}"\n[A]\nscope="chat"\nsha256="{OTHER}"', "line 4: A"),
        (f'[a]\nscope="chat"\nsha256="{HASH}"\n[b]\nscope="chat"\nsha256="{HASH}"', "line 6:"),
        ("a = " + "[" * 5000, "it is nested too deeply"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, told: str) -> None:
    assert any(told in problem for problem in problems(text)), problems(text)


def test_all_that_is_wrong_is_told_at_once_and_a_token_is_never_repeated() -> None:
    text = '[ann]\nsha256 = "tok-very-secret"\nscope = "boss"\nfoo = "other-secret"\n'
    found = problems(text)
    assert [problem[:7] for problem in found] == ["line 2:", "line 3:", "line 4:"]
    assert "secret" not in " ".join(found)


def test_what_is_no_text_and_what_is_too_large_is_refused() -> None:
    for content, told in (
        (b"\n\xff\xfe", "line 2: it is not in UTF-8"),
        ("[ann]\n".encode("utf-16"), "it is in UTF-16; save it as UTF-8"),
        (b"#" * 2**21, "1 MiB"),
    ):
        with pytest.raises(TokensFileError, match=re.escape(told)):
            parsed(content, FILE)


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_content_gives_entries_or_an_error_of_ours(content: str | bytes) -> None:
    raw = content.encode(errors="surrogatepass") if isinstance(content, str) else content
    try:
        parsed(raw, FILE)
    except TokensFileError as error:
        assert str(FILE) in str(error)
