"""Which starts can go on from the same saved prompt caches; pure.

llama-server takes a file of other weights of the same shape, of another rope base or without its
adapter, and goes on in a wrong state (tried on b11434). So everything that changes what a token
makes of a model is in the name of the folder.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

# Raised when the files or the key change their meaning: the old ones are then never looked at.
KEY_FORMAT = 1
_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Sample:
    """What a file is known by: its size, when it changed, and a digest of parts of it."""

    size: int
    mtime_ns: int
    digest: str


@dataclass(frozen=True, slots=True)
class KeyParts:
    """Everything that the key rests on.

    Port, names and threads are not among it: they change nothing that is saved. The window does of
    few models only; else it is looked at before a file is used.

    Attributes:
        model: The model's files, in order.
        engine: llama-server's program and its libraries, in order.
        version: What it says of itself.
        window: Tokens of a slot, where they change what a model reads; else None.
        parallel: How many slots it has; a file of another number is refused.
        arguments: What the model brings along, then the caller's own flags.
        named: The files that these name, in order.
        variables: The environment's that llama.cpp reads as flags.
    """

    model: Sequence[Sample]
    engine: Sequence[Sample]
    version: str
    window: int | None
    parallel: int
    arguments: Sequence[str]
    named: Sequence[Sample]
    variables: Mapping[str, str]


def key_of(parts: KeyParts) -> str:
    """Return the name of the folder of what such a start saves."""
    content = json.dumps({"format": KEY_FORMAT, **asdict(parts)}, sort_keys=True)
    return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()[:_LENGTH]
