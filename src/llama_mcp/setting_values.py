"""What the text of a setting means: paths made whole, words in any case, lists taken apart.

Every function takes a text that is not empty and raises ValueError for one that means nothing. `~`
and relative paths are resolved here, once: later the working folder may be gone, and the keeper
works in another one.
"""

import os
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

from llama_mcp.copied_text import plain_text
from llama_mcp.setting_texts import (
    ON_WINDOWS,
    is_address,
    plain_path,
    split_command_line,
    split_folders,
)

EMBEDDED = "embedded"
NONE = "none"
# The programs whose folders are looked at for models.
ModelPlace = Literal["huggingface", "llama.cpp", "lm-studio", "ollama", "jan", "gpt4all"]
MODEL_PLACES: tuple[ModelPlace, ...] = get_args(ModelPlace)
# llama-server would be configured behind our back by any of them (llama.cpp: common/arg.cpp).
NEVER_PASSED = "LLAMA_"

_PATH_BEGINNINGS = ("~", ".", "$", "file:")
_FILE_ENDING = ".gguf"

_LEVELS = {
    "TRACE": "DEBUG",
    "VERBOSE": "DEBUG",
    "NOTICE": "INFO",
    "WARN": "WARNING",
} | dict.fromkeys(("ERR", "CRITICAL", "FATAL", "ALERT", "EMERGENCY"), "ERROR")
# As llama-server's own --n-gpu-layers takes them.
_LAYERS = {"all": "-1", "auto": None}


@dataclass(frozen=True, slots=True)
class FromText:
    """Marks a setting's type with what its text means."""

    parse: Callable[[str], object]


def as_word(text: str) -> str:
    """Return a word in small letters."""
    return plain_text(text).lower()


def as_text(text: str) -> str:
    """Return a name without what copying leaves around it; it fits on a line."""
    plain = plain_text(text)
    if not plain.isprintable():
        raise ValueError("it takes visible characters on one line")
    return plain


def as_level(text: str) -> str:
    """Return the name of a level of ours, whatever the case or the program whose word it is."""
    word = plain_text(text).upper()
    return _LEVELS.get(word, word)


def as_layers(text: str) -> str | None:
    """Return a number of layers; None for `auto`."""
    word = plain_text(text).lower()
    return _LAYERS.get(word, word)


def as_folder(text: str, beside: Path | None = None) -> Path:
    """Return the absolute path, `~` expanded; nothing needs to be there.

    A relative one begins at a folder, the working folder if none is given.
    """
    path = plain_path(text, windows=ON_WINDOWS)
    _refuse_control_characters(path)
    try:
        whole = Path(path).expanduser()
        return whole.absolute() if beside is None else beside / whole
    except RuntimeError as error:  # an unknown user after `~`, or nobody's own folder is known
        raise ValueError(str(error).rstrip(".")) from error
    except OSError as error:
        raise ValueError("it is relative, and the working folder is gone") from error


def as_model(text: str) -> str:
    """Return the absolute path of a file; what else may name a model stays, to be looked for.

    A name has its place in it (`publisher/repo/file`), as a relative path has: the latter is there,
    or ends as a file does. An address stays, for whoever needs a model to tell it for what it is.
    """
    plain = plain_text(text)
    if is_address(plain):
        return plain
    path = as_file(text)
    return path if is_model_path(plain) or os.path.exists(path) else plain


def is_model_path(plain: str) -> bool:
    """Tell whether a text can only be a path, and no name of a model, whatever is there."""
    low = plain.lower()
    is_path = low.startswith(_PATH_BEGINNINGS) or low.endswith(_FILE_ENDING)
    return is_path or Path(plain).is_absolute()


def as_file(text: str, beside: Path | None = None) -> str:
    """Return the absolute path of a file; its name alone stays, to be looked for in folders."""
    path = plain_path(text, windows=ON_WINDOWS)
    is_name = path not in ("~", ".", "..") and Path(path).name == path
    _refuse_control_characters(path)
    return path if is_name else str(as_folder(text, beside))


def as_engine(text: str, beside: Path | None = None) -> str:
    """Return the path of llama.cpp, or the word for the embedded engine."""
    return EMBEDDED if as_word(text) == EMBEDDED else as_file(text, beside)


