"""What a caller asks for: a repository of the hub, and which of its files.

Names are those of llama.cpp's `-hf` (`user/repo`, `user/repo:quant`), and the addresses that a
browser shows. Nothing that could leave the cache's folder is let through.
"""

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.wording import shortened

HUB_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
MAIN = "main"
MAX_REPO_CHARACTERS = 256
MAX_PATH_CHARACTERS = 500
_MAX_SHOWN = 100

# As llama.cpp has it (common/hf-cache.cpp): one dot or dash at a time, between other characters.
_PART = r"[A-Za-z0-9_]+(?:[.-][A-Za-z0-9_]+)*"
_REPO = re.compile(rf"{_PART}/{_PART}")
_QUANT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
_REVISION = re.compile(r"[A-Za-z0-9_][\w./-]{0,99}", re.ASCII)
# What no file system takes in a name, or takes for something else.
_UNFIT = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]')
_FLAG = re.compile(
    r"^(?:\S*llama-\w+(?:\.exe)?\s+|ollama\s+(?:run|pull)\s+)?(?:(?:-hf|--hf-repo)\s+)?"
)
_PATH = re.compile(r"^(?:[/~.\\]|[A-Za-z]:[\\/])")
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_OTHER_KINDS = frozenset({"datasets", "spaces", "collections", "papers", "docs", "blog"})


@dataclass(frozen=True, slots=True)
class Asked:
    """A model of the hub.

    Attributes:
        repo: `user/repo`.
        quant: which quantization, in any case, or the folder of it; empty for the one that is
            chosen.
        file: the one file that is asked for, by its path in the repository; empty for none.
        revision: branch, tag or commit.
    """

    repo: str
    quant: str = ""
    file: str = ""
    revision: str = MAIN

    @property
    def name(self) -> str:
        """What to call it, and to ask for it again."""
        if self.file:
            return f"{self.repo}/resolve/{self.revision}/{self.file}"
        if self.revision != MAIN:
            return f"{self.repo}/tree/{self.revision}" + (f"/{self.quant}" if self.quant else "")
        return f"{self.repo}:{self.quant}" if self.quant else self.repo


def read_name(text: str, endpoint: str = "") -> Asked:
    """Return what a name or an address means.

    Args:
        text: as the caller gave it.
        endpoint: the address of the hub in use, whose pages are taken as the hub's own are.

    Raises:
        InvalidArgumentError: it is no name of a model of the hub.
    """
    plain = _FLAG.sub("", text.strip().strip("\"'<>`").strip(), count=1)
    if not plain:
        raise _no_name(text, "is empty")
    path, query = _below_the_hub(plain, endpoint)
    if path is None:
        if _SCHEME.match(plain):
            host = _SCHEME.sub("", plain).partition("/")[0].rpartition("@")[2] or "this machine"
            raise _no_name(text, f"is an address of {shortened(host, _MAX_SHOWN)}, which is no hub")
        if _PATH.match(plain):
            raise _no_name(text, "is a path", "A file that is here is passed to model_path.")
        path = plain
    return _checked(text, _from_parts(text, path, query))


def is_fit_path(path: str) -> bool:
    """Tell whether a path in a repository can be one below the cache's folder, and is short."""
    parts = path.split("/")
    return (
        0 < len(path) <= MAX_PATH_CHARACTERS
        and not _UNFIT.search(path)
        and all(0 < len(part.encode()) <= 255 and part.strip(". ") for part in parts)
    )


def _below_the_hub(text: str, endpoint: str) -> tuple[str | None, dict[str, list[str]]]:
    """Return the path and the query of an address of the hub; None for the path of another."""
    address = text if _SCHEME.match(text) else f"https://{text}"
    try:
        url, own = urlsplit(address), urlsplit(endpoint)
        is_own = bool(endpoint) and url.netloc.lower() == own.netloc.lower()
        if url.scheme != "hf" and not is_own and (url.hostname or "") not in HUB_HOSTS:
            return None, {}
    except ValueError:
        return None, {}
    path = f"{url.netloc}{url.path}" if url.scheme == "hf" else url.path
    base = own.path.strip("/") if is_own else ""
    return path.strip("/").removeprefix(base).strip("/"), parse_qs(url.query)


def _from_parts(text: str, path: str, query: dict[str, list[str]]) -> Asked:
    parts = [unquote(part) for part in path.rstrip("/").split("/")]
    if parts[0].lower() in _OTHER_KINDS:
        raise _no_name(text, f"is of the hub's {parts[0]}, not of its models")
    if len(parts) < 2:
        raise _no_name(text, "has no `/`", "Ollama's short names are not the hub's.")
    name, colon, quant = parts[1].partition(":")
    repo, rest = f"{parts[0]}/{name}", parts[2:]
    shown = query.get("show_file_info", [""])[0]
    if rest and rest[0] in ("resolve", "blob", "raw", "tree"):
        if len(rest) < 2:
            raise _no_name(text, f"ends after {rest[0]}")
        if rest[0] == "tree" and not shown:
            # A folder of the repository, which has the files of one quant.
            return Asked(repo, rest[-1] if rest[2:] else "", revision=rest[1])
        return Asked(
            repo, file="/".join(rest[2:]) if rest[0] != "tree" else shown, revision=rest[1]
        )
    if colon and (not quant or rest):
        raise _no_name(text, "has a `:` without a quant behind it")
    return Asked(repo, quant, "/".join(rest) or shown)


def _checked(text: str, asked: Asked) -> Asked:
    if len(asked.repo) > MAX_REPO_CHARACTERS or not _REPO.fullmatch(asked.repo):
        raise _no_name(text, "names no repository that the hub could have")
    if asked.quant and not _QUANT.fullmatch(asked.quant):
        raise _no_name(text, "has something behind the `:`, or a folder, that is no quant")
    if not _REVISION.fullmatch(asked.revision) or ".." in asked.revision:
        raise _no_name(text, "has a revision that the hub could not have")
    if asked.file and not is_fit_path(asked.file):
        raise _no_name(text, "names a file that the hub could not have")
    if asked.file and not asked.file.lower().endswith(".gguf"):
        raise _no_name(text, "names a file that is no GGUF", "llama.cpp reads .gguf files only.")
    return asked


def _no_name(text: str, problem: str, advice: str = "") -> InvalidArgumentError:
    shown = shortened(text.strip(), _MAX_SHOWN)
    takes = (
        "It takes `user/repo` or `user/repo:quant` of huggingface.co, or a page's address there."
    )
    return InvalidArgumentError(
        "model", f"{problem}: {shown!r}" if shown else problem, f"{advice} {takes}".strip()
    )
