"""The same values as llama.cpp's own reader finds, over files that its own writer wrote."""

import struct
from collections.abc import Sequence
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gguf
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llama_mcp.models.gguf.header import Header, LongArray, read_header
from llama_mcp.models.gguf.pieces import BrokenHeaderError
from tests.support import gguf_bytes, gguf_shapes

Type: Any = gguf.GGUFValueType
_BITS = {"UINT8": 8, "UINT16": 16, "UINT32": 32, "UINT64": 64}
_SIGNED = {"INT8": 8, "INT16": 16, "INT32": 32, "INT64": 64}
TEXTS = st.text(st.characters(codec="utf-8"), max_size=300)
NUMBERS: dict[Any, st.SearchStrategy[Any]] = {
    **{Type[name]: st.integers(0, 2**bits - 1) for name, bits in _BITS.items()},
    **{Type[n]: st.integers(-(2 ** (b - 1)), 2 ** (b - 1) - 1) for n, b in _SIGNED.items()},
    Type.FLOAT32: st.floats(width=32, allow_nan=False),
    Type.FLOAT64: st.floats(allow_nan=False),
    Type.BOOL: st.booleans(),
}
SCALARS: dict[Any, st.SearchStrategy[Any]] = {**NUMBERS, Type.STRING: TEXTS}

Pair = tuple[Any, Any, Any]  # type, type of items, value


def pairs() -> st.SearchStrategy[Pair]:
    alone: list[st.SearchStrategy[Pair]] = [
        st.tuples(st.just(kind), st.none(), values) for kind, values in SCALARS.items()
    ]
    short: list[st.SearchStrategy[Pair]] = [
        st.tuples(st.just(Type.ARRAY), st.just(kind), st.lists(values, min_size=1, max_size=70))
        for kind, values in SCALARS.items()
    ]
    long: list[st.SearchStrategy[Pair]] = [
        st.tuples(st.just(Type.ARRAY), st.just(kind), st.builds(repeated, values))
        for kind, values in SCALARS.items()
    ]
    return st.one_of(*alone, *short, *long)


def repeated(value: Any) -> list[Any]:
    return [value] * 1100


KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40).filter(
    lambda key: not key.startswith(("general.", "GGUF."))
)
SHAPES = st.lists(st.integers(1, 5), min_size=1, max_size=4)


