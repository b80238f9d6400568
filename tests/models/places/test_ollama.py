"""Ollama's models are found by their names, and no manifest can lead elsewhere."""

import json
from pathlib import Path

import pytest

from llama_mcp.models.naming import find_model
from llama_mcp.models.places import ollama
from tests.support.model_trees import library_in, put_into_ollama, surroundings_in
from tests.support.small_gguf import CHAT, write_gguf, write_projector

OWN = "registry.ollama.ai/library"
HEX = "0" * 64


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "home" / ".ollama" / "models"


def names(tmp_path: Path) -> dict[str, Path]:
    """Return the names with their tags."""
    found = ollama.find(surroundings_in(tmp_path))
    return {each.name: each.path for each in found if ":" in each.name}


def write_manifest(store: Path, content: bytes, name: str = f"{OWN}/odd") -> Path:
    path = store / "manifests" / name / "latest"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_a_model_goes_by_its_name_and_tag(tmp_path: Path, store: Path) -> None:
    model = write_gguf(tmp_path / "m.gguf")
    blob = put_into_ollama(store, f"{OWN}/llama3.2", "1b", model=model, template=b"{{ .Prompt }}")
    put_into_ollama(store, "registry.ollama.ai/someone/tuned", model=model)
    put_into_ollama(store, "hf.co/bartowski/Llama-GGUF", "Q4_K_M", model=model)
    assert names(tmp_path) == {
        "llama3.2:1b": blob,
        "someone/tuned:latest": blob,
        "hf.co/bartowski/Llama-GGUF:Q4_K_M": blob,
    }


def test_one_blob_by_three_names_is_one_row_that_each_of_them_finds(
    tmp_path: Path, store: Path
) -> None:
    model = write_gguf(tmp_path / "m.gguf")
    put_into_ollama(store, f"{OWN}/aya", model=model)
    put_into_ollama(store, f"{OWN}/phi", model=model)
    put_into_ollama(store, f"{OWN}/phi", "tuned", model=write_gguf(tmp_path / "t", size_bytes=9000))
    library = library_in(tmp_path, places=("ollama",))
    rows = [row for row in library.models() if row.source == "ollama"]
    assert [row.name for row in rows] == ["aya:latest", "phi:tuned"]
    for name in ("aya:latest", "phi:latest", "aya", "phi"):
        assert find_model(name, library) == rows[0]


def test_a_model_runs_under_its_name_where_its_file_has_only_a_digest(
    tmp_path: Path, store: Path
) -> None:
    put_into_ollama(store, f"{OWN}/llama3.2", "1b", model=write_gguf(tmp_path / "m"))
    named = write_gguf(tmp_path / "dirs" / "Phi-3.5.gguf", size_bytes=9000)
    rows = library_in(tmp_path, named.parent).models()
    assert {"llama3.2:1b", "Phi-3.5"} <= {row.title for row in rows}


def test_a_projector_that_the_manifest_names_comes_with_its_model(
    tmp_path: Path, store: Path
) -> None:
    model, projector = write_gguf(tmp_path / "m"), write_projector(tmp_path / "p", width=64)
    put_into_ollama(store, f"{OWN}/llava", "7b", model=model, projector=projector)
    (row,) = (row for row in library_in(tmp_path).models() if row.source == "ollama")
    assert row.name == "llava:7b" and row.projector and row.projector.name.startswith("sha256-")
    assert row.projector_facts and row.projector_facts.vision


def test_what_llama_cpp_cannot_load_says_so_in_its_problem(tmp_path: Path, store: Path) -> None:
    both = write_gguf(tmp_path / "both", tensors=("token_embd.weight", "v.blk.0.attn_q.weight"))
    put_into_ollama(store, f"{OWN}/gemma3", model=both)
    base = write_gguf(tmp_path / "base", keys=CHAT | {"general.name": "base"})
    put_into_ollama(store, f"{OWN}/tuned", model=base, adapter=b"GGUF lora")
    put_into_ollama(store, f"{OWN}/broken", model=b"no GGUF at all")
    problems = {row.name: row.problem for row in library_in(tmp_path).models()}
    assert "holds its projector too" in str(problems["gemma3:latest"])
    assert '"--lora"' in str(problems["tuned:latest"])
    assert "not a GGUF" in str(problems["broken:latest"])


def test_a_model_whose_blob_is_not_there_yet_is_none(tmp_path: Path, store: Path) -> None:
    blob = put_into_ollama(store, f"{OWN}/m", model=write_gguf(tmp_path / "m"))
    blob.rename(f"{blob}-partial")
    assert [row for row in library_in(tmp_path).models() if row.source == "ollama"] == []


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"no JSON",
        b"[" * 100_000,
        b"null",
        b"[]",
        b'{"layers": 7}',
        b'{"layers": [7, null, "x", [], {}]}',
        b'{"layers": [{"mediaType": 1, "digest": 2}]}',
        b"\xff\xfe\x00",
        b'{"layers": [' + b" " * 2_000_000 + b"]}",
        *(
            json.dumps(
                {"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": digest}]}
            ).encode()
            for digest in (
                *("sha256:../../../secret", f"sha256:{HEX}/../../secret", "../secret"),
                *(f"sha256:{HEX}\n", f"md5:{HEX}", "sha256:" + "0" * 63, f"sha256:{HEX}\0"),
                *("", "/etc/passwd", f"sha256-..{HEX[2:]}"),
            )
        ),
    ],
)
def test_a_manifest_that_is_none_or_leads_elsewhere_is_passed_over(
    tmp_path: Path, store: Path, manifest: bytes
) -> None:
    write_gguf(store / "secret")
    write_gguf(store.parent / "secret")
    write_manifest(store, manifest)
    put_into_ollama(store, f"{OWN}/good", model=write_gguf(tmp_path / "m"))
    assert names(tmp_path).keys() == {"good:latest"}


@pytest.mark.posix
def test_links_in_the_manifests_are_not_followed_to_folders(tmp_path: Path, store: Path) -> None:
    put_into_ollama(store, f"{OWN}/good", model=write_gguf(tmp_path / "m"))
    (store / "manifests" / OWN / "loop").symlink_to(store / "manifests" / OWN)
    (store / "manifests" / "loop").symlink_to(store)
    (store / "manifests" / OWN / "good" / "self").symlink_to("self")
    assert names(tmp_path).keys() == {"good:latest"}


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_the_folder_is_the_users_own_or_what_its_variable_says(
    tmp_path: Path, platform: str, store: Path
) -> None:
    service = [tmp_path / "shared/ollama/.ollama/models"] if platform == "linux" else []
    own = ollama.stores(surroundings_in(tmp_path, platform))
    set_so = ollama.stores(surroundings_in(tmp_path, platform, {"OLLAMA_MODELS": str(tmp_path)}))
    assert (own, set_so) == ([store, *service], [tmp_path, *service])
