"""Whatever a file holds: facts or one kind of error, soon and in little memory."""

import os
import struct
import tracemalloc
from io import RawIOBase
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llama_mcp.models.errors import HeaderUnreadableError
from llama_mcp.models.gguf import header as header_module
from llama_mcp.models.gguf.header import read_header
from llama_mcp.models.gguf.pieces import BrokenHeaderError, Pieces
from llama_mcp.models.gguf.reading import read_facts
from tests.support.gguf_bytes import TEXT, Value, array, header, llama, tensor, text
from tests.support.pipes import make_pipe
from tests.support.threads import THREADS, at_once

LLAMA = llama(
    tensor("token_embd.weight", 64, 5),
    tensor("blk.0.attn_q.weight", 64, 64),
    general__name="Tiny",
    general__file_type=15,
    general__sampling__temp=0.7,
    tokenizer__chat_template="{{ messages }}{{ tools }}",
    tokenizer__ggml__tokens=["a", "b", "c", "d", "e"],
    __attention__sliding_window=128,
    __attention__sliding_window_pattern=[True, False],
    __rope__dimension_sections=[1, 2, 3, 4],
)


def problem_of(path: Path) -> str:
    with pytest.raises(HeaderUnreadableError) as caught:
        read_facts(path)
    assert str(path) in str(caught.value)
    return caught.value.problem


def facts_or_problem(path: Path) -> None:
    try:
        read_facts(path)
    except HeaderUnreadableError as error:
        assert error.problem


def test_a_file_cut_off_at_any_byte_says_that_it_ends_within_its_header(tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(LLAMA)
    assert read_facts(path).architecture == "llama"
    for length in range(1, len(LLAMA)):
        path.write_bytes(LLAMA[:length])
        expected = f"it ends after {length} bytes, within its header"
        assert problem_of(path) == (expected if length > 1 else expected.replace("bytes", "byte"))
    path.write_bytes(b"")
    assert problem_of(path) == "it is empty"


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, len(LLAMA) - 1), st.binary(min_size=1, max_size=12)), max_size=4
    ),
    st.integers(0, len(LLAMA)),
)
def test_bytes_changed_at_will_give_facts_or_a_problem_in_words(
    changes: list[tuple[int, bytes]], length: int
) -> None:
    raw = bytearray(LLAMA)
    for place, change in changes:
        raw[place : place + len(change)] = change
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.gguf"
        for content in (raw, raw[:length], raw + raw):
            path.write_bytes(content)
            facts_or_problem(path)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([2, 3]), st.integers(0, 9), st.integers(0, 9))
