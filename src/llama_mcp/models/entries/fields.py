"""What each field of an entry takes, and what its value means."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from llama_mcp.copied_text import plain_text
from llama_mcp.models.entries.entry import can_be_name
from llama_mcp.ranges import (
    CtxSize,
    GpuLayers,
    IdleSeconds,
    Parallel,
    Port,
    number_in_words,
)
from llama_mcp.setting_texts import is_address
from llama_mcp.setting_values import (
    EMBEDDED,
    as_command_line,
    as_engine,
    as_file,
    as_key_file,
    as_layers,
    as_list,
    as_text,
    as_url,
    is_model_path,
)

MAX_NAME_CHARACTERS = 64
# What stands for every model where one can be named.
EVERY_MODEL = "all"

# Names that alone are looked for on PATH.
_PROGRAMS = ("llama-server", "llama-server.exe")

_ADDRESS = re.compile(r"[^\s,]+:\d{1,5}")
# Takes a value and the folder of the file; raises ValueError with what the field takes.
Field = Callable[[Any, Path], object]


def _name(value: Any, _folder: Path) -> str:
    takes = f"it takes a text of 1 to {MAX_NAME_CHARACTERS} visible characters"
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME_CHARACTERS:
        raise ValueError(takes)
    if not value.isprintable() or value != plain_text(value):
        raise ValueError(f"{takes}, without blanks or quotes around it")
    if "," in value:
        raise ValueError("it takes no comma, at which llama-server would part it")
    if value.casefold() == EVERY_MODEL:
        raise ValueError("that word stands for every model")
    if not can_be_name(value):
        raise ValueError("it would be taken for a path")
    return value


def _model(value: Any, folder: Path) -> str:
    text = _text(value, "it takes the path of a GGUF file, or the name of a model")
    plain = plain_text(text)
    if is_address(plain):  # whoever needs the model tells it for what it is
        return plain
    path = as_file(text, folder)
    return path if is_model_path(plain) else plain


def _engine(value: Any, folder: Path) -> str:
    path = as_engine(_text(value, "it takes the path of llama.cpp, or `embedded`"), folder)
    is_looked_for = path in (EMBEDDED, *_PROGRAMS) or Path(path).is_absolute()
    return path if is_looked_for else str(folder / path)


def _url(value: Any, _folder: Path) -> str:
    return as_url(_text(value, "it takes an address that begins with http:// or https://"))


def _key_file(value: Any, folder: Path) -> Path:
    return as_key_file(_text(value, "it takes the path of a file that holds the key"), folder)


def _url_model(value: Any, _folder: Path) -> str:
    return as_text(_text(value, "it takes the engine's name of a model"))


def _text(value: Any, takes: str) -> str:
    if not isinstance(value, str) or not plain_text(value):
        raise ValueError(takes)
    return value


def _layers(value: Any, _folder: Path) -> int | None:
    takes = f'{_in_words(GpuLayers)}, "all" or "auto"'
    if isinstance(value, str):
        meant = as_layers(value)
        if meant == plain_text(value).lower():  # neither of the words
            raise ValueError(takes)
        return None if meant is None else int(meant)
    layers: int = _checked(GpuLayers, value, takes)
    return layers


def _extra_args(value: Any, _folder: Path) -> tuple[str, ...]:
    if isinstance(value, str):
        return as_command_line(value)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError("it takes a list of texts, or one text written as on a command line")
    return tuple(value)


def _addresses(value: Any, _folder: Path) -> tuple[str, ...]:
    given = value if isinstance(value, list) else as_list(value) if isinstance(value, str) else None
    if given is None or not all(
        isinstance(each, str) and _ADDRESS.fullmatch(each) for each in given
    ):
        raise ValueError('it takes a list of texts such as "10.0.0.2:50052"; [] for none')
    return tuple(given)


def _switch(value: Any, _folder: Path) -> bool:
    if not isinstance(value, bool):
        raise ValueError("it takes true or false")
    return value


def _number_in(range_: Any) -> Field:
    return lambda value, _folder: _checked(range_, value, _in_words(range_))


def _in_words(range_: Any) -> str:
    return number_in_words(TypeAdapter(range_).json_schema())


def _checked(range_: Any, value: Any, takes: str) -> Any:
    try:
        return TypeAdapter(range_).validate_python(value, strict=True)
    except ValidationError as error:
        raise ValueError(takes) from error


# Of a model that llama-mcp starts.
OF_OUR_OWN: Mapping[str, Field] = {
    "name": _name,
    "model_path": _model,
    "llama_cpp_path": _engine,
    "port": _number_in(Port),
    "ctx_size": _number_in(CtxSize),
    "parallel": _number_in(Parallel),
    "n_gpu_layers": _layers,
    "extra_args": _extra_args,
    "idle_seconds": _number_in(IdleSeconds),
    "keep": _switch,
    "rpc_servers": _addresses,
}
# Of one whose engine somebody else runs.
OF_OTHERS: Mapping[str, Field] = {
    "name": _name,
    "url": _url,
    "key_file": _key_file,
    "url_model": _url_model,
    "ctx_size": _number_in(CtxSize),
    "parallel": _number_in(Parallel),
}
FIELDS: Mapping[str, Field] = {**OF_OUR_OWN, **OF_OTHERS}
# What may hold a secret where something else belongs.
UNSHOWN = frozenset({"url", "key_file"})
