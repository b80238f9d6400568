"""LM Studio, Jan, GPT4All and llama.cpp's old cache: their folders, and the names in them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llama_mcp.models.places import gpt4all, jan, llama_cpp, lm_studio
from llama_mcp.models.places.all_places import PROGRAMS
from llama_mcp.models.places.found import Found
from llama_mcp.models.places.surroundings import Surroundings
from llama_mcp.setting_values import MODEL_PLACES
from tests.support.model_trees import library_in, surroundings_in
from tests.support.pipes import make_pipe
from tests.support.small_gguf import write_gguf, write_projector

PLATFORMS = ["linux", "darwin", "win32"]


def names(find: Callable[[Surroundings], Iterator[Found]], tmp_path: Path) -> dict[str, Path]:
    return {each.name: each.path for each in find(surroundings_in(tmp_path))}


def test_every_program_of_the_setting_is_looked_at_in_its_order() -> None:
    assert tuple(PROGRAMS) == MODEL_PLACES


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("place", MODEL_PLACES)
def test_without_a_home_or_a_folder_no_program_has_models(
    tmp_path: Path, place: str, platform: str
) -> None:
    homeless = Surroundings(platform, {}, None, tmp_path)
    find = PROGRAMS[place]  # type: ignore[index]  # mypy takes parameters for any text
    assert list(find(homeless)) == []
    assert list(find(surroundings_in(tmp_path, platform))) == []


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, "home/.cache/llama.cpp"),
        ("linux", {"XDG_CACHE_HOME": "x"}, "x/llama.cpp"),
        ("darwin", {"XDG_CACHE_HOME": "x"}, "home/Library/Caches/llama.cpp"),
        ("win32", {}, "home/AppData/Local/llama.cpp"),
        ("win32", {"LOCALAPPDATA": "x"}, "x/llama.cpp"),
        *((platform, {"LLAMA_CACHE": "x"}, "x") for platform in PLATFORMS),
    ],
)
def test_llama_cpps_old_cache_is_where_llama_cpp_has_it(
    tmp_path: Path, platform: str, variables: dict[str, str], expected: str
) -> None:
    environment = {name: str(tmp_path / value) for name, value in variables.items()}
    surroundings = surroundings_in(tmp_path, platform, environment)
    assert llama_cpp.cache_folders(surroundings) == [tmp_path / expected]


def test_files_of_llama_cpps_old_cache_go_by_their_names(tmp_path: Path) -> None:
    folder = tmp_path / "home/.cache/llama.cpp"
    model = write_gguf(folder / "ggml-org_gemma-3-1b-it-GGUF_gemma-3-1b-it-Q4_K_M.gguf")
    for other in (f"{model.name}.etag", f"{model.name}.json", "manifest=a=b=c.json", "x.gguf.part"):
        (folder / other).write_text("{}")
    write_gguf(folder / "deeper" / "x.gguf")
    assert names(llama_cpp.find, tmp_path) == {model.stem: model}


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, "home/.local/share/nomic.ai/GPT4All"),
        ("linux", {"XDG_DATA_HOME": "x"}, "x/nomic.ai/GPT4All"),
        ("darwin", {}, "home/Library/Application Support/nomic.ai/GPT4All"),
        ("win32", {"LOCALAPPDATA": "x"}, "x/nomic.ai/GPT4All"),
    ],
)
def test_gpt4alls_files_are_found_but_not_those_that_are_incomplete(
    tmp_path: Path, platform: str, variables: dict[str, str], expected: str
) -> None:
    environment = {name: str(tmp_path / value) for name, value in variables.items()}
    surroundings = surroundings_in(tmp_path, platform, environment)
    model = write_gguf(tmp_path / expected / "Llama-3.2-1B-Instruct-Q4_0.gguf")
    write_gguf(tmp_path / expected / "incomplete-Phi-3.gguf")
    package = write_gguf(tmp_path / "home/.cache/gpt4all/orca.GGUF")
    found = {each.name: each.path for each in gpt4all.find(surroundings)}
    assert found == {model.stem: model, "orca": package}


def test_lm_studios_models_go_by_publisher_model_and_file(tmp_path: Path) -> None:
    models = tmp_path / "home/.lmstudio/models"
    model = write_gguf(models / "lmstudio-community/Qwen2.5-GGUF/Qwen2.5-Q4_K_M.gguf")
    write_gguf(models / "lmstudio-community/Qwen2.5-GGUF/Qwen2.5-Q8_0.gguf.part")
    assert names(lm_studio.find, tmp_path) == {
        "lmstudio-community/Qwen2.5-GGUF/Qwen2.5-Q4_K_M": model
    }


def test_lm_studios_folder_is_found_however_it_was_moved(tmp_path: Path) -> None:
    home, surroundings = tmp_path / "home", surroundings_in(tmp_path)
    home.mkdir()
    assert lm_studio.models_folder(surroundings) == home / ".lmstudio/models"
    older = home / ".cache/lm-studio"
    older.mkdir(parents=True)
    assert lm_studio.models_folder(surroundings) == older / "models"
    pointed = tmp_path / "pointed"
    pointed.mkdir()
    (home / ".lmstudio-home-pointer").write_text(f"{pointed}\n")
    assert lm_studio.models_folder(surroundings) == pointed / "models"
    moved = tmp_path / "downloads"
    (pointed / "settings.json").write_text(json.dumps({"downloadsFolder": str(moved)}))
    assert lm_studio.models_folder(surroundings) == moved
    for odd in ("", "{", "[]", '{"downloadsFolder": 7}', '{"downloadsFolder": "relative"}', "null"):
        (pointed / "settings.json").write_text(odd)
        assert lm_studio.models_folder(surroundings) == pointed / "models"
    (home / ".lmstudio-home-pointer").write_bytes(b"\xff" * 9)
    assert lm_studio.models_folder(surroundings) == older / "models"


@pytest.mark.posix
def test_notes_of_programs_that_are_pipes_are_not_waited_for(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / ".lmstudio").mkdir(parents=True)
    make_pipe(home / ".lmstudio-home-pointer")
    make_pipe(home / ".lmstudio/settings.json")
    assert lm_studio.models_folder(surroundings_in(tmp_path)) == home / ".lmstudio/models"


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, ["home/.local/share/Jan/data", "home/.config/Jan/data"]),
        (
            *("linux", {"XDG_DATA_HOME": "x", "XDG_CONFIG_HOME": "y"}),
            ["x/Jan/data", "y/Jan/data"],
        ),
        ("darwin", {}, ["home/Library/Application Support/Jan/data"]),
        ("win32", {}, ["home/AppData/Roaming/Jan/data"]),
        ("win32", {"APPDATA": "x"}, ["x/Jan/data"]),
    ],
)
def test_jans_data_folder_is_where_jan_has_it(
    tmp_path: Path, platform: str, variables: dict[str, str], expected: list[str]
) -> None:
    environment = {name: str(tmp_path / value) for name, value in variables.items()}
    surroundings = surroundings_in(tmp_path, platform, environment)
    folders = [tmp_path / each for each in (*expected, "home/jan")]
    assert jan.data_folders(surroundings) == folders


def test_jans_models_go_by_the_names_of_their_folders(tmp_path: Path) -> None:
    data = tmp_path / "home/.local/share/Jan/data"
    models = data / "llamacpp/models"
    model = write_gguf(models / "unsloth/Qwen3-GGUF/model.gguf")
    projector = write_projector(models / "unsloth/Qwen3-GGUF/mmproj.gguf")
    (model.parent / "model.yml").write_text(
        "name: Qwen3\n"
        "mmproj_path: 'llamacpp/models/unsloth/Qwen3-GGUF/mmproj.gguf'  # it sees\n"
        "model_path: llamacpp/models/unsloth/Qwen3-GGUF/model.gguf\r\n",
        newline="",
    )
    imported = write_gguf(tmp_path / "elsewhere/My Model.gguf")
    (models / "mine").mkdir()
    (models / "mine/model.yml").write_text(f'model_path: "{imported}"\n')
    unnoted = write_gguf(data / "models/old/old-Q4_K_M.gguf")

    rows = {row.name: row for row in library_in(tmp_path).models() if row.source == "jan"}
    assert {name: row.path for name, row in rows.items()} == {
        "unsloth/Qwen3-GGUF": model,
        "mine": imported,
        "old-Q4_K_M": unnoted,
    }
    assert rows["unsloth/Qwen3-GGUF"].projector == projector


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"model_path:\n",
        b"model_path: [1, 2]\n",
        b"model_path: ../../../../../../../../../dev/zero\n",
        b"model_path: /dev/zero\n",
        b"\xff\xfe model_path: x",
        b"model_path: 'x\n",
        b"model_path: a\0b\n",
        b"x" * 2_000_000,
    ],
)
def test_an_odd_note_of_jans_harms_nothing(tmp_path: Path, note: bytes) -> None:
    folder = tmp_path / "home/.local/share/Jan/data/llamacpp/models/odd"
    model = write_gguf(folder / "odd.gguf")
    (folder / "model.yml").write_bytes(note)
    rows = [row for row in library_in(tmp_path).models() if row.source == "jan"]
    assert [row.path for row in rows] == [model]
