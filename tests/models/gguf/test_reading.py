"""What a header says of a file: its role, its kind, its quant and what it was trained for."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from llama_mcp.models.errors import HeaderUnreadableError
from llama_mcp.models.facts import Kind, Role
from llama_mcp.models.gguf.reading import read_facts
from llama_mcp.models.starter_model import starter_model_path
from tests.support import gguf_shapes
from tests.support.gguf_bytes import Value, header, llama, tensor
from tests.support.tiny_model import PLAIN_TEMPLATE, write_tiny_model

TEMPLATE = "{{ messages }}"


@pytest.mark.parametrize(
    "write, role, kind",
    [
        (gguf_shapes.write_lfm_1b, "model", "chat"),
        (gguf_shapes.write_embedding_model, "model", "embedding"),
        (gguf_shapes.write_reranker, "model", "rerank"),
        (gguf_shapes.write_draft, "draft", "chat"),
        (gguf_shapes.write_mtp_head, "draft", "chat"),
        (gguf_shapes.write_adapter, "adapter", "base"),
        (gguf_shapes.write_imatrix, "imatrix", "base"),
    ],
)
def test_files_of_true_shapes_are_told_for_what_they_are(
    tmp_path: Path, write: Callable[[Path], Path], role: Role, kind: Kind
) -> None:
    facts = read_facts(write(tmp_path / "some-name.gguf"))
    assert (facts.role, facts.kind) == (role, kind)


def facts_of(tmp_path: Path, name: str, content: bytes) -> tuple[Role, Kind]:
    path = tmp_path / name
    path.write_bytes(content)
    facts = read_facts(path)
    return facts.role, facts.kind


def bare(**keys: Value) -> bytes:
    return header([(key.replace("__", "."), value) for key, value in keys.items()])


@pytest.mark.parametrize(
    "name, content, role",
    [
        ("x.gguf", llama(general__type="mmproj"), "projector"),
        ("x.gguf", bare(general__architecture="clip"), "projector"),
        # The header is believed before the name.
        ("mmproj-x.gguf", llama(general__type="model"), "model"),
        ("imatrix-x.gguf", llama(), "model"),
        ("x.gguf", llama(general__type="adapter"), "adapter"),
        ("x.gguf", llama(adapter__type="lora"), "adapter"),
        ("x.gguf", bare(general__architecture="controlvector"), "adapter"),
        ("x.gguf", bare(general__type="imatrix"), "imatrix"),
        ("x.imatrix.gguf", bare(imatrix__chunk_count=1), "imatrix"),
        ("x.gguf", bare(general__architecture="eagle3"), "draft"),
        ("x.gguf", bare(general__architecture="dflash"), "draft"),
        ("x.gguf", llama(tensor("blk.47.nextn.eh_proj.weight", 4)), "draft"),
        ("x.gguf", llama(tensor("blk.0.a", 4), tensor("blk.2.nextn.enorm.weight", 4)), "model"),
        *((f"{prefix}-x.gguf", llama(), "draft") for prefix in ("mtp", "eagle3", "dspark", "MTP")),
        ("emtpy-x.gguf", llama(), "model"),
    ],
)
def test_the_role_is_that_of_the_header_and_then_of_the_name(
    tmp_path: Path, name: str, content: bytes, role: Role
) -> None:
    assert facts_of(tmp_path, name, content)[0] == role


def named(name: str, **keys: Value) -> bytes:
    return llama(general__name=name, **keys)


@pytest.mark.parametrize(
    "name, content, kind",
    [
        ("x.gguf", llama(tokenizer__chat_template=TEMPLATE), "chat"),
        ("x.gguf", llama(), "base"),
        ("x.gguf", llama(tokenizer__chat_template=""), "base"),
        *(("x.gguf", llama(__pooling_type=number), "embedding") for number in (1, 2, 3)),
        ("x.gguf", llama(__pooling_type=4), "rerank"),
        ("x.gguf", llama(__pooling_type=0), "base"),
        ("x.gguf", llama(__pooling_type=3, tokenizer__chat_template=TEMPLATE), "embedding"),
        ("x.gguf", llama(__classifier__output_labels=["LABEL_0"]), "rerank"),
        ("x.gguf", llama(tensor("cls.output.weight", 64, 1)), "rerank"),
        ("x.gguf", bare(general__architecture="nomic-bert"), "embedding"),
        ("x.gguf", bare(general__architecture="gemma-embedding"), "embedding"),
        # What it calls itself, where its keys do not say.
        ("x.gguf", named("Qwen3 Embedding 0.6B", tokenizer__chat_template=TEMPLATE), "embedding"),
        ("x.gguf", named("Qwen3-Reranker-4B", tokenizer__chat_template=TEMPLATE), "rerank"),
        ("x.gguf", bare(general__architecture="bert", general__name="Bge Reranker"), "rerank"),
        ("x.gguf", named("Embedded 3B", tokenizer__chat_template=TEMPLATE), "chat"),
        ("x.gguf", named("Some Embedding", __pooling_type=0), "base"),
        # The name of the file, where nothing else says.
        ("nice-embed-text.gguf", llama(), "embedding"),
        ("nice-embed-text.gguf", llama(tokenizer__chat_template=TEMPLATE), "chat"),
        ("bge-reranker-v2.gguf", llama(), "rerank"),
        ("Some-7B-Instruct-Q4_0.gguf", llama(), "chat"),
        ("gemma-2-2b-it.gguf", llama(), "chat"),
        ("git-lit-2b.gguf", llama(), "base"),
    ],
)
def test_the_kind_is_that_of_the_header_and_then_of_the_name(
    tmp_path: Path, name: str, content: bytes, kind: Kind
) -> None:
    assert facts_of(tmp_path, name, content) == ("model", kind)


@pytest.mark.parametrize(
    "name, file_type, quant",
    [
        ("Qwen3-30B-A3B-UD-Q4_K_XL.gguf", 15, "UD-Q4_K_XL"),
        ("model-Q4_K_M-00001-of-00001.gguf", 7, "Q4_K_M"),
        ("model.i1-IQ3_XXS.gguf", 23, "IQ3_XXS"),
        ("model-Q6_K_L.gguf", 18, "Q6_K_L"),
        ("model-q8_0.gguf", 7, "Q8_0"),
        ("model.fp16.gguf", 1, "F16"),
        ("model-bf16.gguf", 32, "BF16"),
        ("gpt-oss-20b-MXFP4_MOE.gguf", 38, "MXFP4_MOE"),
        ("gpt-oss-20b-mxfp4.gguf", 38, "MXFP4"),
        ("F16-to-Q5_K_S.gguf", 16, "Q5_K_S"),
        ("model.gguf", 15, "Q4_K_M"),
        ("model.gguf", 1024 + 7, "Q8_0"),
        ("model.gguf", 41, "Q2_0"),
        ("model.gguf", 4, None),
        ("model.gguf", 999, None),
        ("sha256-f16bf16a0q4_0c.gguf", 0, "F32"),
    ],
)
def test_the_quant_is_that_of_the_name_and_then_of_the_header(
    tmp_path: Path, name: str, file_type: int, quant: str | None
) -> None:
    path = tmp_path / name
    path.write_bytes(llama(general__file_type=file_type))
    assert read_facts(path).quant == quant


def test_the_starter_model_and_the_tiny_one_are_described_as_they_are(tmp_path: Path) -> None:
    starter = starter_model_path()
    assert starter is not None
    facts = read_facts(starter)
    assert (facts.kind, facts.architecture, facts.quant) == ("chat", "llama", "Q4_1")
    assert (facts.parameters, facts.context_length) == (134_515_008, 8192)
    assert (facts.embedding_length, facts.feed_forward_length) == (576, 1536)
    assert (facts.head_count, facts.vocabulary_size) == (9, 49152)
    assert facts.shape.kv_heads == (3,) * 30
    tiny = read_facts(write_tiny_model(tmp_path / "tiny.gguf"))
    assert (tiny.name, tiny.kind, tiny.quant) == ("tiny-random", "chat", "F32")
    base = read_facts(write_tiny_model(tmp_path / "base.gguf", chat_template=None))
    assert (base.kind, base.context_length) == ("base", 4096)


def test_a_template_that_speaks_of_tools_knows_them(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    for keys, knows in (
        ({"tokenizer__chat_template": "{% if tools %}{{ tools }}{% endif %}"}, True),
        ({"tokenizer__chat_template": PLAIN_TEMPLATE}, False),
        ({"tokenizer__chat_template": "{{ toolshed }}"}, False),
        (
            {
                "tokenizer__chat_template": PLAIN_TEMPLATE,
                "tokenizer__chat_templates": ["default", "tool_use"],
                "tokenizer__chat_template__tool_use": "{{ tools }}",
            },
            True,
        ),
    ):
        path.write_bytes(llama(**keys))
        assert read_facts(path).knows_tools is knows


def test_the_authors_sampling_comes_with_llama_cpps_names_and_as_it_was_written(
    tmp_path: Path,
) -> None:
    path = tmp_path / "x.gguf"
    infinite = struct.pack("<If", 6, float("inf"))
    path.write_bytes(
        llama(
            general__sampling__temp=0.7,
            general__sampling__top_k=20,
            general__sampling__min_p=0.05,
            general__sampling__top_p=infinite,
            general__sampling__sequence="penalties;top_k",
            general__sampling__mirostat=False,
        )
    )
    assert read_facts(path).sampling == {"temp": 0.7, "top_k": 20.0, "min_p": 0.05}


@pytest.mark.parametrize("vision, audio", [(True, False), (False, True), (True, True)])
def test_a_projector_says_for_which_width_it_is_made_and_what_it_takes_in(
    tmp_path: Path, vision: bool, audio: bool
) -> None:
    path = tmp_path / "anything.gguf"
    gguf_shapes.write_projector(path, projection_dim=640, vision=vision, audio=audio)
    facts = read_facts(path)
    assert (facts.role, facts.embedding_length) == ("projector", 640)
    assert (facts.vision, facts.audio) == (vision, audio)


def test_an_old_projector_without_those_keys_is_judged_by_its_tensors(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    keys: list[tuple[str, Value]] = [("general.architecture", "clip")]
    path.write_bytes(header(keys, [tensor("v.blk.0.x", 4), tensor("mm.0.weight", 4)]))
    assert (read_facts(path).vision, read_facts(path).audio) == (True, False)


@pytest.mark.parametrize("name", ["v.blk.0.attn_q.weight", "mm.0.weight"])
def test_tensors_of_a_projector_inside_a_model_are_told(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(llama(tensor("token_embd.weight", 64, 5), tensor(name, 8, 8)))
    assert read_facts(path).has_projector_inside
    path.write_bytes(llama(tensor("token_embd.weight", 64, 5), tensor("vv.x", 8), tensor("v", 8)))
    assert not read_facts(path).has_projector_inside


def test_the_vocabulary_is_counted_wherever_a_header_says_it(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    embedding = tensor("token_embd.weight", 64, 7)
    for content, size in (
        (llama(embedding, tokenizer__ggml__tokens=["a"] * 5, __vocab_size=6), 5),
        (llama(embedding, tokenizer__ggml__tokens=["a"] * 500), 500),
        (llama(embedding, __vocab_size=6), 6),
        (llama(embedding), 7),
        (llama(), 0),
    ):
        path.write_bytes(content)
        assert read_facts(path).vocabulary_size == size


def write_split(folder: Path, *, whole: int = 3) -> list[Path]:
    paths = [folder / f"big-Q8_0-{number:05}-of-00003.gguf" for number in (1, 2, 3)]
    says: dict[str, Value] = {"split.count": 3, "split.tensors.count": whole}
    first = {key.replace(".", "__"): value for key, value in says.items()}
    paths[0].write_bytes(llama(tensor("blk.0.a", 10), split__no=0, **first))
    for number, path in enumerate(paths[1:], 1):
        keys: list[tuple[str, Value]] = [("split.no", number), *says.items()]
        path.write_bytes(header(keys, [tensor(f"blk.{number}.a", 10 ** (number + 1))]))
    return paths


def test_the_parameters_of_a_split_model_are_those_of_all_its_files(tmp_path: Path) -> None:
    facts = read_facts(write_split(tmp_path)[0])
    assert (facts.shards, facts.parameters, facts.quant) == (3, 1110, "Q8_0")


def test_a_split_model_is_described_also_where_a_file_of_it_is_missing_or_broken(
    tmp_path: Path,
) -> None:
    paths = write_split(tmp_path)
    paths[2].write_bytes(b"GGUF")
    assert (read_facts(paths[0]).shards, read_facts(paths[0]).parameters) == (3, 0)
    paths[2].unlink()
    assert (read_facts(paths[0]).shards, read_facts(paths[0]).parameters) == (3, 0)
    assert read_facts(write_split(tmp_path, whole=4)[0]).parameters == 0


def test_the_second_file_of_a_split_model_is_told_for_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(HeaderUnreadableError, match="part 2 of 3, and only the first has a header"):
        read_facts(write_split(tmp_path)[1])


def test_a_name_that_counts_many_files_takes_no_time(tmp_path: Path) -> None:
    path = tmp_path / "x-00001-of-99999.gguf"
    path.write_bytes(llama(split__count=3))
    assert (read_facts(path).shards, read_facts(path).parameters) == (99_999, 0)
    path = tmp_path / "renamed.gguf"
    path.write_bytes(llama(tensor("t", 5), split__count=(1 << 31), split__tensors__count=7))
    assert (read_facts(path).shards, read_facts(path).parameters) == (99_999, 0)
