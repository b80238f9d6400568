"""What a session finds again after its llama-server was stopped, with a real engine."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.callers import LOCAL_OWNER
from llama_mcp.keeper import kv_files, run_dir
from llama_mcp.llama_server.errors import LlamaServerLostError
from llama_mcp.llama_server.restored_prompt import FROM_DISK, INEFFECTIVE, KeptPrompt, ServedTurn
from llama_mcp.llama_server.runs.start_lock import StartLock
from llama_mcp.sessions.errors import SessionBusyError
from llama_mcp.turns.replies.partial_reply import PartialReply
from llama_mcp.turns.restoring import PromptRestoring
from tests.llama_server.saved_kv.conftest import LONG, Home
from tests.support.pipes import make_pipe
from tests.support.processes import is_gone, limit_file_size, until
from tests.support.tiny_model import write_tiny_model
from tests.support.tiny_recurrent_model import write_tiny_recurrent_model
from tests.support.tiny_window_model import write_tiny_window_model


async def test_two_sessions_go_on_from_disk_and_say_what_they_would_have_said(
    open_home: Any, engine: str, tmp_path: Path
) -> None:
    replies: dict[int, list[str]] = {}
    for limit_mb in (2048, 0):
        home_folder = tmp_path / f"home-{limit_mb}"
        async with open_home(home=home_folder, llama_cpp_path=engine, kv_disk_mb=limit_mb) as home:
            first = [await home.say(name + LONG) for name in ("Anna", "Bert")]
            await home.stop()
            second = [await home.say("And the lakes?", each.session_id) for each in first]
        replies[limit_mb] = [each.reply for each in (*first, *second)]
        for before, after in zip(first, second, strict=True):
            receipt, held = after.receipt, before.context.tokens_used
            assert held is not None and receipt.cached_tokens is not None
            if limit_mb:
                assert (receipt.restore, receipt.cache_miss) == (FROM_DISK, None)
                # The last token of a reply is never read by its model.
                assert receipt.restored_tokens == receipt.cached_tokens == held - 1
                assert receipt.restore_ms is not None
            else:
                assert receipt.restore is None and receipt.cached_tokens < held / 2
                assert str(receipt.cache_miss).startswith("server restarted")
                assert not home.files()
    assert replies[0] == replies[2048]


async def test_a_session_is_restored_once_for_each_llama_server(home: Home) -> None:
    session = (await home.say(LONG)).session_id
    for _ in range(2):
        await home.stop()
        assert (await home.say("Go on.", session)).receipt.restore == FROM_DISK
        again = await home.say("Go on.", session)
        assert again.receipt.restore is None and again.receipt.cache_miss is None
    # One file a session, and what it had is replaced.
    assert [path.name for path in home.files()] == [f"{session}{kv_files.DATA}"]


async def test_a_session_that_was_left_alone_for_a_launch_still_has_its_file(home: Home) -> None:
    first, second = (await home.say(LONG)).session_id, (await home.say("B" + LONG)).session_id
    await home.stop()
    assert (await home.say("Go on.", first)).receipt.restore == FROM_DISK
    await home.stop()
    assert (await home.say("Go on.", second)).receipt.restore == FROM_DISK


async def test_more_sessions_than_slots_are_restored_and_none_that_lives_is_lost(
    open_home: Any, engine: str
) -> None:
    async with open_home(parallel=4, llama_cpp_path=engine) as home:
        sessions = [(await home.say(name + LONG)).session_id for name in "ABCD"]
        await home.stop()
        await home.start(parallel=4)
        lively = [(await home.say(name + LONG)).session_id for name in "EFGH"]
        receipts = [(await home.say("Go on.", each)).receipt for each in sessions]
        assert [receipt.restore for receipt in receipts] == [FROM_DISK] * 4
        assert [receipt.cache_miss for receipt in receipts] == [None] * 4
        again = [(await home.say("Go on.", each)).receipt.cache_miss for each in lively]
        assert again == [None] * 4


async def test_nothing_short_and_no_forced_stop_is_saved(home: Home) -> None:
    await home.say("Hello.")
    await home.stop()
    assert not home.files()
    session = (await home.say(LONG)).session_id
    await home.stop(force=True)
    assert not home.files()
    receipt = (await home.say("Go on.", session)).receipt
    assert receipt.restore is None
    assert str(receipt.cache_miss).startswith("server restarted")


async def test_an_unused_llama_server_is_saved_when_its_last_client_has_left(
    open_home: Any,
) -> None:
    async with open_home() as home:
        session = (await home.say(LONG)).session_id
    async with open_home() as home:
        assert len(home.proved()) == 1
        assert (await home.say("Go on.", session)).receipt.restore == FROM_DISK


@pytest.mark.posix
async def test_a_crash_leaves_nothing_and_a_file_of_before_helps(home: Home) -> None:
    session = (await home.say(LONG)).session_id
    await home.stop()
    assert (await home.say("Go on.", session)).receipt.restore == FROM_DISK
    ready = await home.ready()
    state = ready.run.state()
    assert state is not None and state.llama_server is not None
    pid = state.llama_server.pid
    os.kill(pid, signal.Signals["SIGKILL"])
    await until(lambda: is_gone(pid), "llama-server is gone")
    receipt = (await home.say("And on.", session)).receipt
    assert receipt.restore == FROM_DISK
    assert receipt.restored_tokens is not None and receipt.cached_tokens is not None
    assert receipt.cached_tokens >= receipt.restored_tokens - 8


@pytest.mark.posix
@pytest.mark.parametrize("ends", [True, False])
async def test_a_file_with_which_llama_server_was_lost_is_not_tried_again(
    home: Home, ends: bool
) -> None:
    session = (await home.say(LONG)).session_id
    await home.stop()
    await home.start()
    ready, archive = await home.ready(), home.services.archive
    begun = await archive.begin_turn(session, "Go on.", owner=LOCAL_OWNER)
    reply = PartialReply(model=ready.model)
    body = {"messages": [{"role": "user", "content": LONG}]}
    with pytest.raises(LlamaServerLostError):
        async with PromptRestoring(begun, archive).restored(ready, body, reply) as restored:
            assert restored is not None and restored.outcome == FROM_DISK
            assert home.files()
            if ends:
                await home.stop(force=True)
            raise LlamaServerLostError("the connection was closed")
    assert bool(home.files()) != ends


async def test_a_full_disk_at_the_end_leaves_nothing_that_is_used(home: Home) -> None:
    session = (await home.say(LONG)).session_id
    state = (await home.ready()).run.state()
    assert state is not None and state.llama_server is not None
    limit_file_size(state.llama_server.pid, 100_000)
    await home.stop()
    assert "is not saved: llama-server says" in home.keeper_log()
    assert not home.proved()
    assert (await home.say("Go on.", session)).receipt.restore is None


@pytest.mark.posix
async def test_a_save_that_hangs_holds_up_a_stop_no_longer_than_its_limit(
    home: Home,
) -> None:
    session = (await home.say(LONG)).session_id
    ready = await home.ready()
    fifo = await _hang_the_save(ready)
    await home.stop()
    assert not fifo.exists() and not home.proved()
    assert "it takes too long" in home.keeper_log()
    assert (await home.say("Go on.", session)).receipt.restore is None


@pytest.mark.posix
@pytest.mark.parametrize("victim", ["keeper", "llama_server"])
async def test_whoever_is_killed_in_mid_save_leaves_nothing_that_is_restored(
    open_home: Any, victim: str
) -> None:
    async with open_home() as home:
        session = (await home.say(LONG)).session_id
        ready = await home.ready()
        fifo = await _hang_the_save(ready)
        state = ready.run.state()
        assert state is not None and state.llama_server is not None
        ready.run.request_stop()
        await until(lambda: "asked to stop" in home.keeper_log(), "the keeper saves")
        os.kill(getattr(state, victim).pid, signal.Signals["SIGKILL"])
        pid = state.llama_server.pid
        await until(lambda: is_gone(pid), "llama-server is gone")
        await until(lambda: is_gone(state.keeper.pid), "its keeper is gone")
        await home.services.supervisor.status()
        # What a disk that is slow, and no pipe, would have by then.
        fifo.unlink(missing_ok=True)
        fifo.write_bytes(b"qsgg" + bytes(90_000))
    async with open_home() as home:
        assert (await home.say("Go on.", session)).receipt.restore is None
        await until(lambda: not home.files(), "what was not proved is swept")


async def test_deleting_a_session_deletes_what_is_saved_and_has_no_more_saved(home: Home) -> None:
    kept, gone, lively = [(await home.say(name + LONG)).session_id for name in "ABC"]
    await home.stop()
    assert len(home.proved()) == 2  # as many as there are slots
    await home.say("Go on.", gone)
    await home.say("Go on.", lively)
    await home.services.delete_session(gone, owner=LOCAL_OWNER)
    assert not [path for path in home.files() if path.stem == gone]
    await home.say("And on.", lively)
    await home.stop()
    saved = [path for path in home.proved() if kv_files.run_of(path.name)]
    assert len(saved) == 1
    assert (await home.say("Go on.", lively)).receipt.restore == FROM_DISK
    assert kept


async def test_deleting_deletes_what_is_not_known_whose_it_is(home: Home) -> None:
    sessions = [(await home.say(name + LONG)).session_id for name in "AB"]
    await home.stop()
    assert len(home.proved()) == 2
    await home.services.delete_session(sessions[0], owner=LOCAL_OWNER)
    assert not home.files()


async def test_a_fork_has_no_part_in_what_is_saved(home: Home) -> None:
    origin = (await home.say(LONG)).session_id
    await home.stop()
    fork = (await home.services.archive.fork_session(origin, owner=LOCAL_OWNER)).session_id
    assert (await home.say("Go on.", fork)).receipt.restore is None
    assert (await home.say("Go on.", origin)).receipt.restore == FROM_DISK


async def test_a_session_with_the_same_beginning_takes_nothing_from_another(
    open_home: Any,
) -> None:
    async with open_home(parallel=1) as home:
        first = (await home.say(LONG + "Why?")).session_id
        second = (await home.say(LONG + "And how long?")).session_id
        await home.stop()
        assert len(home.proved()) == 1  # there is one slot
        assert (await home.say("Go on.", first)).receipt.restore == FROM_DISK
        assert not [path for path in home.files() if path.stem == first]
        assert (await home.say("Go on.", second)).receipt.restore == FROM_DISK
        await home.services.delete_session(second, owner=LOCAL_OWNER)
        assert not home.files()


async def test_a_session_that_changes_its_model_to_and_fro_goes_on_from_what_each_has_read(
    open_home: Any, tmp_path: Path
) -> None:
    models = [
        str(write_tiny_model(tmp_path / f"{name}.gguf", context_length=8192, seed=seed))
        for seed, name in enumerate(("one", "two"))
    ]
    async with open_home() as home:
        await home.start(model_path=models[0])
        session = (await home.say(LONG)).session_id
        restored = []
        for number in (1, 0, 1, 0):
            await home.stop()
            await home.start(model_path=models[number])
            restored.append((await home.say("Go on. " * 20, session)).receipt.restore)
        assert restored == [None, FROM_DISK, FROM_DISK, FROM_DISK]


async def test_a_folder_that_somebody_has_removed_is_made_again_for_what_is_saved(
    home: Home,
) -> None:
    session = (await home.say(LONG)).session_id
    shutil.rmtree(home.kv)
    await home.stop()
    assert (await home.say("Go on.", session)).receipt.restore == FROM_DISK
    if os.name == "posix":
        assert [path.stat().st_mode & 0o777 for path in home.kv.rglob("*.kv")] == [0o600]
        assert [path.stat().st_mode & 0o777 for path in (home.kv, *home.kv.iterdir())] == [
            0o700
        ] * 2


async def test_switching_it_off_sweeps_what_there_is(open_home: Any) -> None:
    async with open_home() as home:
        session = (await home.say(LONG)).session_id
    assert home.files()
    async with open_home(kv_disk_mb=0) as home:
        assert (await home.say("Go on.", session)).receipt.restore is None
        await until(lambda: not home.files(), "all is swept")


@pytest.mark.posix
async def test_once_it_is_switched_off_nothing_is_saved_of_what_was_launched_before(
    open_home: Any,
) -> None:
    async with open_home() as before, open_home(kv_disk_mb=0) as home:
        session = (await before.say(LONG)).session_id
        run = (await home.ready()).run
        await until(lambda: (run.folder / run_dir.FORGOTTEN).exists(), "its keeper is told")
        run.request_stop()
        keeper = run.state()
        assert keeper is not None
        await until(lambda: is_gone(keeper.keeper.pid), "its keeper is gone")
        assert not home.files()
        # As a replacement that fails has it launched again.
        runs_dir, attachment = run.folder.parent, home.services.supervisor.attachment
        async with StartLock(runs_dir, attachment, may_save=False).hold() as exclusive:
            launched = await exclusive.launch(run.launch)
        assert launched.launch.saved_kv is None
        receipt = (await home.say("Go on.", session)).receipt
        assert receipt.restore is None and not home.files()


async def test_what_is_saved_of_a_session_that_cannot_be_deleted_now_stays(home: Home) -> None:
    session = (await home.say(LONG)).session_id
    await home.stop()
    await home.services.archive.begin_turn(session, "Go on.", owner=LOCAL_OWNER)
    with pytest.raises(SessionBusyError):
        await home.services.delete_session(session, owner=LOCAL_OWNER)
    assert len(home.proved()) == 1


async def test_what_is_saved_of_sessions_that_are_gone_is_swept(
    open_home: Any, tmp_path: Path
) -> None:
    async with open_home() as home:
        session = (await home.say(LONG)).session_id
        await home.stop()
        await home.say("Go on.", session)
        assert [path.stem for path in home.files()] == [session]
        # By a version that knows nothing of them.
        await home.services.archive.delete_session(session, owner=LOCAL_OWNER)
    async with open_home() as home:
        await home.services.supervisor.status()
        await until(lambda: session not in {path.stem for path in home.files()}, "it is swept")


async def test_a_model_that_is_not_the_same_any_more_gets_no_file(
    open_home: Any, tmp_path: Path
) -> None:
    model = write_tiny_model(tmp_path / "own.gguf", context_length=8192)
    facts = model.stat()
    async with open_home(model_path=str(model)) as home:
        session = (await home.say(LONG)).session_id
        await home.stop()
        assert len(home.proved()) == 1
        write_tiny_model(model, context_length=8192, seed=1)
        os.utime(model, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        assert (model.stat().st_size, model.stat().st_mtime_ns) == (
            facts.st_size,
            facts.st_mtime_ns,
        )
        assert (await home.say("Go on.", session)).receipt.restore is None


def _last_run(home: Home) -> str:
    (path,) = home.files()
    run = kv_files.run_of(path.name)
    assert run is not None
    return run


async def _hang_the_save(ready: Any) -> Path:
    """Put a pipe without a reader where llama-server will write."""
    kv = ready.run.launch.saved_kv
    assert kv is not None
    slots = await ready.client.get_or_none("/slots")
    (number,) = [slot["id"] for slot in slots if slot.get("n_prompt_tokens")]
    fifo = Path(kv.folder) / kv_files.incoming_name(ready.run.folder.name, number)
    make_pipe(fifo)
    return fifo


@pytest.mark.parametrize("write", [write_tiny_recurrent_model, write_tiny_window_model])
async def test_a_model_that_cannot_go_back_goes_on_from_a_file_or_is_found_out_once(
    open_home: Any, engine: str, tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    async with open_home(
        model_path=str(write(tmp_path / "model.gguf")), llama_cpp_path=engine
    ) as home:
        session = (await home.say(LONG)).session_id
        await home.stop()
        receipt = (await home.say("Go on.", session)).receipt
        await home.stop()
        told = "no prompt cache is saved: this model cannot go on from a file"
        if receipt.restore == INEFFECTIVE:
            assert "cannot go on from a saved prompt cache" in str(receipt.cache_miss)
            assert not home.files() and told in home.keeper_log()
            return
        assert receipt.restore == FROM_DISK
        await home.start()
        ready = await home.ready()
        # Where this prompt is another the state of the file lies behind.
        body = {"messages": [{"role": "user", "content": LONG[:-200]}], "max_tokens": 1}
        restored = await ready.restore_prompt(body, KeptPrompt(session, {}, None))
        assert restored is not None and restored.outcome == FROM_DISK
        answer = await ready.client.post("/v1/chat/completions", body)
        assert answer is not None
        restored.let_go()
        cached = answer["timings"]["cache_n"]
        # b11434 reads all again; b11549 has saved places to go back to.
        is_effective = cached >= restored.common / 2
        used = answer["usage"]["total_tokens"]
        assert await restored.judged(cached, used) == (FROM_DISK if is_effective else INEFFECTIVE)
        assert bool(home.files()) == is_effective
        await home.say(LONG)
        await home.stop()
        assert (told in home.keeper_log()) != is_effective


async def test_of_a_model_that_was_found_out_nothing_is_saved_or_tried_again(home: Home) -> None:
    session = (await home.say(LONG)).session_id
    await home.stop()
    await home.start()
    ready = await home.ready()
    body = {"messages": [{"role": "user", "content": LONG}], "max_tokens": 1}
    kept = KeptPrompt(session, {_last_run(home): ServedTurn(None, 8)}, None)
    restored = await ready.restore_prompt(body, kept)
    assert restored is not None and restored.outcome == FROM_DISK
    answer = await ready.client.post("/v1/chat/completions", body)
    assert answer is not None
    restored.let_go()
    assert await restored.judged(0, answer["usage"]["total_tokens"]) == INEFFECTIVE
    assert not home.files()
    await home.say("Go on.", session)
    await home.stop()
    assert "no prompt cache is saved: this model cannot go on from a file" in home.keeper_log()
    receipt = (await home.say("And on.", session)).receipt
    assert receipt.restore is None and not home.files()


async def test_a_prompt_that_was_read_in_another_slot_condemns_no_model(home: Home) -> None:
    session = (await home.say(LONG)).session_id
    await home.stop()
    await home.say("Go on.", session)
    ready = await home.ready()
    body = {"messages": [{"role": "user", "content": LONG}]}
    restored = await ready.restore_prompt(body, KeptPrompt(session, {}, None))
    assert restored is not None and restored.outcome == FROM_DISK
    # Of somebody else, who has found the slot idle before the turn came, and has as long a prompt.
    other = {"prompt": LONG.upper() * 2, "n_predict": 1, "id_slot": restored.slot}
    answer = await ready.client.post("/completion", other)
    assert answer is not None and answer["id_slot"] == restored.slot
    for used in (restored.tokens + 100, None):
        assert "in another slot" in await restored.judged(0, used)
    restored.let_go()
    assert home.files()


async def test_with_whole_windows_the_same_model_goes_on_from_a_file(
    open_home: Any, engine: str, tmp_path: Path
) -> None:
    model = write_tiny_window_model(tmp_path / "window.gguf")
    whole = ("-t", "1", "--swa-full")
    async with open_home(model_path=str(model), llama_cpp_path=engine, extra_args=whole) as home:
        session = (await home.say(LONG * 3)).session_id
        await home.stop()
        receipt = (await home.say("Go on.", session)).receipt
        assert (receipt.restore, receipt.cache_miss) == (FROM_DISK, None)


async def test_a_model_that_was_unloaded_for_want_of_turns_comes_back_with_its_cache(
    open_home: Any,
) -> None:
    async with open_home(idle_seconds=0.2) as home:
        session = (await home.say(LONG)).session_id
        await until(lambda: bool(home.proved()), "it is saved and unloaded")
        receipt = (await home.say("Go on.", session)).receipt
        assert receipt.restore == FROM_DISK
