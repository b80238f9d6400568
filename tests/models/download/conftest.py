"""A hub, and downloads from it into a home and a cache of the test's own."""

import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.models.download.download import Download
from llama_mcp.models.download.downloads import Downloads
from llama_mcp.models.download.errors import DownloadFailedError
from llama_mcp.settings import Settings
from tests.support.fake_hub import FakeHub, fake_hub
from tests.support.processes import PATIENCE_SECONDS

REPO = "someone/Tiny-GGUF"
MODEL = "Tiny-Q4_K_M.gguf"


def content(size_bytes: int, seed: int = 1) -> bytes:
    """Return bytes that nothing could have guessed, the same every time."""
    return random.Random(seed).randbytes(size_bytes)


@dataclass
class Desk:
    """One llama-mcp's downloads, and what came of them."""

    hub: FakeHub
    folder: Path
    environment: dict[str, str]
    available_bytes: int | None = None
    told: list[Download] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.downloads = Downloads(
            Settings(home=self.folder / "home", **self.settings),
            self.environment,
            self._available,
        )

    async def _available(self) -> int | None:
        return self.available_bytes

    @property
    def cache(self) -> Path:
        return self.folder / "user-home" / ".cache" / "huggingface" / "hub"

    async def fetch(self, model: str = REPO, wait_seconds: float = PATIENCE_SECONDS) -> Download:
        async def take(download: Download) -> None:
            self.told.append(download)

        return await self.downloads.fetch(model, wait_seconds=wait_seconds, report=take)

    async def failure(self, model: str = REPO) -> str:
        with pytest.raises(DownloadFailedError) as raised:
            await self.fetch(model)
        return str(raised.value)

    def bytes_of(self, download: Download) -> bytes:
        """Return what programs read that are given the model's path."""
        return Path(download.model_path or "").read_bytes()

    def blob_of(self, download: Download) -> Path:
        return Path(download.model_path or "").resolve()

    def models(self) -> list[Path]:
        """Return what other programs take for models: the links that lead somewhere."""
        return sorted(path for path in self.cache.glob("*/snapshots/*/**/*.gguf") if path.exists())

    def halves(self) -> list[Path]:
        return sorted(self.cache.glob("*/blobs/*.downloadInProgress"))

    def wait_for_programs(self) -> None:
        for program in self.downloads._programs.values():
            if program._process is not None:
                program._process.wait(PATIENCE_SECONDS)


@pytest.fixture
def hub() -> Iterator[FakeHub]:
    with fake_hub() as hub:
        yield hub


@pytest.fixture
def desk_of(hub: FakeHub, tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """What makes a desk; variables of the environment, settings and memory are given."""
    desks = []

    def make(available_bytes: int | None = None, **variables: str) -> Desk:
        needed = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
        environment = needed | {
            "HOME": str(tmp_path / "user-home"),
            "HF_ENDPOINT": hub.endpoint,
        }
        desks.append(Desk(hub, tmp_path, environment | variables, available_bytes))
        return desks[-1]

    yield make
    for desk in desks:
        desk.wait_for_programs()


@pytest.fixture
def desk(desk_of: Callable[..., Desk]) -> Desk:
    return desk_of()
