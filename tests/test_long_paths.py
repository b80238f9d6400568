"""Windows paths of more than 259 characters, in the forms that the system and programs take."""

import sys
from pathlib import Path

import pytest

from llama_mcp.long_paths import MAX_CHARACTERS, extended, for_programs, openable, usual

LONG = "x" * 250


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("C:\\m.gguf", "C:\\m.gguf"),
        (f"C:\\{LONG}\\m.gguf", f"\\\\?\\C:\\{LONG}\\m.gguf"),
        (f"C:/{LONG}/./a/../m.gguf", f"\\\\?\\C:\\{LONG}\\m.gguf"),
        (f"\\\\server\\share\\{LONG}", f"\\\\?\\UNC\\server\\share\\{LONG}"),
        (f"\\\\?\\C:\\{LONG}\\m.gguf", f"\\\\?\\C:\\{LONG}\\m.gguf"),
    ],
)
def test_only_a_long_path_needs_the_extended_form(path: str, form: str) -> None:
    assert extended(path) == form


@pytest.mark.parametrize(
    ("form", "path"),
    [
        ("\\\\?\\C:\\a", "C:\\a"),
        ("\\\\?\\UNC\\server\\share\\a", "\\\\server\\share\\a"),
        ("\\\\server\\share\\a", "\\\\server\\share\\a"),
    ],
)
def test_every_program_reads_the_usual_form(form: str, path: str) -> None:
    assert usual(form) == path


def test_a_long_file_can_be_opened_and_has_a_name_for_programs(tmp_path: Path) -> None:
    folder = Path(openable(str(tmp_path / LONG / "b" / "llama cpp")))
    file = Path(openable(str(folder / "model file.gguf")))
    folder.mkdir(parents=True)
    file.write_bytes(b"GGUF")
    name = for_programs(str(file))
    if name is None:
        pytest.skip("this disk keeps no short names")
    assert Path(name).read_bytes() == b"GGUF"
    assert sys.platform != "win32" or len(name) <= MAX_CHARACTERS
