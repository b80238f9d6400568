"""Where the server is: its URL in parts, and whether a token may travel there.

Not urllib: what that imports takes as long as all of this room.
"""

DEFAULT_PATH = "/mcp"
_PORTS = {"http": 80, "https": 443}
_GREATEST_PORT = 65535


class WrongURLError(ValueError):
    """The URL names no server that can be connected to; the text says why."""


class Target:
    """One server: how it is reached, and what it is called in texts and in the Host header."""

    def __init__(self, scheme: str, host: str, port: int, path: str) -> None:
        self.is_tls = scheme == "https"
        self.host = host
        self.port = port
        self.path = path
        bracketed = f"[{host}]" if ":" in host else host
        self.host_header = bracketed if port == _PORTS[scheme] else f"{bracketed}:{port}"
        self.url = f"{scheme}://{self.host_header}{path}"

    @property
    def is_loopback(self) -> bool:
        """Tell whether what is sent there stays on this machine."""
        return self.host in ("localhost", "::1") or _is_ipv4_loopback(self.host)


def target_of(url: str, *, is_insecure_allowed: bool = False) -> Target:
    """Return the server that a URL names; without a path it is llama-mcp's own, `/mcp`.

    Raises:
        WrongURLError: it is no URL of a server, or one to which a token would travel unencrypted.
    """
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in _PORTS:
        raise WrongURLError("It begins with neither https:// nor http://.")
    if not rest.isascii() or not rest.isprintable() or " " in rest or "\\" in rest:
        raise WrongURLError("It has characters that no URL has; a host name is written in ASCII.")
    authority, slash, path = rest.partition("/")
    if "#" in rest or "?" in authority:
        raise WrongURLError("It has a fragment, or no path before its query.")
    if "@" in authority:
        raise WrongURLError("It has a user in front of the host; a token comes from a file.")
    host, port = _host_and_port(authority, _PORTS[scheme])
    target = Target(scheme, host, port, slash + path if path else DEFAULT_PATH)
    if not (target.is_tls or target.is_loopback or is_insecure_allowed):
        raise WrongURLError(
            "http:// beyond this machine lets everybody on the way read the token and all that is "
            "said. Take https://, or --insecure where the way itself is encrypted (WireGuard, SSH)."
        )
    return target


def _host_and_port(authority: str, default: int) -> tuple[str, int]:
    if authority.startswith("["):
        host, bracket, rest = authority[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise WrongURLError("Its address in brackets has no end.")
        colon, port = rest[:1], rest[1:]
    else:
        host, colon, port = authority.partition(":")
    if not host:
        raise WrongURLError("It names no host.")
    if not colon:
        return host.lower(), default
    if not port.isdecimal() or not 1 <= int(port) <= _GREATEST_PORT:
        raise WrongURLError("Its port is no number from 1 to 65535.")
    return host.lower(), int(port)


def _is_ipv4_loopback(host: str) -> bool:
    parts = host.split(".")
    return len(parts) == 4 and parts[0] == "127" and all(part.isdecimal() for part in parts)
