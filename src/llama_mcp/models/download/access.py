"""Where the hub is, where its cache is on this machine, and who is asking.

By the variables that the hub's own library (huggingface_hub: constants.py) and llama.cpp read, so
that all programs share one cache.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from llama_mcp.home_folders import home_of_user
from llama_mcp.models.download.errors import DownloadFailedError
from llama_mcp.models.places.huggingface import cache_folders
from llama_mcp.models.places.surroundings import Surroundings, below

PUBLIC_HUB = "https://huggingface.co"
_YES = frozenset({"1", "ON", "YES", "TRUE"})
# More is no token, and what is no visible ASCII could not be sent in a header.
_MAX_TOKEN_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class HubAccess:
    """What a download is given of its surroundings; the token is never shown."""

    endpoint: str
    cache: Path
    is_offline: bool
    token: str | None = field(default=None, repr=False)


def read_access(environment: Mapping[str, str]) -> HubAccess:
    """Return what the environment says of the hub; the token's file is read.

    Raises:
        DownloadFailedError: the address of the hub is none, or there is no place for its cache.
    """
    surroundings = Surroundings(sys.platform, environment, _home(environment))
    folders = cache_folders(surroundings)
    if not folders:
        raise DownloadFailedError(
            "There is no folder for downloads, because the user of llama-mcp has no home folder. "
            "The operator can name one in HF_HUB_CACHE."
        )
    return HubAccess(
        endpoint=_endpoint(environment),
        cache=folders[0],
        is_offline=_is_yes(environment, "HF_HUB_OFFLINE"),
        token=_token(environment, surroundings),
    )


def _home(environment: Mapping[str, str]) -> Path | None:
    text = environment.get("HOME") or environment.get("USERPROFILE")
    return Path(text) if text else home_of_user()


def _endpoint(environment: Mapping[str, str]) -> str:
    name = next(
        (name for name in ("MODEL_ENDPOINT", "HF_ENDPOINT") if environment.get(name, "").strip()),
        None,
    )
    if name is None:
        return PUBLIC_HUB
    address = environment[name].strip().rstrip("/")
    try:
        parts = urlsplit(address)
        is_plain = address.isascii() and address.isprintable() and " " not in address
        # Errors name the address; a password would be in them.
        is_host = bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
        is_address = parts.scheme in ("http", "https") and is_plain and is_host
    except ValueError:
        is_address = False
    if not is_address:
        raise DownloadFailedError(
            f"{name}, which the operator has set, is no address of a hub: it begins with https:// "
            "or http:// and has neither spaces nor a password (HF_TOKEN is for that). Only the "
            "operator can set it right; unset, the public hub is used."
        )
    return address


def _is_yes(environment: Mapping[str, str], name: str) -> bool:
    return environment.get(name, "").strip().upper() in _YES


def _token(environment: Mapping[str, str], surroundings: Surroundings) -> str | None:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        if text := environment.get(name, "").strip():
            return _sound(text)
    if _is_yes(environment, "HF_HUB_DISABLE_IMPLICIT_TOKEN"):
        return None
    own = below(surroundings.variable("HF_HOME"), "token")
    shared = below(surroundings.cache(), "huggingface", "token")
    named = below(surroundings.variable("HF_TOKEN_PATH"))
    try:
        with next(iter([*named, *own, *shared])).open(encoding="ascii") as opened:
            return _sound(opened.read(_MAX_TOKEN_CHARACTERS + 1).strip())
    except (OSError, ValueError, StopIteration):
        return None


def _sound(text: str) -> str | None:
    fits = text.isascii() and text.isprintable() and " " not in text
    return text if text and fits and len(text) <= _MAX_TOKEN_CHARACTERS else None
