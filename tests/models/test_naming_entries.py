"""Which of the operator's entries a text means, and what it is called that is none."""

from pathlib import Path

import pytest

from llama_mcp.errors import PathNotAllowedError
from llama_mcp.models import starter_model
from llama_mcp.models.errors import ModelsFileError, ModelUnusableError
from llama_mcp.models.gguf.known_facts import KnownFacts
from llama_mcp.models.library import Library
from llama_mcp.models.naming import entry_model, entry_models, find_entry, find_model
from llama_mcp.settings import LlamaServerSettings
from tests.support.models_file import entry, write_models
from tests.support.small_gguf import write_gguf


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with models; no starter model is installed, and nothing lies where we work."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(starter_model, "starter_model_path", lambda: None)
    for name in ("qwen-7b", "coder", "coder-large"):
        write_gguf(tmp_path / "models" / f"{name}.gguf")
    return tmp_path


def library(folder: Path, *entries: str, default: str | None = None) -> Library:
    settings = LlamaServerSettings(
        model_dirs=(folder / "models",),
        model_path=default,
        models=write_models(folder / "models.toml", *entries),
        model_places=(),
    )
    return Library(settings, KnownFacts(None))


def meant(asked: str | None, here: Library) -> str | None:
    found = find_entry(asked, here)
    return found.name if found else None


QWEN = entry("qwen for code", "qwen-7b")


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("Coder", "Coder"),
        ("coder", "Coder"),  # and not the file of that name
        ("qwen", "qwen for code"),
        ("QWEN FOR", "qwen for code"),
        ("qwen-7b", None),
        ("coder.gguf", None),
        ("coder-", None),
        ("7b", None),
        ("", "qwen for code"),
        (None, "qwen for code"),
        ("/qwen", None),
        ("~/qwen", None),
        ("https://example.com/qwen", None),
    ],
)
def test_a_text_means_an_entry_before_a_file_of_that_name(
    folder: Path, asked: str | None, name: str | None
) -> None:
    assert meant(asked, library(folder, QWEN, entry("Coder", "qwen-7b"))) == name


def test_what_is_called_just_so_goes_before_an_entry_that_only_begins_so(folder: Path) -> None:
    here = library(folder, entry("coder for work", "qwen-7b"))
    assert meant("coder", here) is None
    assert meant("coder ", here) is None
    assert meant("coder f", here) == "coder for work"
    Path("coder f").touch()
    assert meant("coder f", here) is None


def test_a_beginning_of_several_entries_lists_them(folder: Path) -> None:
    here = library(folder, QWEN, entry("qwen for talk", "qwen-7b"))
    with pytest.raises(ModelUnusableError, match=r"Pass one of them: qwen for code, qwen for talk"):
        find_entry("qwen", here)


def test_the_default_is_the_setting_else_the_first_entry(folder: Path) -> None:
    entries = (QWEN, entry("talk", "coder"))
    assert meant(None, library(folder, *entries)) == "qwen for code"
    assert meant(None, library(folder, *entries, default="talk")) == "talk"
    assert meant(None, library(folder, *entries, default="qwen-7b")) is None
    assert meant("talk", library(folder, *entries, default="qwen-7b")) == "talk"
    assert meant(None, library(folder)) is None


def test_the_default_may_be_called_as_a_folder_where_llama_mcp_works(folder: Path) -> None:
    # The setting has become a path when it was read.
    here = library(folder, QWEN, entry("talk", "coder"), default=str(Path("talk").absolute()))
    assert meant(None, here) == "talk"


def test_a_path_needs_no_file_of_entries_and_every_name_does(folder: Path) -> None:
    here = library(folder, "nonsense")
    path = str(folder / "models" / "coder.gguf")
    assert find_entry(path, here) is None
    assert find_model(path, here).path == Path(path)
    for asked in ("coder", "models/coder", None):
        with pytest.raises(ModelsFileError):
            find_entry(asked, here)


def test_the_model_of_an_entry_has_its_name_and_is_looked_for_beside_its_file(
    folder: Path,
) -> None:
    write_gguf(folder / "beside.gguf")
    here = library(
        folder,
        entry("by name", "qwen"),
        entry("beside", "beside.gguf"),
        entry("by path", "models/coder.gguf"),
        entry("again", "models/coder"),
    )
    found = [(model.name, model.source, model.path) for model in entry_models(here)]
    models = folder / "models"
    assert found == [
        ("by name", "models_file", models / "qwen-7b.gguf"),
        ("beside", "models_file", folder / "beside.gguf"),
        ("by path", "models_file", models / "coder.gguf"),
    ]
    (again,) = [each for each in here.named_models.own() if each.name == "again"]
    with pytest.raises(ModelUnusableError):
        entry_model(again, here)


def test_an_entry_names_no_other_entry(folder: Path) -> None:
    here = library(folder, entry("one", "two"), entry("two", "one"))
    assert entry_models(here) == []


def test_the_allowed_folders_hold_for_entries_too(folder: Path) -> None:
    outside = write_gguf(folder / "outside.gguf")
    here = library(folder, entry("outside", outside))
    settings = here.settings.model_copy(update={"allowed_paths": (folder / "models",)})
    with pytest.raises(PathNotAllowedError):
        entry_model(here.named_models.own()[0], Library(settings, KnownFacts(None)))


def test_a_name_that_means_nothing_is_answered_with_the_entries(folder: Path) -> None:
    with pytest.raises(ModelUnusableError) as caught:
        find_model("nonsense", library(folder, QWEN, entry("talk", "coder")))
    told = str(caught.value)
    assert "Models that the operator has named: qwen for code, talk." in told
    assert "The default is qwen for code." in told
    # A name that would mean the entry is offered for no other file.
    with pytest.raises(ModelUnusableError) as caught:
        find_model("nonsense", library(folder, entry("Coder", "models/coder.gguf")))
    told = str(caught.value)
    assert "has named: Coder." in told and "coder-large (" in told and "coder (" not in told
