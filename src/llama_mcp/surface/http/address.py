"""Where we listen, and by which names clients may call us."""

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from llama_mcp.surface.http.errors import AddressError, HostNameError, ListenError

_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
MOST_PORTS = 65535
_BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class Address:
    """A host, by name or number, and a port; 0 is any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    def with_port(self, port: int) -> "Address":
        """Return the same with the port that the system has given."""
        return Address(self.host, port)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can call it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    @property
    def is_every(self) -> bool:
        """Whether it stands for all addresses of the machine."""
        try:
            return ipaddress.ip_address(self.host).is_unspecified
        except ValueError:
            return False


def address_in(text: str) -> Address:
    """Return the address that a text means: HOST:PORT, [IPV6]:PORT, or a port of loopback.

    Raises:
        AddressError: it means none.
    """
    host, _, port = text.strip().rpartition(":")
    if not port.isdecimal() or int(port) > MOST_PORTS:
        raise AddressError(text, f"its port has to be a number up to {MOST_PORTS}")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise AddressError(text, "an IPv6 address stands in brackets")
    if not host.isascii() or any(c.isspace() or c in "/@" for c in host):
        raise AddressError(text, "its host has to be a name or a number")
    return Address(host or "127.0.0.1", int(port))


def listening_at(address: Address) -> socket.socket:
    """Return a socket that is bound there; raises ListenError."""
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _, place = found[0]
        bound = socket.socket(family, kind, protocol)
        try:
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address.host != "::"))
            if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # on Windows REUSEADDR lets others in
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            else:
                bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(place)
            bound.listen(_BACKLOG)
            bound.setblocking(False)
        except BaseException:
            bound.close()
            raise
    except (OSError, UnicodeError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise ListenError(str(address), problem.rstrip(".")) from error
    return bound


class Hosts:
    """The names by which clients may call us; a page that brings another was led here."""

    def __init__(self, address: Address, named: Iterable[str] = ()) -> None:
        """Take where we listen, and further names, such as that of a proxy.

        Raises:
            HostNameError: one of these is no name.
        """
        self._named = frozenset(_name(name.strip()) for name in named if name.strip())
        own = {address.host.lower()} if not address.is_every else set()
        local = _LOOPBACK_NAMES if address.is_loopback or address.is_every else ()
        self._allowed = self._named | own | set(local)

    def allow_host(self, host: str | None) -> bool:
        """Tell whether a Host header names us; its port does not matter."""
        return _host_of(f"//{host}") in self._allowed if host else False

    def allow_origin(self, origin: str, host: str) -> bool:
        """Tell whether a page may call us: one that we served, or of a name that was given."""
        if origin.lower() in (f"http://{host.lower()}", f"https://{host.lower()}"):
            return True
        is_web = origin.lower().startswith(("http://", "https://"))
        return is_web and _host_of(origin) in self._named


def _name(given: str) -> str:
    found = _host_of(given if "://" in given else f"//{given}")
    if found is None or "*" in found:
        raise HostNameError(given)
    return found


def _host_of(url: str) -> str | None:
    if "?" in url or "#" in url:  # an empty query or fragment is none to urlsplit
        return None
    if any(character.isspace() for character in url):
        return None
    try:
        parts = urlsplit(url)
        _ = parts.port  # a ValueError when it is none
    except ValueError:
        return None
    if parts.username is not None or parts.path or parts.query or parts.fragment:
        return None
    return parts.hostname.rstrip(".") if parts.hostname else None