def write(
    path: Path, keys: dict[str, Pair], tensors: Sequence[Sequence[int]], alignment: int
) -> None:
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_custom_alignment(alignment)
    for key, (kind, of_items, value) in keys.items():
        writer.add_key_value(key, value, kind, of_items)
    for number, shape in enumerate(tensors):
        writer.add_tensor(f"blk.{number}.weight", np.zeros(shape, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read(path: Path) -> Header:
    with path.open("rb", buffering=0) as file:
        return read_header(file, path.stat().st_size)


def same(ours: Any, theirs: Any) -> bool:
    if isinstance(ours, LongArray):
        return isinstance(theirs, list) and ours.length == len(theirs)
    return type(ours) is type(theirs) and bool(ours == theirs)


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(KEYS, pairs(), max_size=8),
    st.lists(SHAPES, min_size=1, max_size=4),
    st.sampled_from([8, 32, 64, 4096]),
    st.sampled_from([2, 3]),
)
def test_every_key_has_the_value_that_the_official_reader_finds(
    keys: dict[str, Pair], shapes: list[list[int]], alignment: int, version: int
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "some.gguf"
        write(path, keys, shapes, alignment)
        with path.open("r+b") as file:
            file.seek(4)
            file.write(struct.pack("<I", version))
        ours, theirs = read(path), gguf.GGUFReader(path)
        fields = {key: field for key, field in theirs.fields.items() if key[:5] != "GGUF."}
        assert list(ours.keys) == list(fields)
        assert [key for key in fields if not same(ours.keys[key], fields[key].contents())] == []
        shapes_of_theirs = {tensor.name: tuple(tensor.shape.tolist()) for tensor in theirs.tensors}
        assert ours.tensors == shapes_of_theirs
        assert ours.parameters == sum(int(tensor.n_elements) for tensor in theirs.tensors)
        assert ours.size_bytes == theirs.data_offset
        del theirs  # or Windows could not remove what it has mapped


@pytest.mark.parametrize("count", [65, 5000, 300_000])
def test_a_long_array_is_passed_by_wherever_the_pieces_it_is_read_in_end(
    tmp_path: Path, count: int
) -> None:
    tokens = [f"{'x' * (number * 7 % 40)}" for number in range(count)]
    big = gguf_bytes.array(12, count, b"\0" * 8 * count)
    keys: list[tuple[str, gguf_bytes.Value]] = [
        ("tokens", [*tokens]),
        ("scores", big),
        ("after", "here"),
    ]
    path = tmp_path / "long.gguf"
    path.write_bytes(gguf_bytes.header(keys, [gguf_bytes.tensor("t", 3, 5)]))
    header = read(path)
    scores = [0.0] * count if count < 1024 else LongArray(count)
    assert header.keys == {"tokens": LongArray(count), "scores": scores, "after": "here"}
    assert header.tensors == {"t": (3, 5)}


def tokenizer_keys(*more: tuple[str, gguf_bytes.Value]) -> bytes:
    """A header with more texts than are passed by one after the other, and keys behind them."""
    tokens: list[gguf_bytes.Plain] = [f"tok{number}" for number in range(6000)]
    keys: list[tuple[str, gguf_bytes.Value]] = [("tokenizer.ggml.tokens", tokens), *more]
    return gguf_bytes.header(keys, [gguf_bytes.tensor("token_embd.weight", 8, 6000)])


FAKE = gguf_bytes.text("tokenizer.fake") + struct.pack("<II", 4, 7)


@pytest.mark.parametrize(
    "content, last",
    [
        (tokenizer_keys(("tokenizer.ggml.merges", ["a b"] * 5000), ("tokenizer.x", 1)), 1),
        (tokenizer_keys(("tokenizer.x", 1)), 1),
        # What a leap goes too far over, or not far enough.
        (tokenizer_keys(("some.key", 5), ("tokenizer.x", 1), ("tokenizer.y", 2)), 2),
        (tokenizer_keys(("some.key", 5)), 5),
        (tokenizer_keys(("some.key", 5), ("other.key", [1] * 2000)), LongArray(2000)),
        (tokenizer_keys(), LongArray(6000)),
        (tokenizer_keys(("some.text", "tokenizer." * 200), ("tokenizer.x", 1)), 1),
        (
            gguf_bytes.header(
                [
                    ("tokenizer.ggml.tokens", ["" if n % 2 else "x" * 40 for n in range(6000)]),
                    ("tokenizer.x", 1),
                ]
            ),
            1,
        ),
        (
            gguf_bytes.header(
                [
                    (
                        "tokenizer.ggml.tokens",
                        gguf_bytes.array(
                            gguf_bytes.TEXT,
                            5000,
                            gguf_bytes.text("x" * 60) * 4000
                            + gguf_bytes.text(FAKE)
                            + gguf_bytes.text("y") * 999,
                        ),
                    ),
                    ("tokenizer.x", 1),
                ],
                [gguf_bytes.tensor("token_embd.weight", 8, 6000)],
            ),
            1,
        ),
    ],
)
def test_a_leap_over_texts_that_went_wrong_is_taken_back(
    tmp_path: Path, content: bytes, last: Any
) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(content + bytes(300_000))  # the official reader wants weights behind it
    step_by_step = gguf.GGUFReader(path)
    names = [key for key in step_by_step.fields if key[:5] != "GGUF."]
    del step_by_step
    header = read(path)
    assert list(header.keys) == names
    assert list(header.keys.values())[-1] == last
    assert "tokenizer.fake" not in header.keys


AFTER = st.dictionaries(
    st.sampled_from(["tokenizer.a", "tokenizer.b", "general.c", "llama.d", "e"]),
    st.one_of(st.integers(0, 9), st.booleans(), st.text(max_size=9), st.just(["a"] * 4500)),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=30), AFTER, st.integers(1, 3))
@example([""], {"general.c": ["a"] * 4500, "tokenizer.a": 0}, 3)
def test_whatever_follows_a_vocabulary_is_read_as_it_was_written(
    texts: list[str], after: dict[str, Any], tensors: int
) -> None:
    tokens: list[gguf_bytes.Plain] = [*(texts * (5000 // len(texts)))]
    keys: list[tuple[str, Any]] = [("tokenizer.ggml.tokens", tokens), *after.items()]
    table = [gguf_bytes.tensor(f"blk.{number}.weight", number + 1) for number in range(tensors)]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.gguf"
        path.write_bytes(gguf_bytes.header(keys, table) + bytes(5000))
        header = read(path)
    long = {key: LongArray(len(it)) if isinstance(it, list) else it for key, it in keys}
    assert header.keys == long
    assert header.tensors == {f"blk.{number}.weight": (number + 1,) for number in range(tensors)}


def test_one_text_may_be_longer_than_a_piece(tmp_path: Path) -> None:
    template = "{{ x }}" * 400_000
    tokens: list[gguf_bytes.Plain] = ["a" * 3_000_000, *["b"] * 100]
    path = tmp_path / "long.gguf"
    path.write_bytes(
        gguf_bytes.header([("template", template), ("tokens", tokens), ("after", True)])
    )
    assert read(path).keys == {"template": template, "tokens": LongArray(101), "after": True}


def test_the_true_shape_of_gemma_with_its_whole_vocabulary_is_read(tmp_path: Path) -> None:
    path = gguf_shapes.write_gemma_27b(tmp_path / "gemma.gguf", merges=261_000)
    header = read(path)
    assert header.keys["tokenizer.ggml.tokens"] == LongArray(262_208)
    assert header.keys["tokenizer.ggml.merges"] == LongArray(261_000)
    assert header.parameters == 27_009_346_304
    weights = sum(-(-prod(shape) * 4 // 32) * 32 for shape in header.tensors.values())
    assert header.size_bytes < 16 << 20 < weights


def test_text_that_is_not_utf_8_is_read_as_far_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "latin.gguf"
    raw = struct.pack("<I", gguf_bytes.TEXT) + gguf_bytes.text(b"caf\xe9")
    path.write_bytes(gguf_bytes.header([("general.name", raw)]))
    assert read(path).keys == {"general.name": "caf�"}


def test_where_the_weights_begin_follows_from_the_alignment(tmp_path: Path) -> None:
    path = tmp_path / "some.gguf"
    for alignment, expected in ((1, 57), (64, 64), (1 << 20, 1 << 20)):
        path.write_bytes(gguf_bytes.header([("general.alignment", alignment)]))
        assert read(path).size_bytes == expected
    path.write_bytes(gguf_bytes.header([("general.alignment", 48)]))
    with pytest.raises(BrokenHeaderError, match="alignment is 48"):
        read(path)
