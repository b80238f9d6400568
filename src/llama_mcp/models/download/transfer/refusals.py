"""What the hub means by a status that is no success, in words, and whether to ask again."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime

from llama_mcp.models.download.asked import Asked
from llama_mcp.models.download.errors import (
    BusyHubError,
    DownloadFailedError,
    WrongContentError,
)
from llama_mcp.visible_text import visible_line
from llama_mcp.wording import shortened

_MAX_SHOWN = 300
# `RateLimit: "api";r=0;t=123`: t is the time until there is room again.
_RATE_LIMIT_SECONDS = re.compile(r";\s*t=(\d+)")
_SET_TOKEN = (
    "put a token (made at {endpoint}/settings/tokens) into HF_TOKEN in the environment of "
    "llama-mcp, or into the file that `hf auth login` writes"
)


@dataclass(frozen=True, slots=True)
class Token:
    """Whether a token was sent, or kept back because others could have read it on the way."""

    was_sent: bool
    was_withheld: bool


def refusal(status: int, headers: Message, asked: Asked, endpoint: str, token: Token) -> Exception:
    """Return the failure for an answer: one to try again after, or the end of the download."""
    code, said = headers.get("X-Error-Code", ""), headers.get("X-Error-Message", "")
    if status == 429:
        return BusyHubError(
            f"{endpoint} lets this address fetch no more for now (429, too many requests)",
            _asked_patience(headers),
        )
    if status >= 500 or status == 408:
        return BusyHubError(f"{endpoint} is out of order (status {status})")
    if status == 416:
        return WrongContentError("the hub has fewer bytes of it than it says")
    if code == "GatedRepo" or (status == 403 and "gated" in said.lower()):
        text = _gated(asked, endpoint, said, token)
    elif "credentials" in said.lower() or "token" in said.lower():
        text = (
            f"{endpoint} does not take the token that llama-mcp has (from HF_TOKEN, HF_TOKEN_PATH "
            f"or `hf auth login`): {_quoted(said)}. Ask the user to set a valid one, or to remove "
            "it: a public model needs none."
        )
    elif code == "RevisionNotFound":
        text = f"{asked.repo} has no revision {asked.revision}. Leave it out for the newest."
    elif code == "EntryNotFound":
        text = (
            f"{endpoint} lists a file of {asked.repo} that it does not give. Call again; if it "
            "stays so, look at the page of the repository."
        )
    elif status in (401, 403, 404):
        text = _absent(asked, endpoint, token)
    else:
        text = (
            f"{endpoint} refused {asked.name} with status {status}"
            f"{f': {_quoted(said)}' if said else ''}. Look at its page: {endpoint}/{asked.repo}."
        )
    return DownloadFailedError(text)


def _gated(asked: Asked, endpoint: str, said: str, token: Token) -> str:
    page = f"{endpoint}/{asked.repo}"
    start = f"{asked.repo} is gated: its authors give it only to who has accepted their terms. "
    if token.was_withheld:
        return start + (
            f"A token is set, but it was not sent, because {endpoint} is plain HTTP and others "
            "could read it. The operator can use an address that begins with https."
        )
    if token.was_sent:
        return start + (
            f"The account of the token that llama-mcp has is not among them ({_quoted(said)}). Ask "
            f"the user to accept the terms at {page} with that account, and call again once access "
            "is granted; a fine-grained token also needs the right to read gated repositories."
        )
    return start + (
        f"Ask the user to log in and accept the terms at {page}, then to "
        f"{_SET_TOKEN.format(endpoint=endpoint)}. Then call again."
    )


def _absent(asked: Asked, endpoint: str, token: Token) -> str:
    start = (
        f"{endpoint} knows no {asked.repo}, or it is private: the hub answers the same to who may "
        "not see it. "
    )
    if token.was_sent:
        return start + (
            "The token that llama-mcp has does not open it. Check the spelling; for a private one "
            "the user needs a token of an account that may read it."
        )
    if token.was_withheld:
        return start + f"No token was sent, because {endpoint} is plain HTTP. Check the spelling."
    return start + (
        "Check the spelling (`user/repo`, as in the address of its page); for a private one, ask "
        f"the user to {_SET_TOKEN.format(endpoint=endpoint)}."
    )


def _asked_patience(headers: Message) -> float | None:
    """Return how many seconds the hub asks for."""
    text = headers.get("Retry-After", "").strip()
    found = re.fullmatch(r"(\d{1,9})", text)
    found = found or _RATE_LIMIT_SECONDS.search(headers.get("RateLimit", ""))
    if found:
        return float(found[1])
    try:
        until = parsedate_to_datetime(text)
        return max(0.0, (until - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):  # no date, or one without a zone
        return None


def _quoted(said: str) -> str:
    return f'"{shortened(visible_line(said), _MAX_SHOWN)}"' if said else "it does not say why"
