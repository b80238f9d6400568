"""Downloads from a hub, by the program that does them: whole, resumed, watched, ended, refused."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest

from llama_mcp.errors import WrongSettingsError
from llama_mcp.models.download import records
from llama_mcp.models.download.errors import DownloadFailedError, DownloadsForbiddenError
from llama_mcp.reading_settings import read_settings
from tests.models.download.conftest import MODEL, REPO, Desk, content
from tests.support.fake_hub import TOKEN, git_sha1_of, sha256_of
from tests.support.processes import PATIENCE_SECONDS, limit_file_size, until

MIB = 2**20
DeskOf = Callable[..., Desk]


@contextmanager
def spawned_downloader(folder: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start one more program for a folder, which begins when its standard input is closed."""
    command = [sys.executable, "-m", "llama_mcp.models.download", folder]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        yield process


async def test_a_model_comes_whole_with_its_projector_into_the_cache_of_all_programs(
    desk: Desk,
) -> None:
    files = {MODEL: content(3 * MIB), "Tiny-Q8_0.gguf": b"other", "mmproj-F16.gguf": b"projector"}
    desk.hub.add(REPO, desk.folder, files)
    download = await desk.fetch()
    assert download.state == "complete" and download.quant == "Q4_K_M"
    assert [file.name for file in download.files] == [MODEL, "mmproj-F16.gguf"]
    assert [other.quant for other in download.other_quants] == ["Q8_0"]
    assert download.bytes.done == download.bytes.total == 3 * MIB + len(b"projector")
    assert {path.name for path in desk.models()} == {MODEL, "mmproj-F16.gguf"}
    folder = desk.cache / "models--someone--Tiny-GGUF"
    model = Path(download.model_path or "")
    assert model == folder / "snapshots" / ("a" * 40) / MODEL
    assert desk.bytes_of(download) == files[MODEL]
    assert (folder / "refs" / "main").read_text() == "a" * 40
    if sys.platform != "win32":
        blob = folder / "blobs" / sha256_of(model)
        assert not os.path.isabs(os.readlink(model))
        assert desk.blob_of(download) == blob.resolve()
    assert desk.halves() == []


async def test_what_is_on_disk_is_complete_at_once_and_the_hub_is_not_asked(
    desk: Desk, desk_of: DeskOf
) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(1000)})
    first = await desk.fetch()
    asked = len(desk.hub.asked)
    for again in (desk, desk_of()):
        assert await again.fetch() == first
    assert len(desk.hub.asked) == asked


async def test_what_was_removed_from_the_disk_is_fetched_again(desk: Desk) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(1000)})
    first = await desk.fetch()
    os.unlink(desk.blob_of(first))
    assert (await desk.fetch()).model_path == first.model_path
    assert desk.bytes_of(first) == content(1000)


async def test_the_token_goes_to_the_hub_and_to_nobody_else(desk_of: DeskOf) -> None:
    desk = desk_of(HF_TOKEN=TOKEN)
    desk.hub.add(REPO, desk.folder, {MODEL: content(1000)}, is_gated=True, is_private=True)
    await desk.fetch()
    front = [one.token for one in desk.hub.asked if not one.is_at_storage]
    assert front and set(front) == {TOKEN}
    assert desk.hub.fetches() and desk.hub.tokens_at_storage() == []
    written = [path for path in (desk.folder / "home").rglob("*") if path.is_file()]
    assert written and not any(TOKEN.encode() in path.read_bytes() for path in written)


async def test_a_token_is_taken_from_the_file_that_the_hub_s_own_program_writes(
    desk: Desk,
) -> None:
    file = desk.folder / "user-home" / ".cache" / "huggingface" / "token"
    file.parent.mkdir(parents=True)
    file.write_text(f"{TOKEN}\n")
    desk.hub.add(REPO, desk.folder, {MODEL: content(10)}, is_private=True)
    assert (await desk.fetch()).state == "complete"


async def test_the_files_of_a_download_are_its_owner_s_alone(desk: Desk) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(10)})
    await desk.fetch()
    for path in (desk.folder / "home" / "downloads").rglob("*"):
        if path.name in ("request.json", "progress.json") and sys.platform != "win32":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("sent", [1, 100_000, 2 * MIB])
