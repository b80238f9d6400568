"""Where an engine's endpoints are, from the one URL that its operator gives."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

# `v1`, and what a few providers have in its place, such as `v4` or `v1beta`.
_VERSION = re.compile(r"v\d+[a-z0-9]*", re.IGNORECASE)
_SCHEMES = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """Both roots of one engine's endpoints, without a slash at their ends."""

    root: str
    """Of what only llama-server or vLLM has, such as `/props` and `/tokenize`."""
    api: str
    """Of what OpenAI has, `/v1` included."""
    host: str
    port: int

    @property
    def is_encrypted(self) -> bool:
        """Whether it is https."""
        return self.root.startswith("https:")

    @property
    def is_this_machine(self) -> bool:
        """Whether it is surely a loopback address."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost" or self.host.endswith(".localhost")

    def of(self, path: str) -> str:
        """Return the URL of an endpoint; one that begins with `/v1/` is one of OpenAI's."""
        is_openais = path.startswith("/v1/")
        return self.api + path.removeprefix("/v1") if is_openais else self.root + path


def checked_url(text: str) -> BaseUrl:
    """Return an engine's URL taken apart; with and without `/v1` at its end it is the same.

    Raises:
        ValueError: it is none, with why, for whoever has set it; nothing of it is repeated that
            may be a secret.
    """
    if any(character.isspace() or not character.isprintable() for character in text):
        raise ValueError("has spaces or control characters in it")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError("is not a URL: its host or port cannot be read") from error
    if parts.scheme.lower() not in _SCHEMES or not parts.hostname:
        raise ValueError("does not begin with http:// or https:// and a host")
    if "@" in parts.netloc:
        raise ValueError("holds a user or a password; a key belongs in a file of its own")
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        raise ValueError("has a part behind ? or #, which no engine's URL has")
    scheme = parts.scheme.lower()
    segments = [segment for segment in parts.path.split("/") if segment]
    if any(segment in (".", "..") for segment in segments):
        raise ValueError("has . or .. in its path")
    has_version = bool(segments) and _VERSION.fullmatch(segments[-1]) is not None
    version = segments.pop() if has_version else "v1"
    root = "/".join([f"{scheme}://{parts.netloc.lower()}", *segments])
    return BaseUrl(root, f"{root}/{version}", parts.hostname, port or _SCHEMES[scheme])
