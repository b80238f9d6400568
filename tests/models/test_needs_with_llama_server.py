"""The formula against what llama.cpp itself says that it needs, for files of true shapes.

llama-server says so before it reads the weights (--log-jsonl), and is ended then. The embedded
engine has no such flag, and says the same in its log.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.models.gguf.reading import read_facts
from llama_mcp.models.needs import Needs, StartOptions, needs_of
from tests.support.gguf_shapes import (
    write_deepseek_lite,
    write_embedding_model,
    write_gemma_27b,
    write_lfm_1b,
    write_llama_8b,
)

REAL_FOLDER = os.environ.get("LLAMA_MCP_TEST_LLAMA_CPP_PATH")
real = pytest.mark.skipif(REAL_FOLDER is None, reason="LLAMA_MCP_TEST_LLAMA_CPP_PATH is not set")
MIB = 2**20
PARTS = ("model", "context", "compute")
# Of the text that says the same: `|   - Host  |   440 =   320 +      48 +      72   |`.
TEXT_ROW = re.compile(r"\|   - .*=\s*(\d+) \+\s*(\d+) \+\s*(\d+) ")
Q8_0 = 34 / 32
WRITERS: dict[str, Callable[[Path], Path]] = {
    "llama 8b (GQA)": write_llama_8b,
    "gemma 27b (iSWA)": write_gemma_27b,
    "deepseek lite (MLA)": write_deepseek_lite,
    "lfm 1b (hybrid)": write_lfm_1b,
    "bert": write_embedding_model,
}
# A start as flags of llama-server, and as what the formula is told.
Start = tuple[list[str], StartOptions]
STARTS: dict[str, Start] = {
    "4k": ([], StartOptions(4096)),
    "32k for four": ([], StartOptions(8192, 4)),
    "128k": ([], StartOptions(131072)),
    "128k in q8_0": (
        ["-ctk", "q8_0", "-ctv", "q8_0"],
        StartOptions(131072, key_bytes=Q8_0, value_bytes=Q8_0),
    ),
}
FURTHER_STARTS: dict[str, Start] = {
    "more slots than anybody has": ([], StartOptions(256, 128)),
    "one window for all": (["--kv-unified"], StartOptions(8192, 4, is_unified=True)),
    "whole windows": (["--swa-full"], StartOptions(8192, 4, has_full_windows=True)),
    "no flash attention": (["-fa", "off"], StartOptions(16384, 2, flash_attention=False)),
    "large steps": (["-ub", "2048"], StartOptions(8192, 4, ubatch_size=2048)),
    "small steps": (["-ub", "64"], StartOptions(8192, 4, ubatch_size=64)),
}


@pytest.fixture(scope="module")
def file_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    folder = tmp_path_factory.mktemp("shapes")
    written: dict[str, Path] = {}

    def file(shape: str) -> Path:
        if shape not in written:
            written[shape] = WRITERS[shape](folder / f"{len(written)}.gguf")
        return written[shape]

    return file


@real
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("shape", [name for name in WRITERS if name != "bert"])
def test_the_formula_says_what_llama_server_says(
    file_of: Callable[[str], Path], shape: str, start: str
) -> None:
    compare(file_of(shape), *STARTS[start])


@real
@pytest.mark.slow
@pytest.mark.parametrize("start", FURTHER_STARTS)
@pytest.mark.parametrize("shape", ["gemma 27b (iSWA)", "lfm 1b (hybrid)"])
def test_the_formula_knows_what_else_a_start_can_ask_for(
    file_of: Callable[[str], Path], shape: str, start: str
) -> None:
    compare(file_of(shape), *FURTHER_STARTS[start])


@real
@pytest.mark.slow
@pytest.mark.parametrize("step", [512, 128])
def test_an_encoder_keeps_nothing(file_of: Callable[[str], Path], step: int) -> None:
    flags = ["--embedding", "-b", str(step), "-ub", str(step)]
    needs = compare(file_of("bert"), flags, StartOptions(512, 4, ubatch_size=step))
    assert needs.context_bytes == 0


def test_the_embedded_engine_needs_as_much(file_of: Callable[[str], Path]) -> None:
    model, options = file_of("lfm 1b (hybrid)"), StartOptions(8192, 4)
    program = [sys.executable, "-P", "-m", "llama_mcp.embedded.llama_server", "-lv", "4"]
    command = (*program, "-m", str(model), "-c", "32768", "-np", "4", "--port", "0")
    told = dict.fromkeys(PARTS, 0)
    with closing(output(*command)) as lines:
        for line in lines:
            if row := TEXT_ROW.search(line):
                sizes = dict(zip(PARTS, map(int, row.groups()), strict=True))
                told |= {part: told[part] + sizes[part] for part in PARTS}
            elif told["model"]:
                break
    agree(needs_of(read_facts(model), model.stat().st_size, options), told)


def compare(model: Path, flags: list[str], options: StartOptions) -> Needs:
    needs = needs_of(read_facts(model), model.stat().st_size, options)
    total = options.ctx_size * options.parallel
    told = dict.fromkeys(PARTS, 0)
    for row in breakdown(model, ["-c", str(total), "-np", str(options.parallel), *flags]):
        told |= {part: told[part] + row.get(part, 0) for part in PARTS}
    agree(needs, told)
    return needs


def agree(needs: Needs, told: dict[str, int]) -> None:
    ours = {
        "model": needs.weights_bytes,
        "context": needs.context_bytes,
        "compute": needs.compute_bytes,
    }
    in_mib = {part: round(size / MIB) for part, size in ours.items()}
    assert sum(in_mib.values()) == pytest.approx(sum(told.values()), rel=0.03), (in_mib, told)
    assert in_mib["context"] == pytest.approx(told["context"], rel=0.01, abs=2), (in_mib, told)


def breakdown(model: Path, flags: list[str]) -> list[dict[str, Any]]:
    """What llama-server says that it needs, in MiB, one row for each kind of memory."""
    program = str(Path(REAL_FOLDER or "", "llama-server"))
    command = (program, "-m", str(model), "--port", "0", "--log-jsonl", *flags)
    with closing(output(*command)) as lines:
        for line in lines:
            if '"fit_memory_breakdown"' in line:
                rows: list[dict[str, Any]] = json.loads(line)["data"]["rows"]
                return rows
    raise AssertionError("it says nothing of its memory")


def output(*command: str) -> Generator[str, None, None]:
    """Give the lines of a program, which is killed when nobody wants more."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield from process.stdout
    finally:
        process.kill()  # before it reads the hole
        with process:
            process.wait()
