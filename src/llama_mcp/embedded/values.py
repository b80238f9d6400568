"""What a flag's value may look like, and what is said when it does not.

A reader takes the text and returns the value, or raises ValueError with llama-server's own words.
"""

import json
from collections.abc import Callable
from pathlib import Path

Reader = Callable[[str], object]

_TRUE = ("on", "enabled", "true", "1")
_FALSE = ("off", "disabled", "false", "0")
_AUTO = ("auto", "-1")
DEVICES = 128  # llama.cpp has room for this many splits and margins
_INT32 = range(-(2**31), 2**31)


def text(raw: str) -> str:
    """Any text."""
    return raw


def integer(raw: str) -> int:
    """A whole number of 32 bits."""
    try:
        value = int(raw)
    except ValueError:
        raise ValueError("stoi") from None
    if value not in _INT32:
        raise ValueError("stoi")
    return value


def at_least(lowest: int, complaint: str = "invalid value") -> Reader:
    """A whole number that is not below `lowest`."""

    def read(raw: str) -> int:
        value = integer(raw)
        if value < lowest:
            raise ValueError(complaint)
        return value

    return read


def number(raw: str) -> float:
    """A number."""
    try:
        return float(raw)
    except ValueError:
        raise ValueError("stof") from None


def above_zero(raw: str) -> float:
    """A number above zero."""
    value = number(raw)
    if not value > 0:
        raise ValueError("invalid value")
    return value


def slots(raw: str) -> int:
    """A number of slots: -1 means automatic, 0 means a mistake."""
    value = integer(raw)
    if value == 0 or value < -1:
        raise ValueError("error: invalid value for n_parallel")
    return value


def port(raw: str) -> int:
    """A port, 0 for any free one. The original takes 70000 and listens on 4464."""
    value = integer(raw)
    if not 0 <= value <= 65535:
        raise ValueError("invalid value")
    return value


def seconds_until_sleep(raw: str) -> int:
    """Seconds of idleness, -1 for never."""
    value = integer(raw)
    if value == 0 or value < -1:
        raise ValueError("invalid value: cannot be 0 or less than -1")
    return value


def seed(raw: str) -> int:
    """A seed as llama.cpp keeps it: 32 bits without a sign, so that -1 means random."""
    try:
        return int(raw) & 0xFFFFFFFF
    except ValueError:
        raise ValueError("stoul") from None


def layers(raw: str) -> int:
    """A number of layers, 'auto' or 'all', as llama.cpp keeps them: -1 and -2."""
    return {"auto": -1, "all": -2}[raw] if raw in ("auto", "all") else integer(raw)


def one_of(members: dict[str, str], complaint: str = "invalid value") -> Reader:
    """One of the words in `members`, which maps them to what llama.cpp calls them."""

    def read(raw: str) -> str:
        if raw not in members:
            raise ValueError(complaint.format(raw))
        return members[raw]

    return read


def on_off(flag: str) -> Reader:
    """'on' or 'off'."""

    def read(raw: str) -> bool:
        if raw not in _TRUE + _FALSE:
            raise ValueError(f"error: unknown value for {flag}: '{raw}'")
        return raw in _TRUE

    return read


def on_off_auto(flag: str) -> Reader:
    """'on', 'off' or 'auto'; auto is None."""

    def read(raw: str) -> bool | None:
        return None if raw in _AUTO else bool(on_off(flag)(raw))

    return read


def not_coloured(raw: str) -> bool | None:
    """'off' or 'auto': the engine decides about colours by the terminal alone."""
    value = on_off_auto("--log-colors")(raw)
    if value:
        raise ValueError("the embedded engine cannot force colours, only 'off' and 'auto' work")
    return None if value is None else False


def words(raw: str) -> list[str]:
    """A list with commas between its items, one at least."""
    found = [word.strip() for word in raw.split(",") if word.strip()]
    if not found:
        raise ValueError("invalid value")
    return found


def numbers(raw: str) -> list[float]:
    """A list of numbers with commas or slashes between them, one per device at most."""
    values = [number(word) for word in raw.replace("/", ",").split(",")]
    if len(values) > DEVICES:
        raise ValueError(f"got {len(values)} values, but system only has {DEVICES} devices")
    return values


def directory(raw: str) -> str:
    """A directory that exists, with the slash at its end that llama.cpp glues file names to."""
    if not Path(raw).is_dir():
        raise ValueError(f"not a directory: {raw}")
    return raw.rstrip("/") + "/"


def content_of_file(raw: str) -> str:
    """The text of the file named."""
    try:
        return Path(raw).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ValueError(f"error: failed to open file '{raw}'") from None


def keys_in_file(raw: str) -> list[str]:
    """API keys, one a line; a line that starts with # is a comment."""
    lines = content_of_file(raw).splitlines()
    keys = [line for line in lines if line and not line.startswith("#")]
    if not keys:
        raise ValueError("error: no API keys found in file")
    return keys


def json_object(raw: str) -> dict[str, str]:
    """A JSON object, its values encoded again one by one, as llama.cpp keeps them."""
    try:
        value = json.loads(raw)
    except ValueError as error:
        raise ValueError(f"parse error: {error}") from None
    if not isinstance(value, dict):
        raise ValueError("invalid value: not a JSON object")
    return {key: json.dumps(item, ensure_ascii=False) for key, item in value.items()}


def scaled_files(raw: str) -> list[tuple[str, float]]:
    """A list of FILE:SCALE."""
    pairs = []
    for word in words(raw):
        name, colon, scale = word.rpartition(":")
        if not colon:
            raise ValueError("lora-scaled format: FNAME:SCALE")
        pairs.append((name, number(scale)))
    return pairs


def plain_files(raw: str) -> list[tuple[str, float]]:
    """A list of files, each to be applied in full."""
    return [(name, 1.0) for name in words(raw)]


def member_of(prefix: str, *names: str) -> Reader:
    """One of a few words that llama.cpp calls PREFIX_WORD."""
    return one_of({name: f"{prefix}_{name.upper()}" for name in names})


CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")
SPECULATIONS = (
    "none,draft-simple,draft-eagle3,draft-mtp,draft-dflash,draft-dspark,"
    "ngram-simple,ngram-map-k,ngram-map-k4v,ngram-mod,ngram-cache"
)

cache_type = one_of(
    {name: f"GGML_TYPE_{name.upper()}" for name in CACHE_TYPES}, "Unsupported cache type: {}"
)
load_mode = one_of(
    {
        "auto": "LLAMA_LOAD_MODE_AUTO",
        "none": "LLAMA_LOAD_MODE_NONE",
        "mmap": "LLAMA_LOAD_MODE_MMAP",
        "mlock": "LLAMA_LOAD_MODE_MLOCK",
        "mmap+mlock": "LLAMA_LOAD_MODE_MMAP_MLOCK",
        "dio": "LLAMA_LOAD_MODE_DIRECT_IO",
    }
)
reasoning_format = one_of(
    {
        "none": "COMMON_REASONING_FORMAT_NONE",
        "auto": "COMMON_REASONING_FORMAT_AUTO",
        "deepseek": "COMMON_REASONING_FORMAT_DEEPSEEK",
        "deepseek-legacy": "COMMON_REASONING_FORMAT_DEEPSEEK_LEGACY",
    },
    "Unknown reasoning format: {}",
)


def speculations(raw: str) -> list[str]:
    """Kinds of speculative decoding."""
    kinds = words(raw)
    for kind in kinds:
        if kind not in SPECULATIONS.split(","):
            raise ValueError(f"unknown speculative type: {kind}")
    return kinds
