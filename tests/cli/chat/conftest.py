"""A llama-mcp for chats at a terminal."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fake_llama_server.install import install_fake
from tests.support.client_process import LlamaMCP

# Long enough that a key can be pressed while the tiny model, which never ends by itself, writes.
LONG_WINDOW = "32768"


@pytest.fixture
def long_replies(llama_mcp: LlamaMCP) -> LlamaMCP:
    """One whose replies last for seconds."""
    return llama_mcp.having(CTX_SIZE=LONG_WINDOW, PARALLEL="1")


@pytest.fixture
def spoken_by(llama_mcp: LlamaMCP, fake_folder: Path) -> "SpokenBy":
    return SpokenBy(llama_mcp, fake_folder)


class SpokenBy:
    """Makes a llama-mcp whose model says what a test wants."""

    def __init__(self, llama_mcp: LlamaMCP, folder: Path) -> None:
        self._llama_mcp = llama_mcp
        self._folder = folder

    def __call__(self, *tokens: str, **faults: object) -> LlamaMCP:
        """Return it.

        Args:
            tokens: of its reply.
            faults: more of the stand-in.
        """
        program = install_fake(self._folder, reply_tokens=tokens, **faults)
        variables = {**self._llama_mcp.variables, "LLAMA_MCP_LLAMA_CPP_PATH": str(program)}
        variables["LLAMA_MCP_EXTRA_ARGS"] = ""
        return replace(self._llama_mcp, variables=variables)
