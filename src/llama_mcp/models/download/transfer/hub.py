"""HTTP to the hub: what a repository holds, and the bytes of a file. Nothing else asks the world.

Python's own client: it reads a file of gigabytes into a buffer for a third of the processor time
that httpx2 takes, and the program that downloads is small without that. Proxies are those of the
environment or the system.

The token goes to the hub alone: never to another address that the hub redirects to, and never over
plain HTTP to another machine. An operator's own mirror on plain HTTP works, without it.
"""

import http.client
import json
import re
import ssl
import string
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from llama_mcp.models.download.asked import Asked, is_fit_path
from llama_mcp.models.download.errors import CutOffError, DownloadFailedError
from llama_mcp.models.download.transfer import refusals
from llama_mcp.models.download.transfer.choice import HubFile

# How long the hub may be silent, in the midst of a file too.
SILENCE_SECONDS = 30.0
MAX_REDIRECTS = 10
# The answer about a repository of a thousand files has a megabyte.
MAX_ANSWER_BYTES = 64 * 2**20
_REDIRECTS = (301, 302, 303, 307, 308)
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# What a connection raises that ends or says nonsense.
BROKEN = (OSError, http.client.HTTPException)


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository at one commit; `name` is what the hub calls it, which may be a new name."""

    name: str
    commit: str
    files: tuple[HubFile, ...]


class Hub:
    """The hub at an address."""

    def __init__(self, endpoint: str, token: str | None) -> None:
        """Take where it is, and the token that is sent to it, if there is one."""
        self._endpoint = endpoint.rstrip("/")
        self._token = token if token and is_private_way(self._endpoint) else None
        self.withheld_token = bool(token) and self._token is None
        self._opener = _opener()

    def repository(self, asked: Asked) -> Repository:
        """Ask what a repository holds.

        Raises:
            DownloadFailedError: it is not there, not open to us, or makes no sense.
            BusyHubError: the hub asks for patience.
            CutOffError: it was not reached, or the answer broke off.
        """
        path = f"api/models/{asked.repo}/revision/{quote(asked.revision, safe='')}?blobs=true"
        with self._get(f"{self._endpoint}/{path}", asked, {}) as answer:
            body = _body(answer)
        try:
            return _repository(json.loads(body), asked)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise DownloadFailedError(
                f"{self._endpoint} answered something that is no description of a repository of "
                f"the hub ({body[:80]!r}). The operator can check HF_ENDPOINT, and whether a proxy "
                "or a login page answers instead."
            ) from error

    @contextmanager
    def file(
        self, repository: Repository, asked: Asked, file: HubFile, first_byte: int
    ) -> Iterator[tuple[Callable[[memoryview], int], int]]:
        """Ask for a file from a byte on; give what reads into a buffer, and where that begins.

        It begins at 0 where the hub does not send a part. Raises as `repository` does.
        """
        address = f"{repository.name}/resolve/{repository.commit}/{quote(file.path)}"
        headers = {"Range": f"bytes={first_byte}-"} if first_byte else {}
        with self._get(f"{self._endpoint}/{address}", asked, headers) as answer:
            begins_at = first_byte if answer.status == HTTPStatus.PARTIAL_CONTENT else 0
            told = _told_start(answer)
            if begins_at and told is not None and told != first_byte:
                raise CutOffError(f"the hub sent {file.path} from byte {told}, not {first_byte}")
            yield partial(_read_into, answer), begins_at

    @contextmanager
    def _get(
        self, url: str, asked: Asked, headers: Mapping[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        """Get what is at an address, redirects followed; raise for what is no success."""
        for _ in range(MAX_REDIRECTS):
            answer = self._ask(url, headers)
            with answer:
                if answer.status in _REDIRECTS and (target := answer.headers.get("Location")):
                    url = self._redirected(url, target)
                    continue
                if answer.status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
                    raise refusals.refusal(
                        answer.status,
                        answer.headers,
                        asked,
                        self._endpoint,
                        token=refusals.Token(self._token is not None, self.withheld_token),
                    )
                yield answer
                return
        raise DownloadFailedError(
            f"{self._endpoint} redirects again and again for {asked.name}. Try again later."
        )

    def _ask(self, url: str, headers: Mapping[str, str]) -> http.client.HTTPResponse:
        sent = {"User-Agent": "llama-mcp", "Accept-Encoding": "identity", **headers}
        if self._token and _origin(url) == _origin(self._endpoint):
            sent["Authorization"] = f"Bearer {self._token}"
        request = urllib.request.Request(url, headers=sent)
        try:
            answer = self._opener.open(request, timeout=SILENCE_SECONDS)
        except BROKEN as error:
            raise _not_reached(url, error) from error
        assert isinstance(answer, http.client.HTTPResponse)
        return answer

    def _redirected(self, url: str, target: str) -> str:
        # As other clients take it: with spaces and letters that no address may have as they are.
        new = quote(urljoin(url, target), safe=string.punctuation, encoding="iso-8859-1")
        scheme = urlsplit(new).scheme
        if scheme not in ("http", "https") or (url.startswith("https:") and scheme == "http"):
            raise DownloadFailedError(
                f"{self._endpoint} redirects to {scheme}://{urlsplit(new).netloc}, which is not "
                "protected as the hub itself is. Nothing was fetched from there."
            )
        return new


def is_private_way(url: str) -> bool:
    """Tell whether nobody on the way can read what is sent to an address."""
    parts = urlsplit(url)
    return parts.scheme == "https" or _is_this_machine(parts.hostname or "")


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _origin(url: str) -> tuple[str, str, int | None]:
    parts: SplitResult = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or default


def _opener() -> urllib.request.OpenerDirector:
    """Return what asks by HTTP and nothing else, and gives back every answer as it is."""
    opener = urllib.request.OpenerDirector()
    opener.add_handler(urllib.request.ProxyHandler())
    opener.add_handler(urllib.request.HTTPHandler())
    opener.add_handler(urllib.request.HTTPSHandler(context=_tls_context()))
    return opener


def _tls_context() -> ssl.SSLContext:
    """Return what checks certificates as the system does."""
    try:
        import truststore  # comes with httpx2
    except ImportError:
        return ssl.create_default_context()
    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _read_into(answer: http.client.HTTPResponse, buffer: memoryview) -> int:
    """Fill a buffer and return how many bytes came; fewer at the end, or where it broke off."""
    try:
        return answer.readinto(buffer)
    except BROKEN as error:
        raise CutOffError(f"the connection broke off ({_reason(error)})") from error


def _body(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.read(MAX_ANSWER_BYTES)
    except BROKEN as error:
        raise CutOffError(f"the connection broke off ({_reason(error)})") from error


def _not_reached(url: str, error: Exception) -> Exception:
    reason = getattr(error, "reason", error)
    host = urlsplit(url).netloc
    if isinstance(reason, ssl.SSLCertVerificationError):
        return DownloadFailedError(
            f"The certificate of {host} is not trusted ({reason.verify_message}). Where a "
            "company's proxy looks into connections, its certificate has to be installed in the "
            "system, or named by SSL_CERT_FILE."
        )
    return CutOffError(f"{host} was not reached ({_reason(reason)})")


def _reason(error: object) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).rstrip(".")


def _told_start(answer: http.client.HTTPResponse) -> int | None:
    """Return the byte that a part begins with, as its Content-Range says."""
    found = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _repository(told: Any, asked: Asked) -> Repository:
    commit, name = told["sha"], str(told.get("id") or asked.repo)
    if not _COMMIT.fullmatch(commit):
        raise ValueError(commit)
    # What the hub says becomes a path here: it is checked as what a caller says is.
    is_name = re.fullmatch(r"[\w.-]+/[\w.-]+", name, re.ASCII) and ".." not in name
    files = tuple(filter(None, map(_file, told["siblings"])))
    return Repository(name if is_name else asked.repo, commit, files)


def _file(told: Any) -> HubFile | None:
    """Return a file of the hub's list; None for one that cannot be kept or checked."""
    path, lfs = str(told["rfilename"]), told.get("lfs") or {}
    oid = str(lfs.get("sha256") or lfs.get("oid") or told.get("blobId") or "")
    size = lfs.get("size", told.get("size"))
    pattern = _SHA256 if lfs else _COMMIT
    is_sound = pattern.fullmatch(oid) and isinstance(size, int) and size >= 0 and is_fit_path(path)
    return HubFile(path, size, oid, is_lfs=bool(lfs)) if is_sound else None
