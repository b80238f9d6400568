"""llama-server goes on with what we have left, and we with what it has left."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import REAL_LLAMA_CPPS
from tests.models.download.conftest import MODEL, REPO, Desk
from tests.support.fake_hub import sha256_of
from tests.support.processes import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not REAL_LLAMA_CPPS, reason="only a real llama-server speaks to a hub"),
]
PAUSE = 200_000


@contextmanager
def llama_server_fetching(desk: Desk) -> Iterator[None]:
    """Run a llama-server that fetches the model from the hub; it is killed at the end."""
    program = os.path.join(REAL_LLAMA_CPPS[0], "llama-server")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(desk.folder / "user-home"),
        "MODEL_ENDPOINT": desk.hub.endpoint,
    }
    process = subprocess.Popen(
        [program, "-hf", REPO, "--port", "0", "-c", "512", "-t", "1"],
        env=environment,
        cwd=desk.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def is_whole(desk: Desk, model: Path) -> bool:
    models = desk.models()
    return bool(models) and models[0].stat().st_size == model.stat().st_size


async def test_llama_server_finishes_what_we_have_left(desk: Desk, tiny_model: Path) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: tiny_model})
    desk.hub.pause_at = PAUSE
    while (await desk.fetch(wait_seconds=0.1)).bytes.done == 0:
        pass
    await desk.downloads.cancel(REPO)
    (half,) = desk.halves()
    had = half.stat().st_size
    desk.hub.pause_at = None
    desk.hub.go_on.set()
    with llama_server_fetching(desk):
        await until(lambda: is_whole(desk, tiny_model), "llama-server has the model")
    last = [one for one in desk.hub.fetches() if one.method == "GET"][-1]
    assert last.first_byte == had > 0
    assert sha256_of(desk.models()[0]) == sha256_of(tiny_model)
    # What it has finished is complete for us, and not a byte is fetched.
    fetches = len(desk.hub.fetches())
    assert (await desk.fetch()).state == "complete"
    assert len(desk.hub.fetches()) == fetches


async def test_we_finish_what_llama_server_has_left(
    desk_of: Callable[..., Desk], tiny_model: Path
) -> None:
    desk = desk_of()
    desk.hub.add(REPO, desk.folder, {MODEL: tiny_model})
    desk.hub.pause_at = PAUSE
    with llama_server_fetching(desk):
        await until(lambda: any(h.stat().st_size for h in desk.halves()), "a half file")
    (half,) = desk.halves()
    had = half.stat().st_size
    desk.hub.pause_at = None
    desk.hub.go_on.set()
    assert (await desk.fetch()).state == "complete"
    assert desk.hub.fetches()[-1].first_byte == had > 0
    assert sha256_of(desk.models()[0]) == sha256_of(tiny_model)
    with llama_server_fetching(desk):
        fetches = len(desk.hub.fetches())
        await until(lambda: len(desk.hub.asked) > fetches + 2, "llama-server has asked the hub")
    assert len([one for one in desk.hub.fetches() if one.method == "GET"]) == 2