def as_url(text: str) -> str:
    """Return the address of an engine without a slash, or the `/v1` of its API, at the end."""
    plain = plain_text(text)
    takes = "it takes an address that begins with http:// or https://"
    try:
        parts = urlsplit(plain)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError as error:  # a port that is no number, or brackets that are never closed
        raise ValueError(takes) from error
    if not is_whole or not plain.isprintable() or " " in plain or "\\" in plain:
        raise ValueError(takes)
    if "@" in parts.netloc:
        raise ValueError("it takes no user or password: the key stands in a file of its own")
    if parts.query or parts.fragment or plain.endswith(("?", "#")):
        raise ValueError("it takes no ? and no #")
    return plain.rstrip("/").removesuffix("/v1").rstrip("/")


def as_key_file(text: str, beside: Path | None = None) -> Path:
    """Return the absolute path of a file with a key; nothing needs to be there.

    A word that names no file beside is taken for the key itself, which no variable should hold.
    """
    path = plain_path(text, windows=ON_WINDOWS)
    whole = as_folder(text, beside)
    is_word = Path(path).name == path and not path.startswith(_PATH_BEGINNINGS)
    if is_word and not Path(path).suffix and not os.path.exists(whole):
        raise ValueError("it takes the path of a file that holds the key, not the key itself")
    return whole


def as_folders(text: str) -> tuple[Path, ...]:
    """Return the folders of a list that is written as in PATH."""
    return tuple(map(as_folder, split_folders(text, windows=ON_WINDOWS)))


def as_folders_or_none(text: str) -> tuple[Path, ...]:
    """Return the folders of a list that is written as in PATH; none for `none`."""
    return () if as_word(text) == NONE else as_folders(text)


def as_patterns(text: str) -> tuple[str, ...]:
    """Return patterns of names, with `/` between parts; `none` stands for none."""
    patterns = as_list(text)
    if as_word(text) == NONE:
        return ()
    for pattern in patterns:
        _refuse_control_characters(pattern)
    if not patterns:
        raise ValueError("it takes names or patterns with commas between them, default, or none")
    return tuple(pattern.replace("\\", "/") for pattern in patterns)


def as_command_line(text: str) -> tuple[str, ...]:
    """Return flags and values; quotes around the whole, left from copying, are taken away."""
    plain = plain_text(text)
    return split_command_line(plain if plain.startswith("-") else text, windows=ON_WINDOWS)


def as_list(text: str) -> tuple[str, ...]:
    """Return the parts between commas."""
    return tuple(filter(None, map(plain_text, plain_text(text).split(","))))


def as_places(text: str) -> tuple[str, ...]:
    """Return the names of programs in a list, however they are spelled; `all` and `none` too."""
    known = {_letters(place): place for place in MODEL_PLACES}
    named = [_letters(word) for word in as_list(text)]
    if named in (["all"], ["none"]):
        return MODEL_PLACES if named == ["all"] else ()
    if not named or not known.keys() >= set(named):
        raise ValueError(
            f"it takes all, none, or some of {', '.join(MODEL_PLACES)}, with commas between them"
        )
    return tuple(dict.fromkeys(known[word] for word in named))


def _letters(word: str) -> str:
    return "".join(filter(str.isalnum, word.lower()))


def as_variables(text: str) -> tuple[str, ...]:
    """Return names of environment variables, or their beginnings with a `*` behind."""
    names = as_list(text)
    for name in names:
        if name.upper().startswith(NEVER_PASSED):
            raise ValueError(
                f"{name} is not passed on, because variables that begin with {NEVER_PASSED} would "
                "change llama-server's settings unseen; use LLAMA_MCP_EXTRA_ARGS"
            )
        if "=" in name or "*" in name[:-1] or any(character.isspace() for character in name):
            raise ValueError(
                f"{name!r} is no name of a variable: it takes names with commas between them, and "
                "`NAME*` for all that begin so; their values come from llama-mcp's own environment"
            )
    return names


def _refuse_control_characters(path: str) -> None:
    for character in path:
        if unicodedata.category(character) == "Cc":
            raise ValueError(f"it holds the control character {character!r}")
