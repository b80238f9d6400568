"""The library has each model once, with what belongs to it, and nothing that is no model."""

import os
import unicodedata
from pathlib import Path

import pytest

from llama_mcp.models import library, starter_model
from llama_mcp.models.library import Library
from llama_mcp.models.model import Model
from llama_mcp.models.naming import find_model
from llama_mcp.models.places import folders
from llama_mcp.models.places.folders import MAX_DEPTH
from tests.support.model_trees import library_in, put_into_hub_cache, put_into_ollama
from tests.support.ordinary_user import an_ordinary_user
from tests.support.pipes import make_pipe
from tests.support.small_gguf import CHAT, MIB, write_gguf, write_projector, write_shards

BERT = {"bert.embedding_length": 384, "bert.block_count": 1, "bert.pooling_type": 1}


@pytest.fixture(autouse=True)
def no_starter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starter_model, "starter_model_path", lambda: None)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    return folder


def rows_by_name(here: Library) -> dict[str, Model]:
    """Return all rows, each of which a start finds by its name."""
    rows = here.models()
    for row in rows:
        assert find_model(row.name, here).path == row.path
        row.name.encode()
        assert row.name.isprintable()
    assert len({row.name for row in rows}) == len(rows)
    return {row.name: row for row in rows}


def names(here: Library) -> list[str]:
    return list(rows_by_name(here))


def test_models_below_the_operators_folders_have_their_kinds_and_sizes(
    tmp_path: Path, models: Path
) -> None:
    write_gguf(models / "a/deep/Chat.gguf", size_bytes=3 * MIB)
    write_gguf(models / "Base.GGUF", keys={"llama.block_count": 1})
    write_gguf(models / "bge.gguf", "bert", BERT)
    write_gguf(models / "bge-rank.gguf", "bert", BERT | {"bert.pooling_type": 4})
    (models / "readme.txt").write_text("x")
    (models / "folder.gguf").mkdir()
    rows = rows_by_name(library_in(tmp_path, models))
    kinds = {name: row.facts and row.facts.kind for name, row in rows.items()}
    assert kinds == {"Base": "base", "bge-rank": "rerank", "bge": "embedding", "Chat": "chat"}
    assert rows["Chat"].size_bytes == 3 * MIB and rows["Chat"].source == "model_dirs"


def test_files_of_a_split_model_are_one_row_with_the_sum_of_their_sizes(
    tmp_path: Path, models: Path
) -> None:
    first = write_shards(models / "big", "Big-Q4_K_M", 3)
    (row,) = rows_by_name(library_in(tmp_path, models)).values()
    assert (row.name, row.path, row.size_bytes, row.problem) == ("Big-Q4_K_M", first, 3 * MIB, None)


@pytest.mark.parametrize(
    ("left_out", "problem"),
    [
        ([3], "of its 3 files Big-00003-of-00003.gguf is missing"),
        ([2, 3], "of its 3 files Big-00002-of-00003.gguf, Big-00003-of-00003.gguf are missing"),
        ([1], "of its 3 files Big-00001-of-00003.gguf is missing"),
    ],
)
def test_a_split_model_that_is_not_whole_says_which_files_are_missing(
    tmp_path: Path, models: Path, left_out: list[int], problem: str
) -> None:
    write_shards(models, "Big", 3, left_out)
    (row,) = library_in(tmp_path, models).models()
    assert (row.name, row.problem) == ("Big", problem)


def test_a_split_model_that_says_to_have_many_files_is_told_in_a_line(
    tmp_path: Path, models: Path
) -> None:
    write_gguf(models / "Big-00001-of-00999.gguf")
    (row,) = library_in(tmp_path, models).models()
    assert row.problem and row.problem.endswith("and 995 more are missing")


def test_a_part_of_a_split_model_whose_name_does_not_say_so_has_a_problem(
    tmp_path: Path, models: Path
) -> None:
    write_gguf(models / "renamed.gguf", keys=CHAT | {"split.count": 4})
    (row,) = library_in(tmp_path, models).models()
    assert row.problem == "it is one of the 4 files of a split model, and its name does not say so"


