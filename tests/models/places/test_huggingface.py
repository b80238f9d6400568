"""What the Hugging Face cache holds is found by the names that its users know."""

import os
from pathlib import Path

import pytest

from llama_mcp.models.places import huggingface
from tests.support.model_trees import OLDER_COMMIT, put_into_hub_cache, surroundings_in
from tests.support.small_gguf import write_gguf, write_shards

pytestmark = pytest.mark.posix


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".cache" / "huggingface" / "hub"


def names(tmp_path: Path, environment: dict[str, str] | None = None) -> dict[str, Path]:
    found = huggingface.find(surroundings_in(tmp_path, environment=environment))
    return {each.name: each.path for each in found}


def test_a_file_goes_by_user_repository_and_its_place_in_the_snapshot(
    tmp_path: Path, cache: Path
) -> None:
    model = write_gguf(tmp_path / "Qwen3-8B-Q8_0.gguf")
    link = put_into_hub_cache(model, cache, "unsloth/Qwen3-8B-GGUF")
    deep = write_gguf(tmp_path / "x.gguf")
    put_into_hub_cache(deep, cache, "user/repo-with-dashes", "BF16/x.gguf")

    assert names(tmp_path) == {
        "unsloth/Qwen3-8B-GGUF/Qwen3-8B-Q8_0": link,
        "user/repo-with-dashes/BF16/x": next(cache.rglob("x.gguf")),
    }


def test_the_link_is_given_and_never_the_blob(tmp_path: Path, cache: Path) -> None:
    first = write_shards(tmp_path, "Big", 2)
    link = put_into_hub_cache(first, cache, "user/Big")
    assert list(names(tmp_path).values()) == [link]
    assert link.is_symlink()


def test_of_two_snapshots_the_one_that_the_main_branch_names_counts(
    tmp_path: Path, cache: Path
) -> None:
    put_into_hub_cache(write_gguf(tmp_path / "m.gguf"), cache, "u/r", commit=OLDER_COMMIT)
    newer = write_gguf(tmp_path / "m.gguf", size_bytes=2**21)
    assert names(tmp_path).keys() == {"u/r/m"}
    link = put_into_hub_cache(newer, cache, "u/r")
    assert names(tmp_path) == {"u/r/m": link}


def test_what_only_an_older_snapshot_has_is_found_too(tmp_path: Path, cache: Path) -> None:
    # The repository was updated between the two downloads.
    put_into_hub_cache(write_gguf(tmp_path / "q8.gguf"), cache, "u/r", commit=OLDER_COMMIT)
    put_into_hub_cache(write_gguf(tmp_path / "q4.gguf", size_bytes=2**21), cache, "u/r")
    assert names(tmp_path).keys() == {"u/r/q4", "u/r/q8"}


def test_a_file_itself_in_the_snapshot_is_found_where_links_are_not_allowed(
    tmp_path: Path, cache: Path
) -> None:
    path = write_gguf(cache / "models--u--r" / "snapshots" / OLDER_COMMIT / "m.gguf")
    assert names(tmp_path) == {"u/r/m": path}


def test_half_files_other_kinds_of_repository_and_links_to_nothing_are_no_models(
    tmp_path: Path, cache: Path
) -> None:
    link = put_into_hub_cache(write_gguf(tmp_path / "m.gguf"), cache, "u/r")
    blob = Path(os.readlink(link))
    blob.rename(f"{blob}.downloadInProgress")
    write_gguf(blob.with_name("0a.1b2c3d4e.incomplete"))
    write_gguf(cache / "datasets--u--d" / "snapshots" / OLDER_COMMIT / "d.gguf")
    assert names(tmp_path) == {}


def test_a_repository_behind_a_link_to_a_folder_is_left_out(tmp_path: Path, cache: Path) -> None:
    put_into_hub_cache(write_gguf(tmp_path / "m.gguf"), tmp_path / "elsewhere", "u/r")
    cache.mkdir(parents=True)
    (cache / "models--u--r").symlink_to(tmp_path / "elsewhere" / "models--u--r")
    assert names(tmp_path) == {}


def test_a_reference_that_names_no_commit_harms_nothing(tmp_path: Path, cache: Path) -> None:
    link = put_into_hub_cache(write_gguf(tmp_path / "m.gguf"), cache, "u/r")
    for text in (b"../../..", b"\xff" * 100, b"", b"x" * 3_000_000):
        (cache / "models--u--r" / "refs" / "main").write_bytes(text)
        assert names(tmp_path) == {"u/r/m": link}


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, ["{home}/.cache/huggingface/hub"]),
        ({"XDG_CACHE_HOME": "{x}"}, ["{x}/huggingface/hub"]),
        ({"HF_HOME": "{x}", "XDG_CACHE_HOME": "{y}"}, ["{x}/hub"]),
        ({"HF_HOME": "~/hf"}, ["{home}/hf/hub"]),
        ({"HUGGINGFACE_HUB_CACHE": "{x}", "HF_HOME": "{y}"}, ["{x}"]),
        ({"HF_HUB_CACHE": "{x}", "HUGGINGFACE_HUB_CACHE": "{y}"}, ["{x}"]),
        ({"LLAMA_CACHE": "{x}"}, ["{x}", "{home}/.cache/huggingface/hub"]),
        ({"LLAMA_CACHE": "{x}", "HF_HUB_CACHE": "{x}"}, ["{x}"]),
        ({"HF_HUB_CACHE": " ", "HF_HOME": ""}, ["{home}/.cache/huggingface/hub"]),
        ({"HF_HOME": "relative"}, ["{home}/.cache/huggingface/hub"]),
    ],
)
@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_the_cache_is_where_its_variables_say_on_every_platform(
    tmp_path: Path, variables: dict[str, str], expected: list[str], platform: str
) -> None:
    places = {"home": str(tmp_path / "home"), "x": str(tmp_path / "x"), "y": str(tmp_path / "y")}
    environment = {name: text.format(**places) for name, text in variables.items()}
    surroundings = surroundings_in(tmp_path, platform, environment)
    assert huggingface.cache_folders(surroundings) == [
        Path(text.format(**places)) for text in expected
    ]


def test_without_a_home_nothing_is_looked_for(tmp_path: Path) -> None:
    surroundings = surroundings_in(tmp_path)
    homeless = type(surroundings)("linux", {}, None)
    assert huggingface.cache_folders(homeless) == []
