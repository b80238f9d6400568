"""What a header describes, by the names and types that llama.cpp gives its keys.

A key that has another type than it must have is an error, as it is for llama.cpp; one that is
missing is not.
"""

from dataclasses import dataclass
from math import isfinite

from llama_mcp.models.gguf.header import Header, LongArray, Value, named
from llama_mcp.models.gguf.pieces import BrokenHeaderError, shown

# LLAMA_MAX_LAYERS
_MOST_LAYERS = 512


@dataclass(frozen=True, slots=True)
class Described:
    """The keys of a header, with their types proved.

    A key that begins with a dot belongs to the architecture: `.block_count` is
    `llama.block_count`.
    """

    header: Header

    @property
    def architecture(self) -> str:
        """llama.cpp's name of what the model is; empty where the header does not say."""
        return self.text("general.architecture") or ""

    def value(self, key: str) -> Value | None:
        """Return what a key has, of whatever type."""
        return self.header.keys.get(self._whole(key))

    def text(self, key: str) -> str | None:
        """Return a text."""
        value = self.value(key)
        if value is None or isinstance(value, str):
            return value
        raise self._wrong(key, value, "a text")

    def texts(self, key: str) -> list[str]:
        """Return the texts of a short array; none of one that is long."""
        value = self.value(key)
        if value is None or isinstance(value, LongArray):
            return []
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return [item for item in value if isinstance(item, str)]
        raise self._wrong(key, value, "an array of texts")

    def number(self, key: str) -> int | None:
        """Return a whole number that is not negative."""
        value = self.value(key)
        return None if value is None else self._whole_number(key, value)

    def flag(self, key: str) -> bool | None:
        """Return whether something is so."""
        value = self.value(key)
        if value is None or isinstance(value, bool):
            return value
        raise self._wrong(key, value, "true or false")

    def length(self, key: str) -> int:
        """Return how long an array is; 0 where it is missing."""
        value = self.value(key)
        if value is None:
            return 0
        if isinstance(value, LongArray):
            return value.length
        if isinstance(value, list):
            return len(value)
        raise self._wrong(key, value, "an array")

    def each_layer(self, key: str) -> tuple[int, ...] | None:
        """Return a whole number for each layer, of a key that has one for all or one for each."""
        value = self.value(key)
        if value is None:
            return None
        if isinstance(value, LongArray):
            raise BrokenHeaderError(self._too_long(key, value.length))
        if not isinstance(value, list):
            return (self._whole_number(key, value),) * self.layers
        if len(value) != self.layers:
            raise BrokenHeaderError(self._too_long(key, len(value)))
        return tuple(self._whole_number(key, item) for item in value)

    def each_flag(self, key: str) -> tuple[bool, ...]:
        """Return whether something is so for each layer; where an array is short, it is not."""
        value = self.value(key)
        said = value if isinstance(value, list) else []
        flags = [bool(self._whole_number(key, item)) for item in said[: self.layers]]
        return (*flags, *(False,) * (self.layers - len(flags)))

    @property
    def layers(self) -> int:
        """How many layers there are; 0 where the header does not say."""
        layers = self.number(".block_count") or 0
        if layers > _MOST_LAYERS:
            raise BrokenHeaderError(
                f"it says that it has {layers} layers, and llama.cpp reads up to {_MOST_LAYERS}"
            )
        return layers

    def numbers_below(self, beginning: str) -> dict[str, float]:
        """Return all numbers of keys with a beginning, by what follows it."""
        found: dict[str, float] = {}
        for key, value in self.header.keys.items():
            if not key.startswith(beginning) or isinstance(value, bool):
                continue
            if isinstance(value, int | float) and isfinite(value):
                found[key.removeprefix(beginning)] = _as_written(value)
        return found

    def _whole(self, key: str) -> str:
        return f"{self.architecture}{key}" if key.startswith(".") else key

    def _whole_number(self, key: str, value: Value) -> int:
        if isinstance(value, int) and value >= 0:
            return int(value)
        raise self._wrong(key, value, "a whole number")

    def _wrong(self, key: str, value: Value, wanted: str) -> BrokenHeaderError:
        return BrokenHeaderError(
            f"its key {shown(self._whole(key))} has {named(value)} where {wanted} belongs"
        )

    def _too_long(self, key: str, length: int) -> str:
        return f"its key {shown(self._whole(key))} has {length} numbers for {self.layers} layers"


def _as_written(value: float) -> float:
    """Return 0.7 where the nearest number of four bytes is 0.699999988079071."""
    return float(f"{value:.7g}") if isinstance(value, float) else float(value)
