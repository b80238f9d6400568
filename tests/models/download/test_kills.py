"""A downloader that is killed at any moment: nothing corrupt appears, and the same call goes on."""

import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import anyio
import pytest

from tests.models.download.conftest import REPO, Desk, content
from tests.support.fake_hub import sha256_of
from tests.support.processes import until
from tests.support.quick import often

MIB = 2**20
PARTS = ["m-Q4_K_M-00001-of-00002.gguf", "m-Q4_K_M-00002-of-00002.gguf"]
SIZE = 2 * MIB


def has_received(desk: Desk, size_bytes: int) -> bool:
    """Tell whether so many bytes of the model are on disk, whole or half."""
    with suppress(FileNotFoundError):  # it has just got its name
        blobs = desk.cache.glob("*/blobs/*")
        return sum(blob.stat().st_size for blob in blobs) >= size_bytes
    return False


def kill(desk: Desk) -> None:
    for program in desk.downloads._programs.values():
        assert program._process is not None
        program._process.kill()
        program._process.wait()


@pytest.mark.parametrize("seed", range(often(2, in_a_soak=40)))
async def test_a_kill_leaves_no_model_that_is_not_whole_and_the_same_call_goes_on(
    desk: Desk, seed: int
) -> None:
    chance = random.Random(seed)
    contents = {part: content(SIZE, number) for number, part in enumerate(PARTS)}
    repo = desk.hub.add(REPO, desk.folder, contents)
    sums = {sha256_of(path) for path in repo.files.values()}
    desk.hub.bytes_per_second = 2 * MIB
    for place in sorted(chance.randrange(1, 2 * SIZE) for _ in range(3)):
        await desk.fetch(wait_seconds=0)
        await until(partial(has_received, desk, place), f"{place} bytes on disk")
        kill(desk)
        assert {sha256_of(path) for path in desk.models()} <= sums
        halves = [half.stat().st_size for half in desk.halves()]
        fetches = len(desk.hub.fetches())
        await desk.fetch(wait_seconds=0)
        await until(lambda before=fetches: len(desk.hub.fetches()) > before, "asked for the rest")  # type: ignore[misc]  # bound now
        if halves:
            assert desk.hub.fetches()[fetches].first_byte == halves[0] % SIZE
        kill(desk)
    desk.hub.bytes_per_second = 0
    assert (await desk.fetch()).state == "complete"
    assert [path.read_bytes() for path in desk.models()] == list(contents.values())


async def test_who_waits_for_a_downloader_that_is_killed_is_told_what_is_kept(
    desk: Desk, desk_of: Callable[..., Desk]
) -> None:
    desk.hub.add(REPO, desk.folder, {"m.gguf": content(SIZE)})
    desk.hub.pause_at = MIB
    await desk.fetch(wait_seconds=0)
    await until(partial(has_received, desk, MIB // 2), "a part of the file")
    other, failures = desk_of(), []

    async def wait() -> None:
        failures.append(await other.failure())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await until(lambda: bool(other.told), "the other watches")
        kill(desk)
    assert "has ended before its time, perhaps killed" in failures[0]
    assert "What has come is kept: call again" in failures[0]
