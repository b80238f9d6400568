"""What the operator should know of files and folders of the settings."""

from pathlib import Path

from llama_mcp.models.settings_on_disk import notes_on_disk
from llama_mcp.settings import Settings
from tests.support.models_file import entry, why_a_missing_file_is_not_read, write_models


def test_a_right_file_of_models_needs_no_word(tmp_path: Path) -> None:
    assert notes_on_disk(Settings()) == ()
    file = write_models(tmp_path / "models.toml", entry("a", "b"))
    assert notes_on_disk(Settings(models=file)) == ()


def test_a_file_of_models_that_is_missing_wrong_or_empty_is_told_beside_missing_folders(
    tmp_path: Path,
) -> None:
    file, gone = tmp_path / "models.toml", tmp_path / "gone"
    settings = Settings(models=file, model_dirs=(gone,))
    of_folder, of_file = notes_on_disk(settings)
    assert str(gone) in of_folder
    reason = f"it cannot be read: {why_a_missing_file_is_not_read()}"
    assert f"{file}, which LLAMA_MCP_MODELS names, is wrong: {reason}" in of_file
    write_models(file, entry("a", "b", keep=1))
    assert "line 4: keep cannot be 1" in notes_on_disk(settings)[1]
    write_models(file, "# nothing yet")
    assert notes_on_disk(settings)[1].endswith("which LLAMA_MCP_MODELS names, has no [[models]].")
