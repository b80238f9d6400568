"""A model gets the projector that was made for it, and none that was made for another."""

from pathlib import Path

import pytest

from llama_mcp.models import starter_model
from tests.support.model_trees import library_in, put_into_hub_cache
from tests.support.small_gguf import CHAT, Value, write_gguf, write_projector


@pytest.fixture(autouse=True)
def no_starter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starter_model, "starter_model_path", lambda: None)


def model_of(width: int, name: str = "", quant: int = 15) -> dict[str, Value]:
    named: dict[str, Value] = {"general.name": name} if name else {}
    return CHAT | named | {"llama.embedding_length": width, "general.file_type": quant}


def pairs(tmp_path: Path) -> dict[str, str | None]:
    rows = library_in(tmp_path, tmp_path / "models").models()
    return {row.name: row.projector.name if row.projector else None for row in rows}


def write(tmp_path: Path, *models: str, width: int = 64) -> None:
    for name in models:
        write_gguf(tmp_path / "models" / f"{name}.gguf", keys=model_of(width))


def write_eyes(tmp_path: Path, *projectors: str, width: int = 64, name: str = "") -> None:
    for each in projectors:
        named: dict[str, Value] = {"general__name": name} if name else {}
        write_projector(tmp_path / "models" / f"{each}.gguf", width=width, **named)


def test_the_only_projector_of_a_folder_is_that_of_every_quant_in_it(tmp_path: Path) -> None:
    write(tmp_path, "gemma-3-4b-it-Q4_K_M", "gemma-3-4b-it-Q8_0")
    write_eyes(tmp_path, "mmproj-F16")
    assert pairs(tmp_path) == dict.fromkeys(
        ["gemma-3-4b-it-Q4_K_M", "gemma-3-4b-it-Q8_0"], "mmproj-F16.gguf"
    )


def test_a_projector_of_another_width_is_not_taken(tmp_path: Path) -> None:
    write(tmp_path, "m")
    write_eyes(tmp_path, "mmproj-m", width=128)
    assert pairs(tmp_path) == {"m": None}


def test_in_a_flat_folder_each_model_gets_the_one_of_its_own_name(tmp_path: Path) -> None:
    write(tmp_path, "gemma-3-4b-it-Q4_K_M", "Qwen2.5-VL-7B-Instruct-Q4_K_M", "SmolVLM-500M-Q8_0")
    write_eyes(tmp_path, "mmproj-gemma-3-4b-it-f16", "Qwen2.5-VL-7B-Instruct-mmproj-f16")
    assert pairs(tmp_path) == {
        "gemma-3-4b-it-Q4_K_M": "mmproj-gemma-3-4b-it-f16.gguf",
        "Qwen2.5-VL-7B-Instruct-Q4_K_M": "Qwen2.5-VL-7B-Instruct-mmproj-f16.gguf",
        "SmolVLM-500M-Q8_0": None,
    }


def test_a_model_without_eyes_does_not_get_those_of_its_sister(tmp_path: Path) -> None:
    write(tmp_path, "Qwen2.5-VL-7B-Instruct-Q4_K_M", "Qwen2.5-7B-Instruct-Q4_K_M", "Qwen3-8B-Q8_0")
    write_eyes(tmp_path, "mmproj-Qwen2.5-VL-7B-Instruct-f16")
    assert pairs(tmp_path) == {
        "Qwen2.5-VL-7B-Instruct-Q4_K_M": "mmproj-Qwen2.5-VL-7B-Instruct-f16.gguf",
        "Qwen2.5-7B-Instruct-Q4_K_M": None,
        "Qwen3-8B-Q8_0": None,
    }


def test_names_in_headers_tell_models_apart_whose_files_are_called_anything(tmp_path: Path) -> None:
    folder = tmp_path / "models"
    write_gguf(folder / "a.gguf", keys=model_of(64, "Gemma 3 4b It"))
    write_gguf(folder / "b.gguf", keys=model_of(64, "Qwen3 4B"))
    write_eyes(tmp_path, "eyes", name="Gemma 3 4b It")
    assert pairs(tmp_path) == {"a": "eyes.gguf", "b": None}


@pytest.mark.parametrize(
    ("file_type", "expected"),
    [(1, "mmproj-F16.gguf"), (15, "mmproj-Q8_0.gguf"), (7, "mmproj-Q8_0.gguf")],
)
def test_of_several_projectors_the_closest_in_bits_counts(
    tmp_path: Path, file_type: int, expected: str
) -> None:
    write_gguf(tmp_path / "models" / "m.gguf", keys=model_of(64, quant=file_type))
    for name, number in {
        "mmproj-F32": 0,
        "mmproj-F16": 1,
        "mmproj-Q8_0": 7,
        "mmproj-Q4_0": 2,
    }.items():
        write_projector(tmp_path / "models" / f"{name}.gguf", general__file_type=number)
    assert pairs(tmp_path) == {"m": expected}


def test_projectors_in_other_folders_are_not_taken(tmp_path: Path) -> None:
    write(tmp_path, "one/m")
    write_eyes(tmp_path, "two/mmproj-m", "mmproj-m")
    assert pairs(tmp_path) == {"m": None}


def test_a_model_that_lies_in_several_folders_has_the_projector_of_any(tmp_path: Path) -> None:
    write(tmp_path, "two/m")
    write_eyes(tmp_path, "two/mmproj-m", "mmproj-m")
    (tmp_path / "models" / "one").mkdir()
    (tmp_path / "models" / "one" / "same.gguf").hardlink_to(tmp_path / "models" / "two" / "m.gguf")
    assert pairs(tmp_path) == {"same": "mmproj-m.gguf"}


@pytest.mark.posix
def test_in_a_snapshot_the_folder_does_not_matter(tmp_path: Path) -> None:
    cache = tmp_path / "models"
    put_into_hub_cache(write_gguf(tmp_path / "m.gguf"), cache, "u/r", "Q4_K_M/m.gguf")
    put_into_hub_cache(write_projector(tmp_path / "mmproj-F16.gguf"), cache, "u/r")
    put_into_hub_cache(write_projector(tmp_path / "p.gguf", x__y=1), cache, "u/other")
    assert pairs(tmp_path) == {"m": "mmproj-F16.gguf"}
