"""Where llama-server is looked for, and in which order."""

import os
import sys
import tempfile
from pathlib import Path

import pytest

from llama_mcp.keeper import spawning
from llama_mcp.llama_server.engine.locate import EXECUTABLE, locate_engine
from llama_mcp.llama_server.errors import EngineNotFoundError, EngineUnusableError
from tests.support.ordinary_user import an_ordinary_user


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


def put_file(path: Path, content: bytes, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.posix
def test_only_what_can_be_a_llama_server_is_proposed_to_be_made_executable(tmp_path: Path) -> None:
    executable = put_executable(tmp_path)
    for content in (b"# llama.cpp", b"", b"PK\x03\x04"):
        readme = put_file(tmp_path / "README.md", content)
        with pytest.raises(EngineUnusableError, match="it is no program") as caught:
            locate_engine(str(readme), "")
        assert "chmod" not in str(caught.value) and str(executable) in str(caught.value)
    program = put_file(tmp_path / "llama-server-cuda", b"\x7fELF")
    with pytest.raises(EngineUnusableError, match=r"chmod \+x"):
        locate_engine(str(program), "")


def test_a_model_in_the_place_of_an_engine_is_told_apart_even_where_all_files_can_be_executed(
    tmp_path: Path,
) -> None:
    model = put_file(tmp_path / "m.gguf", b"GGUF", 0o755)
    with pytest.raises(EngineUnusableError, match="Pass it as model_path|no program"):
        locate_engine(str(model), "")


def test_a_mistyped_name_leads_to_the_llama_server_that_its_folder_holds(tmp_path: Path) -> None:
    executable = put_executable(tmp_path / "llama.cpp" / "build" / "bin")
    for wrong in ("llama.cpp/llama-sever", "llama.cpp/nowhere/llama-server", ""):
        with pytest.raises(EngineNotFoundError) as caught:
            locate_engine(str(tmp_path / wrong), "")
        assert f"There is one at {executable}: pass that as llama_cpp_path" in str(caught.value)


def test_source_code_without_a_build_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "CMakeLists.txt").touch()
    with pytest.raises(EngineNotFoundError, match="without a finished build"):
        locate_engine(str(tmp_path), "")


@pytest.mark.posix
@pytest.mark.parametrize("written", ["'{path}'\n", "file://{path}", " {path}"])
def test_an_engine_is_found_by_a_copied_path(tmp_path: Path, written: str) -> None:
    executable = put_executable(tmp_path / "llama cpp")
    assert locate_engine(written.format(path=executable), "").path == str(executable)
    assert locate_engine(" Embedded\n", "").kind == "embedded"


def test_the_search_for_another_llama_server_passes_folders_that_are_locked() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        locked, executable = folder / "a-locked", put_executable(folder / "b" / "bin")
        locked.mkdir(mode=0)
        with an_ordinary_user(), pytest.raises(EngineNotFoundError) as caught:
            locate_engine(str(folder / "nowhere"), "")
        assert f"There is one at {executable}" in str(caught.value)


def test_the_bare_name_is_looked_for_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable = put_executable(tmp_path / "on-path")
    monkeypatch.chdir(tmp_path)
    assert locate_engine("llama-server", str(executable.parent)).path == str(executable)
    with pytest.raises(EngineNotFoundError, match="does not exist"):
        locate_engine("llama-server", "")
