"""Addresses as operators write them, and names as browsers and proxies send them."""

import pytest

from llama_mcp.surface.http.address import Address, Hosts, address_in, listening_at
from llama_mcp.surface.http.errors import AddressError, HostNameError, ListenError


@pytest.mark.parametrize(
    ("text", "host", "port", "shown"),
    [
        ("127.0.0.1:8765", "127.0.0.1", 8765, "127.0.0.1:8765"),
        (":8765", "127.0.0.1", 8765, "127.0.0.1:8765"),
        ("[::1]:0", "::1", 0, "[::1]:0"),
        ("box.example.org:80", "box.example.org", 80, "box.example.org:80"),
        (" localhost:1 ", "localhost", 1, "localhost:1"),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, host: str, port: int, shown: str) -> None:
    assert address_in(text) == Address(host, port) and str(address_in(text)) == shown


@pytest.mark.parametrize(
    "text", ["", "x", "8765x", "x:", "x:y", "x:65536", "::1:80", "http://x:80", "a@b:1", "x:-1"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(AddressError):
        address_in(text)


def test_what_only_this_machine_can_call_is_known() -> None:
    for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost", "LocalHost"):
        assert Address(host, 1).is_loopback, host
    for host in ("0.0.0.0", "::", "10.0.0.1", "box.example.org"):
        assert not Address(host, 1).is_loopback, host


def test_a_port_that_is_taken_is_told_in_a_sentence() -> None:
    with listening_at(Address("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ListenError, match=f"cannot listen at 127.0.0.1:{port}: .*Give another"):
            listening_at(Address("127.0.0.1", port))


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "user@localhost", "localhost/x", "local host", ":"],
)
def test_only_given_names_are_hosts(host: str) -> None:
    assert not Hosts(Address("127.0.0.1", 1), ["llm.example.org"]).allow_host(host)
    assert not Hosts(Address("0.0.0.0", 1)).allow_host(host)


def test_what_is_no_name_of_a_proxy_is_refused() -> None:
    for given in ("a b", "*.example.org", "x/y", "user@x", ":80"):
        with pytest.raises(HostNameError):
            Hosts(Address("127.0.0.1", 1), [given])
    for given in ("https://llm.example.org", "LLM.example.org:443", " llm.example.org. "):
        assert Hosts(Address("127.0.0.1", 1), [given, ""]).allow_host("llm.example.org")


def test_beyond_loopback_a_name_of_loopback_is_no_host() -> None:
    hosts = Hosts(Address("10.0.0.1", 1))
    assert hosts.allow_host("10.0.0.1:5") and not hosts.allow_host("localhost")


def test_an_origin_is_the_host_itself_or_a_given_name() -> None:
    hosts = Hosts(Address("127.0.0.1", 80), ["app.example.org"])
    for origin in ("http://localhost:80", "HTTP://LOCALHOST:80", "https://app.example.org:1"):
        assert hosts.allow_origin(origin, "localhost:80"), origin
    for origin in ("http://localhost", "http://localhost:81", "null", "", "app.example.org"):
        assert not hosts.allow_origin(origin, "localhost:80"), origin
    for origin in ("https://app.example.org.evil.example", "ftp://app.example.org"):
        assert not hosts.allow_origin(origin, "localhost:80"), origin