def test_any_bytes_behind_a_true_beginning_give_facts_or_a_problem(
    rest: bytes, version: int, tensors: int, keys: int
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "x.gguf"
        path.write_bytes(b"GGUF" + struct.pack("<IQQ", version, tensors, keys) + rest)
        facts_or_problem(path)


NUMBER = struct.pack("<I", 4) + struct.pack("<I", 7)
MISPLACED = text("t") + struct.pack("<IQIQ", 1, 8, 0, 5)
FIRST_BEHIND = text("t") + struct.pack("<IQIQ", 1, 8, 0, 64)
OF_NO_TYPE = text("t") + struct.pack("<IQIQ", 1, 8, 1 << 16, 0)
MINUS_ONE = struct.pack("<Ii", 5, -1)
A_TEXT = struct.pack("<I", TEXT) + text("seven")
SAME: list[tuple[str, Value]] = [("general.architecture", "llama"), ("a.b", 1), ("a.b", 1)]


@pytest.mark.parametrize(
    "content, words",
    [
        (b"PK\x03\x04" + b"\0" * 60, "it is not a GGUF file"),
        (header([], version=1), "it says GGUF version 1, and 2 and 3 are known"),
        (header([], version=4), "it says GGUF version 4, and 2 and 3 are known"),
        (header([], version=3 << 24), "it is a big-endian GGUF"),
        (header([], key_count=1 << 63), f"it says that it has {1 << 63} keys"),
        (header([], tensor_count=1 << 40), f"it says that it has {1 << 40} tensors"),
        (header([], key_count=50_000), "it ends after 24 bytes, within its header"),
        (header([("a", array(TEXT, 1 << 62))]), "its arrays have more than 2097152 texts"),
        (header([("a", array(TEXT, 99, b"\xff" * 800))]), "it ends after 849 bytes, within its"),
        (header([("a", array(TEXT, 9999, b"\xff" * 80_000))]), "it ends after 80049 bytes, within"),
        (header([("a", array(12, 1 << 60))]), "it ends after 49 bytes, within its header"),
        (header([("a", array(9, 1, array(4, 0)))]), "its key a is an array of arrays"),
        (header([("a", array(13, 1))]), "its key a has the type 13, which does not exist"),
        (header([("a", struct.pack("<I", 99))]), "its key a has the type 99, which does not exist"),
        (header(SAME), "it has the key a.b twice"),
        (llama(tensor("t", 1), tensor("t", 1)), "it has the tensor t twice"),
        (llama(tensor("t", dimensions=5)), "it says that the tensor t has 5 dimensions"),
        (llama(tensor("t", dimensions=1 << 31)), "it says that the tensor t has 2147483648 dim"),
        (llama(tensor("t", 1 << 40, 1 << 40)), "it says that the tensor t has 1208925819614629"),
        (llama(MISPLACED), "it says that the tensor t has the place 5"),
        (llama(FIRST_BEHIND), "it says that the tensor t has the place 64"),
        (
            llama(tensor("s", 1), FIRST_BEHIND, tensor("u", 1)),
            "it says that the tensor u has",
        ),
        (llama(OF_NO_TYPE), "it says that the tensor t has the type 65536"),
        (header([("x", 1)]), "it does not say its architecture"),
        (header([("split.no", 1), ("split.count", 3)]), "it is part 2 of 3, and only the first"),
        (llama(general__architecture=7), "its key general.architecture has 7 where a text belongs"),
        (llama(general__name=NUMBER), "its key general.name has 7 where a text belongs"),
        (llama(general__file_type=A_TEXT), "its key general.file_type has a text where a whole"),
        (llama(general__type=[1]), "its key general.type has an array where a text belongs"),
        (llama(__block_count="two"), "its key llama.block_count has a text where a whole number"),
        (
            llama(__block_count=2.5),
            "its key llama.block_count has 2.5 where a whole number belongs",
        ),
        (
            llama(__block_count=MINUS_ONE),
            "its key llama.block_count has -1 where a whole number belongs",
        ),
        (llama(__block_count=513), "it says that it has 513 layers, and llama.cpp reads up to 512"),
        (llama(__attention__head_count="x"), "its key llama.attention.head_count has a text where"),
        (
            llama(__attention__head_count_kv=[2, 2, 2]),
            "its key llama.attention.head_count_kv has 3 numbers for 2 layers",
        ),
        (
            llama(__attention__head_count_kv=array(4, 5000, b"\0" * 20_000)),
            "its key llama.attention.head_count_kv has 5000 numbers for 2 layers",
        ),
        (
            llama(__attention__head_count_kv=["a", "b"]),
            "its key llama.attention.head_count_kv has a text where a whole number belongs",
        ),
        (llama(tokenizer__chat_template=[1, 2]), "its key tokenizer.chat_template has an array"),
        (llama(tokenizer__ggml__tokens=5), "its key tokenizer.ggml.tokens has 5 where an array"),
        (llama(__pooling_type="mean"), "its key llama.pooling_type has a text where a whole"),
        (
            header([("general.architecture", "clip"), ("clip.has_vision_encoder", 1)]),
            "its key clip.has_vision_encoder has 1 where true or false belongs",
        ),
    ],
)
def test_what_cannot_be_is_said_in_words(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(content)
    assert problem_of(path).startswith(words)


def test_zero_layers_no_heads_and_no_vocabulary_are_no_reason_to_fail(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    for content in (
        header([("general.architecture", "llama")]),
        llama(__block_count=0),
        llama(__attention__head_count=0),
        llama(__attention__head_count=[0, 0], __attention__head_count_kv=[0, 0]),
        llama(__embedding_length=0, __attention__key_length=0, __ssm__conv_kernel=0),
        llama(__nextn_predict_layers=9, __attention__shared_kv_layers=9),
        llama(__attention__sliding_window=5, __attention__sliding_window_pattern=0),
        llama(general__file_type=(1 << 31) - 1),
        llama(tensor("t"), tensor("u", 0)),
    ):
        path.write_bytes(content)
        assert read_facts(path).role == "model"


def sparse(path: Path, content: bytes, size_bytes: int = 400 << 20) -> Path:
    with path.open("wb") as file:
        file.write(content)
        file.truncate(size_bytes)
    return path


@pytest.mark.parametrize(
    "content, words",
    [
        # The hole reads as empty texts, keys without a name, numbers that are 0.
        (header([("a", array(TEXT, 1 << 17))], key_count=9), "it has the key  twice"),
        (header([("a", array(TEXT, 1 << 26))]), "its arrays have more than 2097152 texts"),
        (header([("a", array(4, 1 << 26))]), "its header is longer than 256 MiB"),
        (header([("a", struct.pack("<IQ", TEXT, 300 << 20))]), "its texts have more than 16 MiB"),
        (header([("a", array(TEXT, 5, struct.pack("<Q", 17 << 20)))]), "its texts have more"),
        (header([], key_count=1 << 16), "it has the key  twice"),
        (header([], tensor_count=1 << 17), "it has the tensor  twice"),
        (
            header([], key_count=1) + struct.pack("<Q", 1 << 16 | 1),
            "it says that a name in it has 65537 bytes",
        ),
    ],
)
def test_what_a_huge_file_claims_takes_no_memory(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = sparse(tmp_path / "hole.gguf", content)
    tracemalloc.start()
    try:
        assert problem_of(path).startswith(words)
        assert tracemalloc.get_traced_memory()[1] < 64 << 20
    finally:
        tracemalloc.stop()


def test_arrays_of_texts_cannot_take_time_together_that_one_of_them_cannot(tmp_path: Path) -> None:
    some = array(TEXT, 1 << 20, b"\0" * (8 << 20))
    path = tmp_path / "x.gguf"
    path.write_bytes(header([("a", some), ("b", some), ("c", array(TEXT, 65))]))
    assert problem_of(path) == "its arrays have more than 2097152 texts"


def test_names_and_values_of_a_file_are_told_in_one_short_line(tmp_path: Path) -> None:
    long, odd = "k" * 60_000, "a\x1b[31m\nb"
    for name in (long, odd):
        for content in (
            header([(name, 1), (name, 1)]),
            header([(name, struct.pack("<I", 99))]),
            header([("general.architecture", name), (f"{name}.block_count", "two")]),
            llama(tensor(name, 1), tensor(name, 1)),
            header([("general.alignment", [1] * 1000)]),
        ):
            path = tmp_path / "x.gguf"
            path.write_bytes(content)
            problem = problem_of(path)
            assert problem.isprintable() and len(problem) < 200
    path.write_bytes(llama(general__name="n" * 5_000_000))
    assert len(read_facts(path).name or "") < 300


class Counting(RawIOBase):
    """A file of zeros that counts what is read of it."""

    def __init__(self, content: bytes, size_bytes: int) -> None:
        self._content, self._size_bytes = content, size_bytes
        self._at = 0
        self.read_bytes = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset
        return offset

    def read(self, size: int = -1, /) -> bytes:
        size = min(size, self._size_bytes - self._at, 5000)  # as a file may: less than asked for
        piece = self._content[self._at : self._at + size].ljust(size, b"\0")
        self._at += size
        self.read_bytes += size
        return piece


def test_an_array_of_numbers_is_passed_by_unread() -> None:
    content = header([("a", array(12, 20_000_000))])
    file = Counting(content, len(content) + 160_000_000)
    keys = read_header(file, len(content) + 160_000_000).keys
    assert keys == {"a": header_module.LongArray(20_000_000)}
    assert file.read_bytes < 3 << 20


def test_a_file_that_is_shorter_than_it_was_a_moment_ago_is_told(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(LLAMA[:100])
    with (
        path.open("rb", buffering=0) as file,
        pytest.raises(BrokenHeaderError, match="became shorter while it was read"),
    ):
        read_header(file, len(LLAMA))


@pytest.mark.posix
def test_a_file_cut_off_between_two_pieces_ends_no_process(tmp_path: Path) -> None:
    path = sparse(tmp_path / "x.gguf", b"", 8 << 20)
    with path.open("rb", buffering=0) as file:
        pieces = Pieces(file, 8 << 20, 256 << 20)
        pieces.take(1000)
        os.truncate(path, 1000)
        pieces.take(10_000)  # of the piece that was read before
        pieces.skip(2 << 20)
        with pytest.raises(BrokenHeaderError, match="became shorter"):
            pieces.take(8)


@pytest.mark.posix
def test_a_pipe_a_folder_and_a_device_are_never_waited_for(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.gguf"
    make_pipe(pipe)
    folder = tmp_path / "folder.gguf"
    folder.mkdir()
    link = tmp_path / "link.gguf"
    link.symlink_to(pipe)
    for path in (pipe, folder, link, Path("/dev/zero"), Path("/dev/tty")):
        assert problem_of(path) in ("it is not a regular file", "it does not exist")


def test_what_cannot_be_opened_is_told_as_the_system_says_it(tmp_path: Path) -> None:
    assert problem_of(tmp_path / "none.gguf") == "it does not exist"
    path = tmp_path / "x.gguf"
    path.write_bytes(LLAMA)
    assert problem_of(path / "below.gguf") == "it does not exist"
    assert problem_of(tmp_path / "nul\0.gguf") == "no file can have such a name"
    assert problem_of(tmp_path / ("x" * 5000)) != ""


@pytest.mark.posix
def test_links_that_lead_in_a_circle_are_told(tmp_path: Path) -> None:
    path = tmp_path / "circle.gguf"
    path.symlink_to(path)
    assert "ymbolic link" in problem_of(path)


def test_many_threads_may_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(LLAMA)
    expected = read_facts(path)
    assert at_once(lambda: [read_facts(path) for _ in range(50)]) == [[expected] * 50] * THREADS
