"""What every show plays on: a llama.cpp folder, models, homes, clients, and the card."""

import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from tests.gpu import card
from tests.gpu.load_log import LoadLog
from tests.gpu.report import Report
from tests.support.client_process import Connection, LlamaMCP, text_of
from tests.support.processes import PATIENCE_SECONDS, until_all_leave

# llama-server tells of layers and buffers at this level.
TELLING = "-lv 4"
ALL_LINES = 1000
LONG_MESSAGE = "How do we know what the other one meant when nobody has said so? " * 60
# What differs between two looks at the same memory.
NOISE_BYTES = 64 * card.MIB


@dataclass(frozen=True)
class Stage:
    """Where things are; `models` holds the files that the shows start."""

    folder: Path
    llama_cpp: Path
    report: Report

    @property
    def models(self) -> Path:
        """The folder of models."""
        return self.folder / "models"

    @asynccontextmanager
    async def client(self, home: str = "home", **settings: str) -> AsyncIterator[Connection]:
        """Start llama-mcp in a home of that name and connect to it; names without LLAMA_MCP_."""
        kept = {
            name: os.environ[name]
            for name in ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
            if name in os.environ
        }
        own = {
            "LLAMA_CPP_PATH": str(self.llama_cpp),
            "MODEL_DIRS": str(self.models),
            "MODEL_PLACES": "none",
            "PORT": "0",
            "CTX_SIZE": "4096",
            "EXTRA_ARGS": TELLING,
        }
        async with LlamaMCP(self.folder / home, kept).having(**own | settings).connect() as client:
            yield client

    async def when_nothing_runs(self) -> None:
        """Wait until what an earlier show has started is gone, and its memory free."""
        await until_all_leave(self.folder, "keepers and llama-servers leave")

    async def seconds_until(self, condition: Callable[[], bool]) -> float | None:
        """Return after how many seconds the condition held; None when it never did."""
        began = time.monotonic()
        with anyio.move_on_after(PATIENCE_SECONDS):
            while not condition():
                await anyio.sleep(0.02)
            return time.monotonic() - began
        return None


async def start(client: Connection, model: Path, **arguments: Any) -> dict[str, Any]:
    """Start a model in the place of what runs; return its status, which must be ready."""
    begun = {"replace": True, "wait_seconds": PATIENCE_SECONDS, **arguments}
    status = await client.call("start_llama_server", model_path=str(model), **begun)
    assert status["state"] == "ready", status
    return status


async def try_to_start(client: Connection, model: Path, **arguments: Any) -> tuple[bool, str]:
    """Start a model; return whether it got ready, and what the caller was told."""
    begun = {"replace": True, "wait_seconds": PATIENCE_SECONDS, **arguments}
    result = await client.result("start_llama_server", model_path=str(model), **begun)
    return not result.is_error, text_of(result)


async def load_log(client: Connection) -> LoadLog:
    """Return what the log of what runs, or ran last, says of loading."""
    log = await client.call("server_log", lines=ALL_LINES)
    return LoadLog.of(log["lines"])


async def row_of(client: Connection, model: Path) -> dict[str, Any]:
    """Return the model's row of list_models."""
    listed = await client.call("list_models", query=model.stem)
    rows: list[dict[str, Any]] = listed["models"]
    return {"available_bytes": listed.get("available_bytes"), **rows[0]}


def mib(size_bytes: float) -> str:
    """Return a size as nvidia-smi says it."""
    return f"{size_bytes / card.MIB:,.0f} MiB"