async def test_a_connection_that_breaks_off_is_made_again_from_the_byte_where_it_ended(
    desk: Desk, sent: int
) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(3 * MIB)})
    desk.hub.cuts = [sent]
    assert (await desk.fetch()).state == "complete"
    assert [one.first_byte for one in desk.hub.fetches()] == [0, sent]
    assert desk.models()[0].read_bytes() == content(3 * MIB)


async def test_a_hub_that_sends_no_part_is_asked_for_the_whole(desk: Desk) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(MIB)})
    desk.hub.cuts, desk.hub.takes_ranges = [500_000], False
    assert (await desk.fetch()).state == "complete"
    assert desk.models()[0].read_bytes() == content(MIB)


def left_half(desk: Desk, left: bytes) -> Path:
    """Leave a half file as llama-server does."""
    repo = desk.hub.repos[REPO]
    half = desk.cache / "models--someone--Tiny-GGUF" / "blobs" / sha256_of(repo.files[MODEL])
    half = half.with_name(half.name + ".downloadInProgress")
    half.parent.mkdir(parents=True)
    half.write_bytes(left)
    return half


@pytest.mark.parametrize("share", [0, 1, 0.5, 1.0])
async def test_what_another_program_has_left_is_gone_on_with(desk: Desk, share: float) -> None:
    whole = content(MIB)
    desk.hub.add(REPO, desk.folder, {MODEL: whole})
    had = int(share * MIB) if isinstance(share, float) else int(share)
    left_half(desk, whole[:had])
    assert (await desk.fetch()).state == "complete"
    assert [one.first_byte for one in desk.hub.fetches()] == ([had] if had < MIB else [])
    assert desk.models()[0].read_bytes() == whole and desk.halves() == []


@pytest.mark.parametrize("left", [content(1000, seed=2), content(MIB, seed=3), content(2 * MIB)])
async def test_what_was_left_and_is_not_of_the_file_is_fetched_anew(
    desk: Desk, left: bytes
) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(MIB)})
    left_half(desk, left)
    assert (await desk.fetch()).state == "complete"
    assert desk.models()[0].read_bytes() == content(MIB)


async def test_a_file_that_comes_damaged_once_is_fetched_once_more(desk: Desk) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(MIB)})
    desk.hub.damaged = 1
    download = await desk.fetch()
    assert "was not what the hub describes" in " ".join(download.notes)
    assert desk.models()[0].read_bytes() == content(MIB)


async def test_a_file_that_comes_damaged_twice_is_no_model_and_leaves_nothing(desk: Desk) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(MIB)})
    desk.hub.damaged = 2
    assert "came twice, and was not the file" in await desk.failure()
    assert desk.models() == [] and desk.halves() == []
    assert (await desk.fetch()).state == "complete"


@pytest.mark.parametrize("told", [MIB - 10, MIB + 10])
async def test_a_file_of_another_size_than_the_hub_says_is_no_model(desk: Desk, told: int) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(MIB)}, told_size={MODEL: told})
    assert "came twice, and was not the file" in await desk.failure()
    assert desk.models() == []


async def test_a_file_without_a_sha256_is_checked_by_git_s_own_hash(desk: Desk) -> None:
    repo = desk.hub.add(REPO, desk.folder, {MODEL: content(5000)}, small=frozenset({MODEL}))
    download = await desk.fetch()
    assert desk.blob_of(download).name == git_sha1_of(repo.files[MODEL])
    desk.hub.add("a/b", desk.folder, {MODEL: content(6000)}, small=frozenset({MODEL}))
    desk.hub.damaged = 2
    assert "its hash is" in await desk.failure("a/b")


