"""One URL says where every endpoint is."""

import pytest

from llama_mcp.llama_server.remote.wire.urls import checked_url


@pytest.mark.parametrize(
    "url",
    [
        "https://host/prefix",
        "https://host/prefix/",
        "https://host/prefix/v1",
        "https://host/prefix/v1/",
        "HTTPS://HOST/prefix/v1",
    ],
)
def test_with_and_without_v1_is_the_same_and_a_path_stays(url: str) -> None:
    base = checked_url(url)
    assert base.of("/v1/models") == "https://host/prefix/v1/models"
    assert base.of("/props") == "https://host/prefix/props"
    assert (base.host, base.port, base.is_encrypted) == ("host", 443, True)


def test_another_version_in_the_place_of_v1_stays() -> None:
    base = checked_url("https://host/api/v4")
    assert base.of("/v1/chat/completions") == "https://host/api/v4/chat/completions"
    assert base.of("/tokenize") == "https://host/api/tokenize"


@pytest.mark.parametrize(
    ("url", "is_here"),
    [
        ("http://127.0.0.1:80", True),
        ("http://[::1]:1", True),
        ("http://localhost", True),
        ("http://10.0.0.1", False),
        ("http://localhost.example", False),
    ],
)
def test_loopback_is_known(url: str, is_here: bool) -> None:
    assert checked_url(url).is_this_machine is is_here


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host:8080",
        "ftp://host",
        "file:///etc/passwd",
        "http://",
        "http://host:port",
        "http://host:99999",
        "http://user:secret@host",
        "http://host?key=secret",
        "http://host#secret",
        "http://host/?",
        "http://ho st",
        "http://host/\n",
        "http://host/../secret",
        "http://[::1",
    ],
)
def test_what_is_no_url_of_an_engine_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|has|holds|does)\b") as problem:
        checked_url(url)
    assert "secret" not in str(problem.value)