def test_the_header_says_what_a_file_is_before_its_name(tmp_path: Path, models: Path) -> None:
    write_projector(models / "eyes.gguf")
    write_projector(models / "gemma-3-mmproj-f16.gguf")
    write_gguf(models / "lora.gguf", keys=CHAT | {"general.type": "adapter"})
    write_gguf(models / "matrix.gguf", "", {"general.type": "imatrix"})
    write_gguf(models / "mtp-draft.gguf")
    write_gguf(models / "draft.gguf", "eagle3", {"eagle3.block_count": 1})
    write_gguf(models / "not-an-mmproj.gguf", keys=CHAT | {"general.type": "model"})
    assert names(library_in(tmp_path, models)) == ["not-an-mmproj"]


def test_of_a_file_whose_header_cannot_be_read_the_name_decides(
    tmp_path: Path, models: Path
) -> None:
    for name in ("mmproj-x", "x-mmproj-f16", "imatrix", "x.imatrix", "mtp-x", "Eagle3-x", "x"):
        (models / f"{name}.gguf").write_bytes(b"GGUF broken")
    rows = rows_by_name(library_in(tmp_path, models))
    assert list(rows) == ["x"]
    assert rows["x"].problem and rows["x"].facts is None


def test_half_downloaded_and_hidden_files_are_no_models(tmp_path: Path, models: Path) -> None:
    for ending in ("downloadInProgress", "part", "crdownload", "incomplete", "aria2", "tmp"):
        write_gguf(models / f"a.gguf.{ending}")
    for beside in ("aria2", "part"):
        write_gguf(models / f"{beside}.gguf")
        (models / f"{beside}.gguf.{beside}").touch()
    write_gguf(models / "._resource.gguf")
    write_gguf(models / ".hidden" / "h.gguf")
    write_gguf(models / "incomplete-x.gguf")
    assert names(library_in(tmp_path, models)) == []


@pytest.mark.posix
def test_one_file_in_many_places_is_one_row_and_each_of_its_names_finds_it(
    tmp_path: Path, models: Path
) -> None:
    link = put_into_hub_cache(
        write_gguf(tmp_path / "Qwen3-8B-Q8_0.gguf"), tmp_path / "home/.cache/huggingface/hub", "u/r"
    )
    imported = tmp_path / "home/.lmstudio/models/me/linked/Linked.gguf"
    imported.parent.mkdir(parents=True)
    imported.symlink_to(link)
    os.link(link.resolve(), models / "hard.gguf")
    here = library_in(tmp_path, models)
    (row,) = here.models()
    assert (row.name, row.path, row.source) == ("hard", models / "hard.gguf", "model_dirs")
    for name in ("Qwen3-8B-Q8_0", "u/r/Qwen3-8B-Q8_0", "linked", "Linked.gguf", "hard"):
        assert find_model(name, here) == row


def test_overlapping_folders_show_a_model_once(tmp_path: Path, models: Path) -> None:
    write_gguf(models / "a" / "m.gguf")
    assert names(library_in(tmp_path, models / "a", models, tmp_path / "nowhere")) == ["m"]


@pytest.mark.posix
def test_links_to_folders_are_not_followed_and_cannot_loop(tmp_path: Path, models: Path) -> None:
    write_gguf(models / "m.gguf")
    write_gguf(tmp_path / "elsewhere" / "x.gguf")
    (models / "loop").symlink_to(models)
    (models / "away").symlink_to(tmp_path / "elsewhere")
    (models / "self.gguf").symlink_to("self.gguf")
    (models / "gone.gguf").symlink_to("nothing.gguf")
    (models / "linked.gguf").symlink_to(tmp_path / "elsewhere" / "x.gguf")
    assert sorted(names(library_in(tmp_path, models))) == ["linked", "m"]