async def test_a_model_appears_only_when_all_its_files_are_whole(desk: Desk) -> None:
    parts = [f"m-Q4_K_M-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
    desk.hub.add(REPO, desk.folder, {part: content(MIB, seed) for seed, part in enumerate(parts)})
    desk.hub.pause_at = MIB - 10
    assert (await desk.fetch(wait_seconds=0.5)).state == "downloading"
    await until(lambda: len(desk.halves()) == 1, "a half file")
    assert desk.models() == []
    desk.hub.pause_at = None
    desk.hub.go_on.set()
    assert (await desk.fetch()).state == "complete"
    assert [path.name for path in desk.models()] == parts


async def test_a_call_returns_in_time_and_the_same_call_shows_how_far_it_is(
    desk: Desk, desk_of: DeskOf
) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(3 * MIB)})
    desk.hub.pause_at = 2 * MIB
    first = await desk.fetch(wait_seconds=0)
    assert (first.state, first.model_path) == ("downloading", None)
    other = desk_of()
    while (now := await other.fetch(wait_seconds=0.1)).bytes.done < MIB // 2:
        assert now.state == "downloading"
    assert (now.bytes.total, now.quant) == (3 * MIB, "Q4_K_M")
    desk.hub.go_on.set()
    assert (await other.fetch()).state == (await desk.fetch()).state == "complete"
    assert len(desk.hub.fetches()) == 1
    done = [told.bytes.done for told in desk.told + other.told]
    assert max(done) <= 3 * MIB


async def test_a_download_that_is_cancelled_keeps_what_came_and_goes_on_from_there(
    desk: Desk, desk_of: DeskOf
) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(3 * MIB)})
    desk.hub.pause_at = 2 * MIB
    await desk.fetch(wait_seconds=0)
    other = desk_of()
    while (await other.fetch(wait_seconds=0.1)).bytes.done < MIB // 2:
        pass
    cancelled = await other.downloads.cancel(REPO)
    had = cancelled.bytes.done
    assert cancelled.state == "cancelled" and MIB // 2 <= had <= 2 * MIB
    assert [half.stat().st_size for half in desk.halves()] == [had]
    assert desk.models() == []
    desk.hub.pause_at = None
    desk.hub.go_on.set()
    assert (await desk.fetch()).state == "complete"
    assert [one.first_byte for one in desk.hub.fetches()] == [0, had]


async def test_a_program_that_was_slow_to_start_asks_the_hub_nothing_after_a_cancel(
    desk: Desk,
) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(3 * MIB)})
    desk.hub.pause_at = 2 * MIB
    await desk.fetch(wait_seconds=0)
    (program,) = desk.downloads._programs.values()
    with spawned_downloader(program.folder) as slow:
        await until(lambda: bool(desk.halves()), "bytes have come")
        assert (await desk.downloads.cancel(REPO)).state == "cancelled"
        before, asked = program.progress(), len(desk.hub.asked)
        slow.communicate(b"", PATIENCE_SECONDS)
    assert slow.returncode == 0
    assert (program.progress(), len(desk.hub.asked)) == (before, asked)


async def test_a_download_that_is_begun_again_while_it_ends_goes_on(desk: Desk) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(3 * MIB)})
    desk.hub.pause_at = 2 * MIB
    await desk.fetch(wait_seconds=0)
    (program,) = desk.downloads._programs.values()
    await until(lambda: bool(desk.halves()), "bytes have come")
    program.ask_to_end()
    desk.hub.pause_at = None
    desk.hub.go_on.set()
    assert (await desk.fetch()).state == "complete"


async def test_a_cancel_before_the_program_works_is_kept(desk: Desk) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(10)})
    await desk.fetch()
    (program,) = desk.downloads._programs.values()
    os.unlink(os.path.join(program.folder, records.PROGRESS))
    with spawned_downloader(program.folder) as slow:
        program.ask_to_end()
        slow.communicate(b"", PATIENCE_SECONDS)
    recorded = records.read(program.folder, records.PROGRESS, records.Progress)
    assert recorded is not None and (recorded.pid, recorded.state) == (slow.pid, "cancelled")


async def test_cancelling_what_is_complete_or_was_never_begun_says_so(desk: Desk) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(10)})
    with pytest.raises(DownloadFailedError, match="no download of .* None is under way"):
        await desk.downloads.cancel(REPO)
    desk.hub.pause_at = 0
    await desk.fetch(wait_seconds=0)
    await until(lambda: bool(desk.hub.fetches()), "the hub is asked for the file")
    with pytest.raises(DownloadFailedError, match=f"Under way: {REPO}"):
        await desk.downloads.cancel(f"{REPO}:Q8_0")
    desk.hub.go_on.set()
    await desk.fetch()
    assert (await desk.downloads.cancel(REPO)).state == "complete"


