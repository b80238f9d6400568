"""The operator's file of models is read when it has changed, and what it is not is told."""

import os
import sys
import time
from pathlib import Path

import pytest

from llama_mcp.models.errors import ModelsFileError, ModelUnusableError
from llama_mcp.models.named_models import NamedModels
from tests.support.models_file import why_a_missing_file_is_not_read
from tests.support.ordinary_user import an_ordinary_user

LONG_AGO = 1_000_000_000


def write(file: Path, *names: str, at: int = LONG_AGO) -> Path:
    rows = (f'[[models]]\nname = "{name}"\nmodel_path = "some"\n' for name in names)
    file.write_text("".join(rows), encoding="utf-8")
    os.utime(file, (at, at))
    return file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "models.toml"


def names(models: NamedModels) -> list[str]:
    return [entry.name for entry in models.all()]


def found(models: NamedModels, name: str) -> str | None:
    entry = models.find(name)
    return entry.name if entry else None


def problem(models: NamedModels) -> str:
    with pytest.raises(ModelsFileError) as caught:
        models.all()
    (told,) = caught.value.problems
    return told


def test_without_a_file_there_is_no_entry() -> None:
    models = NamedModels(None)
    assert models.all() == ()
    assert models.find("any") is None


def test_entries_come_in_the_order_of_the_file(file: Path) -> None:
    assert names(NamedModels(write(file, "small", "coder"))) == ["small", "coder"]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("coder", "coder"),
        ("CODER", "coder"),
        ('"coder"\n', "coder"),
        ("cod", "coder"),
        ("small", "small"),  # and not small-2
        ("small-", "small-2"),
        ("STRASSE", "Straße"),
        ("oder", None),
        ("", None),
    ],
)
def test_a_name_is_found_in_any_case_and_by_its_beginning(
    file: Path, asked: str, meant: str | None
) -> None:
    assert found(NamedModels(write(file, "small", "small-2", "coder", "Straße")), asked) == meant


def test_a_beginning_of_several_names_lists_them(file: Path) -> None:
    models = NamedModels(write(file, "small-1", "small-2", "coder"))
    with pytest.raises(ModelUnusableError, match=r"2 models of .* Pass one of them: small-1, sm"):
        models.find("small")


def test_a_changed_file_is_read_again(file: Path) -> None:
    models = NamedModels(write(file, "a"))
    assert names(models) == ["a"]
    assert names(NamedModels(write(file, "bb"))) == ["bb"]
    assert names(models) == ["bb"]  # another size
    write(file, "cc", at=LONG_AGO + 1)
    assert names(models) == ["cc"]  # another time
    other = write(file.with_name("new"), "dd", at=LONG_AGO + 1)
    other.replace(file)
    assert names(models) == ["dd"]  # another file


def test_a_file_that_is_changed_twice_within_a_tick_of_its_clock_is_read_again(file: Path) -> None:
    now = int(time.time())
    models = NamedModels(write(file, "a", at=now))
    assert names(models) == ["a"]
    write(file, "b", at=now)
    assert names(models) == ["b"]


def test_an_unchanged_file_is_not_read_again(file: Path) -> None:
    models = NamedModels(write(file, "a"))
    first = models.all()
    assert models.all() is first


def test_a_file_that_was_set_right_counts(file: Path) -> None:
    models = NamedModels(file)
    assert problem(models) == f"it cannot be read: {why_a_missing_file_is_not_read()}"
    file.write_text("nonsense", encoding="utf-8")
    os.utime(file, (LONG_AGO, LONG_AGO))
    assert problem(models).startswith("line 1: it is no TOML")
    assert problem(models).startswith("line 1: it is no TOML")
    assert names(NamedModels(write(file, "a"))) == ["a"]
    assert names(models) == ["a"]


def test_a_folder_is_told_for_what_it_is(tmp_path: Path) -> None:
    assert problem(NamedModels(tmp_path)) == "it is a folder, and not a file"


@pytest.mark.posix
def test_a_fifo_is_told_and_not_waited_for(file: Path) -> None:
    if sys.platform == "win32":
        raise OSError("Windows has no FIFO")
    os.mkfifo(file)
    assert problem(NamedModels(file)) == "it is a FIFO, and not a file"


@pytest.mark.posix
def test_a_device_is_told_and_not_read(file: Path) -> None:
    file.symlink_to("/dev/zero")
    assert problem(NamedModels(file)) == "it is a device, and not a file"


def test_a_locked_file_is_told(file: Path) -> None:
    write(file, "a").chmod(0)
    with an_ordinary_user():
        assert problem(NamedModels(file)) == "it cannot be read: Permission denied"
