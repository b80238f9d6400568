"""Real failures of real engines: each must be named for what it is.

The embedded engine is always there; a llama.cpp folder is when
LLAMA_MCP_TEST_LLAMA_CPP_PATH names one.
"""

import os
import socket
import struct
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from llama_mcp.embedded import presence
from llama_mcp.keeper import spawning
from llama_mcp.llama_server.diagnosis.advice import LaunchFacts
from llama_mcp.llama_server.diagnosis.causes import Diagnosis, diagnose
from tests.support.tiny_model import write_tiny_model

SECONDS_TO_FAIL = 300
# Without a limit the kernel may promise a terabyte, and a test would then fill the machine.
ADDRESS_SPACE_KIB = 6_000_000


def engines() -> Sequence[object]:
    found = [pytest.param(spawning.program_command(presence.MODULE), id="embedded")]
    named = os.environ.get("LLAMA_MCP_TEST_LLAMA_CPP_PATH")
    if named:
        path = Path(named)
        binary = path / "llama-server" if path.is_dir() else path
        found.append(pytest.param([str(binary)], id="llama-server"))
    return found


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "tiny.gguf"
    write_tiny_model(path)
    return path


class Failing:
    """Runs one engine until it gives up, and diagnoses why."""

    def __init__(self, engine: Sequence[str], folder: Path, model: Path) -> None:
        self.engine = engine
        self.folder = folder
        self.model = model

    def with_arguments(self, *arguments: str, port: int = 0) -> Diagnosis:
        return self._run(self.model, arguments, port)

    def with_content(self, content: bytes) -> Diagnosis:
        path = self.folder / "bad.gguf"
        path.write_bytes(content)
        return self._run(path, (), 0)

    def with_model(self, path: Path) -> Diagnosis:
        return self._run(path, (), 0)

    def _run(self, model: Path, arguments: Sequence[str], port: int) -> Diagnosis:
        command = [*self.engine, "-m", str(model), "--host", "127.0.0.1", "--port", str(port)]
        limited = f'ulimit -v {ADDRESS_SPACE_KIB}; exec "$@"'
        done = subprocess.run(
            ["sh", "-c", limited, "sh", *command, *arguments],
            env={"HOME": str(self.folder), "PATH": os.defpath, "GGML_NO_BACKTRACE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS_TO_FAIL,
            check=False,
        )
        lines = done.stdout.decode(errors="replace").splitlines()
        facts = LaunchFacts(str(model), port, 512, 1, None, tuple(arguments))
        return diagnose(done.returncode, None, lines, facts)


@pytest.fixture(params=engines())
def failing(request: pytest.FixtureRequest, tmp_path: Path, model: Path) -> Failing:
    return Failing(request.param, tmp_path, model)


def cut(path: Path, size: int) -> bytes:
    return path.read_bytes()[:size]


def with_version(model: Path, version: int) -> bytes:
    content = model.read_bytes()
    return content[:4] + struct.pack("<I", version) + content[8:]


def with_words(model: Path, old: bytes, new: bytes) -> bytes:
    content = model.read_bytes()
    assert old in content
    assert len(old) == len(new)
    return content.replace(old, new)


BAD_FILES: dict[str, tuple[Callable[[Path], bytes], str]] = {
    "empty": (lambda _: b"", "is empty"),
    "text": (lambda _: b"NOTG, just some text\n" * 20, "not a GGUF"),
    "lfs-pointer": (lambda _: b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    "web-page": (lambda _: b"<!DOCTYPE html><html>", "web page"),
    "zip": (lambda _: b"PK\x03\x04" + bytes(100), "PyTorch or zip"),
    "cut-in-header": (lambda model: cut(model, 20), "incomplete"),
    "cut-in-metadata": (lambda model: cut(model, 300), "incomplete"),
    "cut-in-data": (lambda model: cut(model, model.stat().st_size // 2), "incomplete"),
    "version-1": (lambda model: with_version(model, 1), "GGUF version 1"),
    "version-99": (lambda model: with_version(model, 99), "GGUF version 99"),
    "big-endian": (lambda model: with_version(model, 3 << 24), "big-endian"),
    "no-architecture": (
        lambda model: with_words(model, b"general.architecture", b"general.architecturx"),
        "architecture",
    ),
    "missing-key": (
        lambda model: with_words(model, b"llama.context_length", b"llama.context_lengtx"),
        "lacks llama.context_length",
    ),
    "missing-tensor": (
        lambda model: with_words(model, b"blk.0.attn_q.weight", b"blk.0.attn_x.weight"),
        "tensors are not the ones",
    ),
}


@pytest.mark.parametrize(("content", "words"), BAD_FILES.values(), ids=list(BAD_FILES))
def test_a_bad_model_file_is_named_for_what_it_is(
    failing: Failing, model: Path, content: Callable[[Path], bytes], words: str
) -> None:
    diagnosis = failing.with_content(content(model))

    assert words in diagnosis.cause
    assert diagnosis.evidence


def test_an_unknown_architecture_is_named(failing: Failing, model: Path) -> None:
    name = b"general.architecture" + struct.pack("<IQ", 8, 5)
    content = with_words(model, name + b"llama", name + b"novel")

    assert "architecture novel" in failing.with_content(content).cause


def test_a_missing_model_file_is_named(failing: Failing, tmp_path: Path) -> None:
    missing = tmp_path / "missing.gguf"

    assert failing.with_model(missing).cause == f"the file {missing} does not exist"


def test_a_folder_in_place_of_a_model_is_told(failing: Failing, tmp_path: Path) -> None:
    assert "a folder" in failing.with_model(tmp_path).cause


def test_a_taken_port_is_named(failing: Failing) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]

        assert f"port {port} on 127.0.0.1" in failing.with_arguments(port=port).cause


def test_an_unknown_flag_is_named_with_the_way_out(failing: Failing) -> None:
    diagnosis = failing.with_arguments("--bogus")

    assert "the flag --bogus" in diagnosis.cause
    assert "Take --bogus out of extra_args" in diagnosis.advice


def test_a_bad_value_is_named(failing: Failing) -> None:
    assert "--ctx-size" in failing.with_arguments("--ctx-size", "abc").cause


def test_a_context_beyond_all_memory_is_named(failing: Failing) -> None:
    diagnosis = failing.with_arguments("-c", "2000000000", "-np", "1")

    assert "not enough memory for a context" in diagnosis.cause
    assert "ctx_size" in diagnosis.advice


@pytest.mark.parametrize(
    ("flag", "words"),
    [("--mmproj", "projector"), ("--lora", "LoRA adapter"), ("-md", "draft model")],
)
def test_a_missing_companion_is_not_mistaken_for_the_model(
    failing: Failing, flag: str, words: str
) -> None:
    assert words in failing.with_arguments(flag, "/nowhere/x.gguf").cause