async def test_two_downloads_of_one_file_share_the_work(desk: Desk, desk_of: DeskOf) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(3 * MIB)})
    desk.hub.pause_at = MIB
    other = desk_of()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(desk.fetch, REPO)
        tasks.start_soon(other.fetch, f"{REPO}:Q4_K_M")
        await until(lambda: len(desk.hub.asked) >= 4, "both have asked what there is")
        desk.hub.go_on.set()
    assert [one.first_byte for one in desk.hub.fetches()] == [0]
    assert len(desk.models()) == 1


async def test_calls_that_begin_the_same_at_once_start_one_program(desk: Desk) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(MIB)})
    results = []

    async def fetch(name: str) -> None:
        results.append(await desk.fetch(name))

    async with anyio.create_task_group() as tasks:
        for name in (REPO, f" {REPO}", f"https://huggingface.co/{REPO}", REPO.lower()):
            tasks.start_soon(fetch, name)
    assert {result.state for result in results} == {"complete"}
    assert len([one for one in desk.hub.asked if "api" in one.path]) == 1


async def test_a_repository_that_has_another_name_now_is_fetched_and_told(desk: Desk) -> None:
    desk.hub.add("new/Name", desk.folder, {MODEL: content(10)})
    desk.hub.renamed[REPO] = "new/Name"
    download = await desk.fetch()
    assert download.notes == ["someone/Tiny-GGUF is called new/Name now."]
    assert "models--new--Name" in (download.model_path or "")


async def test_a_newer_commit_leaves_the_quants_visible_that_are_here(desk: Desk) -> None:
    files = {MODEL: content(10), "Tiny-Q8_0.gguf": content(20)}
    repo = desk.hub.add(REPO, desk.folder, files)
    await desk.fetch(f"{REPO}:Q8_0")
    repo.commit = "b" * 40
    await desk.fetch()
    now = [path.name for path in desk.models() if "b" * 40 in path.parts]
    assert now == [MODEL, "Tiny-Q8_0.gguf"]


async def test_another_revision_is_fetched_and_leaves_main_alone(desk: Desk) -> None:
    repo = desk.hub.add(REPO, desk.folder, {MODEL: content(10)})
    assert "has no revision v2" in await desk.failure(f"{REPO}/tree/v2")
    download = await desk.fetch(f"{REPO}/resolve/{repo.commit}/{MODEL}")
    assert download.state == "complete"
    assert not (desk.cache / "models--someone--Tiny-GGUF" / "refs").exists()


async def test_gated_private_and_missing_are_each_told_with_what_to_do(
    desk: Desk, desk_of: DeskOf
) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(10)}, is_gated=True)
    desk.hub.add("a/private", desk.folder, {MODEL: content(10)}, is_private=True)
    gated = await desk.failure()
    assert f"accept the terms at {desk.hub.endpoint}/{REPO}" in gated and "HF_TOKEN" in gated
    for name in ("a/private", "no/such"):
        absent = await desk.failure(name)
        assert f"knows no {name}, or it is private" in absent and "HF_TOKEN" in absent
    stranger = desk_of(HF_TOKEN="hf_" + "x" * 37)
    refused = await stranger.failure("a/private")
    assert "does not take the token" in refused and "x" * 37 not in refused
    friend = desk_of(HF_TOKEN=TOKEN)
    assert "does not open it" in await friend.failure("no/such")


async def test_a_hub_that_asks_for_patience_or_is_out_of_order_is_asked_again(desk: Desk) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(10)})
    desk.hub.refusals = [(429, {"Retry-After": "1"}), (503, {}), (200 + 302, {})]
    assert (await desk.fetch()).state == "complete"
    doing = [told.doing for told in desk.told]
    assert any(text and "429, too many requests" in text for text in doing)