@pytest.mark.posix
def test_what_is_no_regular_file_is_not_opened(tmp_path: Path, models: Path) -> None:
    make_pipe(models / "pipe.gguf")
    (models / "zeros.gguf").symlink_to("/dev/zero")
    assert names(library_in(tmp_path, models)) == []


def test_folders_too_deep_are_not_looked_into(tmp_path: Path, models: Path) -> None:
    levels = [str(level) for level in range(MAX_DEPTH)]
    write_gguf(models.joinpath(*levels, "deep.gguf"))
    write_gguf(models.joinpath(*levels, "more", "too-deep.gguf"))
    assert names(library_in(tmp_path, models)) == ["deep"]


def test_the_search_ends_at_its_limits(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        write_gguf(models / str(number) / "m.gguf")
    here = library_in(tmp_path, models)
    monkeypatch.setattr(library, "MAX_FILES", 3)
    assert len(here.models()) == 3
    monkeypatch.setattr(folders, "MAX_FOLDERS", 2)
    assert len(here.models()) == 1


def test_a_locked_folder_counts_as_empty_and_a_locked_file_says_so() -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        write_gguf(folder / "locked" / "m.gguf")
        write_gguf(folder / "file.gguf").chmod(0)
        (folder / "locked").chmod(0)
        try:
            with an_ordinary_user():
                rows = library_in(folder, folder, places=()).models()
        finally:
            (folder / "locked").chmod(0o700)
    assert [(row.name, row.problem) for row in rows] == [
        ("file", "there is no permission to read it")
    ]


def test_a_file_that_vanishes_while_it_is_listed_is_left_out(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_gguf(models / "stays.gguf")
    gone = write_gguf(models / "goes.gguf")
    entries = folders.entries

    def entries_before_one_goes(folder: Path) -> list[os.DirEntry[str]]:
        found = entries(folder)
        gone.unlink(missing_ok=True)
        return found

    monkeypatch.setattr(folders, "entries", entries_before_one_goes)
    assert names(library_in(tmp_path, models)) == ["stays"]


def test_two_models_of_one_name_are_told_apart_by_their_places(
    tmp_path: Path, models: Path
) -> None:
    write_gguf(models / "one" / "m.gguf")
    write_gguf(models / "two" / "m.gguf")
    write_gguf(models / "m.gguf")
    assert sorted(names(library_in(tmp_path, models))) == ["m", "one/m", "two/m"]


def test_of_the_same_place_in_two_folders_the_second_goes_by_its_path(
    tmp_path: Path, models: Path
) -> None:
    write_gguf(models / "m.gguf")
    second = write_gguf(tmp_path / "second" / "m.gguf")
    assert names(library_in(tmp_path, models, second.parent)) == ["m", str(second)]


def test_a_name_that_would_mean_a_file_of_the_working_folder_is_not_given(
    tmp_path: Path, models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_gguf(models / "sub" / "gemma.gguf")
    write_gguf(tmp_path / "gemma")
    assert names(library_in(tmp_path, models)) == ["sub/gemma"]


ODD_NAMES = [
    *("with  spaces ", " leading", "тест-модель", "模型", "a'b\"c", "100%", "$HOME", "~", "~user"),
    *("-m", "--help", "a:b", "a\\b", "null", "1", "x" * 200, "q?w*e", "a,b", "${X}", "%PATH%"),
    *("new\nline", "tab\tbed", "esc\x1b[31m", "right\u202eleft", "caf\u00e9", "cafe\u0301"),
    *("Case", "case", "C:", "http:", "models--u--r", "file:x", "#1", "(1)", "a\udcffb", "\u00a0"),
]


@pytest.mark.posix  # Windows allows few of these names
def test_a_model_of_whatever_name_is_found_by_the_name_that_its_row_has(tmp_path: Path) -> None:
    for number, name in enumerate(ODD_NAMES):
        folder = tmp_path / str(number)
        write_gguf(folder / f"{name}.gguf")
        write_gguf(folder / f"in {name}" / "plain.gguf")
        assert len(rows_by_name(library_in(tmp_path, folder))) == 2


@pytest.mark.posix  # Windows allows few of these names
def test_models_of_all_these_names_together_have_names_of_their_own(
    tmp_path: Path, models: Path
) -> None:
    for name in ODD_NAMES:
        write_gguf(models / f"{name}.gguf")
    rows = rows_by_name(library_in(tmp_path, models))
    assert len(rows) == len(ODD_NAMES)


def test_a_name_is_found_in_both_spellings_of_its_accents(tmp_path: Path, models: Path) -> None:
    path = write_gguf(models / f"{unicodedata.normalize('NFD', 'café')}.gguf")
    here = library_in(tmp_path, models)
    for form in ("NFC", "NFD"):
        assert find_model(unicodedata.normalize(form, "CAFÉ"), here).path == path


def test_models_outside_the_allowed_folders_are_not_shown_and_their_projectors_not_taken(
    tmp_path: Path, models: Path
) -> None:
    write_gguf(models / "in" / "m.gguf")
    write_projector(models / "in" / "mmproj.gguf")
    write_gguf(models / "out" / "x.gguf")
    here = library_in(tmp_path, models, allowed=(models / "in",))
    assert names(here) == ["m"]


@pytest.mark.posix
def test_a_link_out_of_the_allowed_folders_is_not_shown(tmp_path: Path, models: Path) -> None:
    (models / "link.gguf").symlink_to(write_gguf(tmp_path / "secret.gguf"))
    assert names(library_in(tmp_path, models, allowed=(models,))) == []


def test_programs_are_looked_at_that_the_setting_names(tmp_path: Path) -> None:
    model = write_gguf(tmp_path / "home/.lmstudio/models/p/m/LM.gguf")
    put_into_ollama(
        tmp_path / "home/.ollama/models",
        "registry.ollama.ai/library/ol",
        model=write_gguf(tmp_path / "m", size_bytes=2 * MIB),
    )
    assert names(library_in(tmp_path)) == [model.stem, "ol:latest"]
    assert names(library_in(tmp_path, places=("ollama",))) == ["ol:latest"]
    assert names(library_in(tmp_path, places=())) == []


@pytest.mark.posix
def test_a_folder_of_the_operator_that_is_another_programs_has_that_programs_names(
    tmp_path: Path,
) -> None:
    cache, store = tmp_path / "disk/hub", tmp_path / "disk/ollama"
    put_into_hub_cache(write_gguf(tmp_path / "q.gguf"), cache, "u/r")
    put_into_ollama(
        store,
        "registry.ollama.ai/library/ol",
        model=write_gguf(tmp_path / "m", size_bytes=2 * MIB),
    )
    here = library_in(tmp_path, cache, store)
    rows = rows_by_name(here)
    assert list(rows) == ["q", "ol:latest"]
    assert {row.source for row in rows.values()} == {"model_dirs"}
    assert find_model("u/r", here) == rows["q"]


def test_the_operators_default_is_shown_wherever_it_lies(tmp_path: Path) -> None:
    default = write_gguf(tmp_path / "anywhere" / "mistral.gguf")
    here = library_in(tmp_path, default=str(default))
    assert [(row.name, row.source) for row in here.models()] == [("mistral", "path")]


def test_two_hundred_models_of_every_layout_are_all_shown(tmp_path: Path, models: Path) -> None:
    for number in range(200):
        folder = models / f"publisher-{number % 10}" / f"Model-{number}-GGUF"
        if number % 4:
            write_gguf(folder / f"Model-{number}-Q4_K_M.gguf")
        else:
            write_shards(folder, f"Model-{number}-Q8_0", 2)
        if number % 5 == 0:
            write_projector(folder / "mmproj-F16.gguf")
    here = library_in(tmp_path, models)
    rows = here.models()
    assert len({row.name for row in rows}) == len(rows) == 200
    assert sum(row.projector is not None for row in rows) == 40
    for row in rows[::50]:
        assert find_model(row.name, here) == row
