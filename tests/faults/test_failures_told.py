"""Starts that fail with a real engine, as the client is told of them."""

import struct
from pathlib import Path
from typing import Any

import pytest

from tests.support.client_process import LlamaMCP


def failing_starts(model: Path, folder: Path) -> list[tuple[dict[str, Any], str, str]]:
    """Arguments, and what the cause and the advice must say."""

    def file(name: str, content: bytes) -> str:
        (folder / name).write_bytes(content)
        return str(folder / name)

    def changed(name: str, old: bytes, new: bytes) -> str:
        assert old in whole
        return file(name, whole.replace(old, new))

    whole = model.read_bytes()
    cut = file("cut.gguf", whole[: len(whole) // 2])
    key = b"general.architecture" + struct.pack("<IQ", 8, 5)
    novel = changed("novel.gguf", key + b"llama", key + b"novel")
    lacking = changed("lacking.gguf", b"llama.block_count", b"llama.block_cound")
    template = file("bad.jinja", b"{% if %}{{ messages[0] }")
    adapter = file("adapter.gguf", b"not an adapter")
    return [
        ({"model_path": cut}, "incomplete or damaged", "download it again"),
        ({"model_path": novel}, "architecture novel", "newer llama.cpp"),
        ({"model_path": lacking}, "lacks llama.block_count", "Pass the model itself"),
        ({"extra_args": ["--threads", "many"]}, "--threads", "Correct --threads in extra_args"),
        ({"extra_args": ["--chat-template-file", template]}, "template", "--chat-template"),
        ({"extra_args": ["--lora", adapter]}, "LoRA adapter", "--lora"),
    ]


@pytest.mark.slow
async def test_what_a_start_failed_of_is_named_with_its_evidence_and_a_next_step(
    llama_mcp: LlamaMCP, tiny_model: Path, tmp_path: Path, engine: str
) -> None:
    starts = failing_starts(tiny_model, tmp_path)
    asking = llama_mcp.having(LLAMA_CPP_PATH=engine, AUTO_START="false")
    async with asking.connect() as connection:
        for arguments, cause, advice in starts:
            refusal = await connection.refusal("start_llama_server", **arguments)
            assert refusal.startswith("llama-server did not start: ")
            assert cause in refusal and advice in refusal
            status = await connection.call("status")
            assert status["state"] == "crashed"
            assert cause in status["last_exit"]["cause"]
            assert "did not start" in await connection.refusal("chat", message="Hello")
        assert (await connection.call("start_llama_server"))["state"] == "ready"