async def test_a_hub_that_asks_to_be_left_alone_for_long_is_left_alone(desk: Desk) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(10)})
    desk.hub.refusals = [(429, {"Retry-After": "7200"})]
    failure = await desk.failure()
    assert "429" in failure and "in 2 h" in failure and "call again later" in failure
    assert len(desk.hub.asked) == 1


async def test_a_hub_that_stays_busy_is_told_by_what_it_says(desk: Desk) -> None:
    desk.hub.refusals = [(429, {"Retry-After": "0"})] * 4
    failure = await desk.failure()
    assert "429, too many requests" in failure and "4 times in a row" in failure


async def test_who_never_waits_is_told_how_it_ended(desk: Desk, desk_of: DeskOf) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(10)})
    assert (await desk.fetch("no/such", wait_seconds=0)).state == "downloading"
    desk.wait_for_programs()
    with pytest.raises(DownloadFailedError, match="knows no no/such"):
        await desk.fetch("no/such", wait_seconds=0)
    desk.hub.add("no/such", desk.folder, {MODEL: content(10)})
    assert (await desk.fetch("no/such")).state == "complete"
    offline = desk_of(HF_HUB_OFFLINE="1")
    await offline.fetch("no/such:q4_k_m", wait_seconds=0)
    offline.wait_for_programs()
    assert (await offline.fetch("no/such:q4_k_m", wait_seconds=0)).state == "complete"


async def test_what_has_failed_is_not_said_to_be_cancelled(desk: Desk) -> None:
    await desk.failure("no/such")
    with pytest.raises(DownloadFailedError, match="nothing to cancel.* knows no no/such"):
        await desk.downloads.cancel("no/such")


async def test_a_redirection_is_followed_however_its_address_is_written(desk: Desk) -> None:
    # The hub of these tests writes the names of files into it as they are.
    desk.hub.add(REPO, desk.folder, {"a model (v1) Q4_K_M.gguf": content(10)})
    download = await desk.fetch()
    assert download.state == "complete" and desk.bytes_of(download) == content(10)


async def test_without_a_network_the_cache_serves_what_it_has_and_the_rest_is_told(
    desk: Desk, desk_of: DeskOf
) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(10), "Tiny-Q8_0.gguf": content(20)})
    path = (await desk.fetch()).model_path
    away = desk_of(HF_ENDPOINT="http://127.0.0.1:9")
    offline = desk_of(HF_HUB_OFFLINE="1")
    asked = len(desk.hub.asked)
    for one, why in ((away, "127.0.0.1:9 was not reached"), (offline, "HF_HUB_OFFLINE is set")):
        cached = await one.fetch(f"{REPO}:q4_k_m")
        assert (cached.state, cached.model_path) == ("complete", path)
        assert why in cached.notes[0] and "from the cache" in cached.notes[0]
        failure = await one.failure("other/Model")
        assert why in failure and f"it has {REPO}" in failure
        other = await one.failure(f"{REPO}:Q8_0")
        assert why in other and "only the cache counts" in other
        assert "has no quant Q8_0. It has: Q4_K_M" in other
    assert len(desk.hub.asked) == asked


async def test_an_answer_that_is_none_of_a_hub_is_told(desk: Desk) -> None:
    desk.hub.refusals = [(200, {})]
    failure = await desk.failure()
    assert "no description of a repository" in failure and "HF_ENDPOINT" in failure


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://x/"])
async def test_a_redirection_to_something_else_than_http_is_not_followed(
    desk: Desk, target: str
) -> None:
    desk.hub.refusals = [(302, {"Location": target})]
    assert "Nothing was fetched from there" in await desk.failure()


async def test_redirections_without_end_are_told(desk: Desk) -> None:
    desk.hub.refusals = [(302, {"Location": "/again"})] * 20
    assert "redirects again and again" in await desk.failure()


async def test_names_of_files_that_would_leave_the_cache_are_left_out(desk: Desk) -> None:
    repo = desk.hub.add(REPO, desk.folder, {MODEL: content(10)})
    for path in (
        "../evil-Q8_0.gguf",
        "a/../../evil-Q8_0.gguf",
        "/evil-Q8_0.gguf",
        "a\\b-Q8_0.gguf",
    ):
        repo.files[path] = repo.files[MODEL]
    download = await desk.fetch()
    assert download.state == "complete" and download.other_quants == []


