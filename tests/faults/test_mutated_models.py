"""GGUF files that are damaged anywhere: the engine's end has a named cause, and always comes."""

import os
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llama_mcp.embedded import presence
from llama_mcp.keeper import spawning
from llama_mcp.llama_server.diagnosis.advice import LaunchFacts
from llama_mcp.llama_server.diagnosis.causes import diagnose
from tests.support.processes import PATIENCE_SECONDS
from tests.support.quick import often
from tests.support.tiny_model import write_tiny_model

EXAMPLES = often(15, in_a_soak=200)
# Without a limit a damaged length could make the kernel promise more than the machine has.
ADDRESS_SPACE_KIB = 6_000_000
POLL_SECONDS = 0.02
# Keys, vocabulary and the list of tensors; weights follow, whose values can be anything.
DESCRIPTION_BYTES = 12_000
ODD_BYTES = st.sampled_from(
    [b"\xff" * 8, b"\x00" * 8, b"\x01", b"\xff", b"\x00\x00\x00\x80", b"{%"]
)

overwritten = st.tuples(st.just("overwrite"), st.integers(0, DESCRIPTION_BYTES), ODD_BYTES)
inserted = st.tuples(st.just("insert"), st.integers(0, DESCRIPTION_BYTES), ODD_BYTES)
cut = st.tuples(st.just("cut"), st.integers(0, 400_000), st.just(b""))
Mutation = tuple[str, int, bytes]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("mutated") / "tiny.gguf")


def mutate(content: bytes, mutation: Mutation) -> bytes:
    kind, at, data = mutation
    if kind == "cut":
        return content[:at]
    rest = content[at + len(data) :] if kind == "overwrite" else content[at:]
    return content[:at] + data + rest


@pytest.mark.slow
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(mutations=st.lists(st.one_of(overwritten, inserted, cut), min_size=1, max_size=3))
def test_a_damaged_model_loads_or_ends_with_a_named_cause(
    model: Path, mutations: list[Mutation]
) -> None:
    content = model.read_bytes()
    for mutation in mutations:
        content = mutate(content, mutation)
    damaged = model.with_name("damaged.gguf")
    damaged.write_bytes(content)
    code, lines = run_until_loaded_or_over(damaged)
    if code is None:
        return
    facts = LaunchFacts(str(damaged), 0, 512, 1, None, ())
    diagnosis = diagnose(code, None, lines, facts)
    assert "not one we know" not in diagnosis.cause, lines
    assert diagnosis.advice


def run_until_loaded_or_over(model: Path) -> tuple[int | None, list[str]]:
    """Return the exit code, or None when the model was loaded, and what the engine said."""
    log = model.with_name("engine.log")
    command = [
        *spawning.program_command(presence.MODULE),
        "-m",
        str(model),
        "--port",
        "0",
        "-c",
        "512",
        "-np",
        "1",
    ]
    limited = f'ulimit -v {ADDRESS_SPACE_KIB}; exec "$@"'
    with log.open("wb") as file:
        engine = subprocess.Popen(
            ["sh", "-c", limited, "sh", *command, "-t", "1"],
            env={"HOME": str(model.parent), "PATH": os.defpath, "GGML_NO_BACKTRACE": "1"},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while engine.poll() is None and b"listening on" not in log.read_bytes():
            assert time.monotonic() < deadline, f"it hangs: {log.read_text(errors='replace')}"
            time.sleep(POLL_SECONDS)
        code = engine.poll()
    finally:
        engine.kill()
        engine.wait()
    return code, log.read_text(errors="replace").splitlines()
