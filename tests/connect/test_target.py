"""Which URLs the bridge takes, and what it makes of them."""

import pytest

from llama_mcp.connect.target import WrongURLError, target_of


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("https://box.example", "https://box.example/mcp"),
        ("https://box.example/", "https://box.example/mcp"),
        ("HTTPS://Box.Example:8443/a/mcp?x=1", "https://box.example:8443/a/mcp?x=1"),
        ("http://localhost:8765", "http://localhost:8765/mcp"),
        ("http://127.0.0.9:80/mcp", "http://127.0.0.9/mcp"),
        ("http://[::1]:8765/mcp", "http://[::1]:8765/mcp"),
    ],
)
def test_a_url_names_a_server_and_without_a_path_llama_mcp_there(url: str, meant: str) -> None:
    assert target_of(url).url == meant


@pytest.mark.parametrize(
    "url",
    [
        *("", "box.example", "box.example:8765", "ftp://box.example", "file:///etc/passwd"),
        *("https://", "https:///mcp", "https://:1/mcp", "https://[::1", "https://[::1]x/"),
        *("https://box:0", "https://box:65536", "https://box:x", "https://box:-1"),
        *("https://user@box.example", "https://u:p@box.example/mcp"),
        *("https://box.example/mcp#there", "https://box.example?x=1"),
        *("https://box.example/a b", "https://box.example/\r\nX: 1", "https://bücher.example"),
        "https://box.example\\@evil.example",
    ],
)
def test_what_is_no_url_of_a_server_is_refused(url: str) -> None:
    with pytest.raises(WrongURLError):
        target_of(url)


@pytest.mark.parametrize(
    "url",
    [
        *("http://box.example", "http://192.168.1.5:8765", "http://127.0.0.1.example"),
        *("http://localhost.example", "http://[fe80::1]", "http://127.1"),
    ],
)
def test_a_token_goes_unencrypted_beyond_this_machine_only_when_that_is_asked_for(url: str) -> None:
    with pytest.raises(WrongURLError, match="--insecure"):
        target_of(url)
    assert not target_of(url, is_insecure_allowed=True).is_tls