async def test_a_disk_without_room_is_told_before_a_byte_is_fetched(desk: Desk) -> None:
    huge = 10**15
    desk.hub.add(REPO, desk.folder, {MODEL: content(10)}, told_size={MODEL: huge})
    failure = await desk.failure()
    assert "needs 931322.6 GiB more on the disk of" in failure and "are free" in failure
    assert desk.hub.fetches() == [] and desk.halves() == []


@pytest.mark.posix
async def test_a_disk_that_takes_no_more_ends_it_and_the_same_call_goes_on(desk: Desk) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(4 * MIB)})
    desk.hub.pause_at = MIB
    await desk.fetch(wait_seconds=0)
    await until(lambda: bool(desk.halves()), "a half file")
    (program,) = desk.downloads._programs.values()
    assert program._process is not None
    limit_file_size(program._process.pid, 2 * MIB)
    desk.hub.pause_at = None
    desk.hub.go_on.set()
    with pytest.raises(Exception, match="allows no file as large"):
        await desk.fetch()
    assert desk.models() == []
    assert (await desk.fetch()).state == "complete"
    assert desk.hub.fetches()[-1].first_byte >= MIB


@pytest.mark.posix
async def test_a_file_that_vanishes_ends_the_download_and_the_same_call_begins_anew(
    desk: Desk,
) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(4 * MIB)})
    desk.hub.pause_at = MIB
    await desk.fetch(wait_seconds=0)
    await until(lambda: bool(desk.halves()), "a half file")
    (half,) = desk.halves()
    half.unlink()
    desk.hub.pause_at = None
    desk.hub.go_on.set()
    assert "Somebody has removed" in await desk.failure()
    assert (await desk.fetch()).state == "complete"


async def test_a_cache_that_cannot_be_written_to_is_told(desk: Desk) -> None:
    desk.cache.parent.mkdir(parents=True)
    desk.cache.write_text("a file where a folder belongs")
    desk.hub.add(REPO, desk.folder, {MODEL: content(10)})
    failure = await desk.failure()
    assert f"could not be kept in {desk.cache}" in failure
    assert "HF_HUB_CACHE" in failure


async def test_an_operator_can_forbid_downloads(desk: Desk) -> None:
    settings = {"LLAMA_MCP_HOME": str(desk.folder), "LLAMA_MCP_DOWNLOADS": "OFF"}
    desk.downloads._settings = read_settings(settings)
    for act in (desk.fetch, desk.downloads.cancel):
        with pytest.raises(DownloadsForbiddenError, match="LLAMA_MCP_DOWNLOADS"):
            await act(REPO)
    desk.downloads._settings = read_settings(settings | {"LLAMA_MCP_DOWNLOADS": "perhaps"})
    with pytest.raises(WrongSettingsError, match="Nothing was done.*true or false"):
        await desk.fetch()
    assert desk.hub.asked == []


async def test_nothing_is_downloaded_to_where_no_model_may_come_from(desk: Desk) -> None:
    allowed = {"LLAMA_MCP_HOME": str(desk.folder), "LLAMA_MCP_ALLOWED_PATHS": "/nowhere"}
    desk.downloads._settings = read_settings(allowed)
    failure = await desk.failure()
    assert "/nowhere" in failure and "HF_HUB_CACHE" in failure and str(desk.cache) not in failure


async def test_records_that_are_damaged_or_of_another_version_are_no_obstacle(desk: Desk) -> None:
    desk.hub.add(REPO, desk.folder, {MODEL: content(10)})
    await desk.fetch()
    (record,) = (desk.folder / "home" / "downloads").glob("*/progress.json")
    whole = json.loads(record.read_text())
    for damaged in ("", "[]", '{"state": 1}', json.dumps(whole | {"files": "x", "new": 1})):
        record.write_text(damaged)
        assert (await desk.fetch()).state == "complete"
    record.write_text(json.dumps(whole | {"of_a_later_version": 1}))
    assert (await desk.fetch()).state == "complete"
