"""A llama-server that crashes, falls silent or is replaced, and who may do what to it."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

import anyio
import psutil
import pytest

from tests.fake_llama_server.install import (
    install_fake,
    received_requests,
    recorded_launches,
    set_faults,
)
from tests.support.client_process import LlamaMCP, Progress
from tests.support.processes import command_lines_of, is_gone, processes_of, until
from tests.support.quick import first_quick
from tests.support.raw_client import raw_client


async def test_a_crash_is_named_and_the_next_chat_starts_it_again(llama_mcp: LlamaMCP) -> None:
    async with llama_mcp.connect() as connection:
        started = await connection.call("start_llama_server")
        psutil.Process(started["pid"]).kill()
        await until(lambda: is_gone(started["pid"]), "it is dead")
        status = await connection.call("status")
        assert status["state"] == "crashed"
        assert status["last_exit"]["signal"] == 9
        reply = await connection.call("chat", message="Hello", max_tokens=2)
        assert any("started again after a crash" in note for note in reply["notes"])
        again = await connection.call("status")
        assert again["state"] == "ready" and again["pid"] != started["pid"]


async def test_a_crash_loop_is_ended_after_three_restarts_and_keeps_the_first_failure(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, die_at_token={"n": 1, "signal": 11})
    async with llama_mcp.having(LLAMA_CPP_PATH=str(fake)).connect() as connection:
        await connection.call("start_llama_server")
        for _ in range(4):
            assert "SIGSEGV" in await connection.refusal("chat", message="Hello")
        refusal = await connection.refusal("chat", message="Hello")
        assert "crash loop" in refusal and "3 times" in refusal and "SIGSEGV" in refusal
        assert len(recorded_launches(fake_folder)) == 4
        # A person's start is a fresh start.
        set_faults(fake_folder)
        await connection.call("start_llama_server")
        await connection.call("chat", message="Hello")


async def test_without_auto_restart_a_crash_stays_a_crash(llama_mcp: LlamaMCP) -> None:
    async with llama_mcp.having(AUTO_RESTART="false").connect() as connection:
        started = await connection.call("start_llama_server")
        psutil.Process(started["pid"]).kill()
        await until(lambda: is_gone(started["pid"]), "it is dead")
        refusal = await connection.refusal("chat", message="Hello")
        assert "has crashed" in refusal and "start_llama_server" in refusal


async def test_a_llama_server_that_falls_silent_is_found_unresponsive_and_recovers(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, healthy_but_dead=True)
    having = llama_mcp.having(LLAMA_CPP_PATH=str(fake), UNRESPONSIVE_SECONDS="1.5")
    async with having.connect() as connection:
        await connection.call("start_llama_server")
        refusal = await connection.refusal("chat", message="Hello")
        assert "unresponsive" in refusal and "force=true" in refusal
        assert (await connection.call("status"))["state"] == "unresponsive"
        set_faults(fake_folder)
        assert (await connection.call("chat", message="Hello"))["status"] == "complete"
        assert (await connection.call("status"))["state"] == "ready"


async def test_a_slow_llama_server_is_not_taken_for_a_dead_one(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, slow_headers_seconds=2.3)
    having = llama_mcp.having(LLAMA_CPP_PATH=str(fake), UNRESPONSIVE_SECONDS="2.0")
    async with having.connect() as connection:
        await connection.call("start_llama_server")
        assert (await connection.call("chat", message="Hello"))["status"] == "complete"


@pytest.mark.parametrize("wait_seconds", first_quick(50, 0.1))
async def test_a_replacement_that_does_not_start_brings_the_old_one_back(
    llama_mcp: LlamaMCP, fake_folder: Path, wait_seconds: float
) -> None:
    install_fake(fake_folder, exit_during_load=1, load_seconds=0.5)
    async with llama_mcp.connect() as connection:
        started = await connection.call("start_llama_server")
        result = await connection.result(
            "start_llama_server",
            llama_cpp_path=str(fake_folder),
            replace=True,
            wait_seconds=wait_seconds,
        )
        assert result.is_error == (wait_seconds == 50)
        await connection.call_until(lambda status: status["state"] == "ready", "status")
        assert (await connection.call("get_config"))["llama_cpp_path"] == "embedded"
        assert (await connection.call("status"))["port"] == started["port"]
        assert (await connection.call("chat", message="Hello", max_tokens=2))["turn"] == 1


@pytest.mark.slow
async def test_three_starts_at_the_same_instant_make_one_llama_server(llama_mcp: LlamaMCP) -> None:
    pids = []
    async with (
        llama_mcp.connect() as one,
        llama_mcp.connect() as two,
        llama_mcp.connect() as three,
        anyio.create_task_group() as tasks,
    ):

        async def start(connection: object) -> None:
            pids.append((await connection.call("start_llama_server"))["pid"])  # type: ignore[attr-defined]

        async with anyio.create_task_group() as starts:
            for connection in (one, two, three):
                starts.start_soon(start, connection)
        assert len(pids) == 3 and len(set(pids)) == 1
        assert (await two.call("status"))["clients"] == 3
        tasks.cancel_scope.cancel()


async def test_a_kept_llama_server_is_adopted_by_a_later_llama_mcp(llama_mcp: LlamaMCP) -> None:
    keep = llama_mcp.having(LINGER_SECONDS="-1")
    async with keep.connect() as connection:
        pid = (await connection.call("start_llama_server"))["pid"]
    async with keep.connect() as connection:
        status = await connection.call("status")
        assert (status["state"], status["pid"]) == ("ready", pid)
        # Looking takes no lease; the first chat does.
        assert status.get("clients", 0) == 0
        await connection.call("chat", message="Hello", max_tokens=2)
        assert (await connection.call("status"))["clients"] == 1
        await connection.call("stop_llama_server")


@pytest.mark.parametrize(
    "is_killed",
    [
        pytest.param(False, id="closed"),
        pytest.param(True, id="killed", marks=pytest.mark.posix),
    ],
)
async def test_unless_set_a_model_stays_however_its_last_client_left_until_it_is_stopped(
    llama_mcp: LlamaMCP, is_killed: bool
) -> None:
    as_shipped = llama_mcp.having(LINGER_SECONDS="")
    async with raw_client(as_shipped) as client:
        await client.hello()
        pid = (await client.call("start_llama_server"))["structuredContent"]["pid"]
        if is_killed:
            client.process.kill()
        else:
            assert client.process.stdin is not None
            await client.process.stdin.aclose()
        await client.exit_code()
    async with as_shipped.connect() as connection:
        reply = await connection.call("chat", message="Hello", max_tokens=2)
        assert reply["turn"] == 1
        status = await connection.call("status")
        assert (status["state"], status["pid"]) == ("ready", pid)
        await connection.call("stop_llama_server")
        assert is_gone(pid)
    await until(lambda: not processes_of(llama_mcp.home), "its keeper has left")


async def test_an_api_key_of_its_own_keeps_everybody_else_out(
    llama_mcp: LlamaMCP, engine: str
) -> None:
    import httpx2

    having = llama_mcp.having(LLAMA_CPP_PATH=engine, API_KEY="auto")
    async with having.connect() as connection:
        started = await connection.call("start_llama_server")
        assert (await connection.call("chat", message="Hello", max_tokens=2))["turn"] == 1
        body = {"messages": [{"role": "user", "content": "Hi"}]}
        async with httpx2.AsyncClient(trust_env=False) as stranger:
            answer = await stranger.post(f"{started['url']}/v1/chat/completions", json=body)
        assert answer.status_code == 401
        for line in command_lines_of(llama_mcp.home):
            assert not any("api-key" in argument for argument in line)
    for path in llama_mcp.home.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


async def test_paths_outside_the_allowed_folders_are_refused_also_behind_links(
    llama_mcp: LlamaMCP, tiny_model: Path, tmp_path: Path
) -> None:
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    link = allowed / "link.gguf"
    link.symlink_to(tiny_model)
    inside = allowed / "model.gguf"
    shutil.copy(tiny_model, inside)
    async with llama_mcp.having(ALLOWED_PATHS=str(allowed)).connect() as connection:
        for arguments in (
            {"model_path": str(tiny_model)},
            {"model_path": str(link)},
            {"model_path": str(inside), "llama_cpp_path": "/bin/true"},
            {"model_path": str(inside), "extra_args": ["--lora", str(tiny_model)]},
            {"model_path": str(inside), "extra_args": ["--mmproj", f"{allowed}/../x"]},
        ):
            refusal = await connection.refusal("start_llama_server", **arguments)
            assert "outside the folders that the operator allows" in refusal
        started = await connection.call("start_llama_server", model_path=str(inside))
        assert started["state"] == "ready"


async def test_a_config_file_of_the_users_does_not_configure_llama_server(
    llama_mcp: LlamaMCP, engine: str, tmp_path: Path
) -> None:
    folder = tmp_path / "user-home" / ".config" / "llama.cpp"
    folder.mkdir(parents=True)
    (folder / "config.ini").write_text("api-key = secret\n")
    variables = {"LLAMA_MCP_LLAMA_CPP_PATH": engine, "HOME": str(tmp_path / "user-home")}
    having = replace(llama_mcp, variables=llama_mcp.variables | variables)
    async with having.connect() as connection:
        assert (await connection.call("start_llama_server", timeout_seconds=120))[
            "state"
        ] == "ready"


async def test_a_run_whose_keeper_never_came_stands_in_nobodys_way(llama_mcp: LlamaMCP) -> None:
    async with llama_mcp.connect() as connection:
        await connection.call("start_llama_server")
        await connection.call("stop_llama_server")
        (old,) = [path for path in (llama_mcp.home / "runs").iterdir() if path.is_dir()]
        # What a llama-mcp leaves that is killed before its keeper has written anything.
        ghost = old.with_name("20991231T000000Z-ghost0")
        (ghost / "leases").mkdir(parents=True)
        launch = json.loads((old / "launch.json").read_text()) | {"at": time.time()}
        (ghost / "launch.json").write_text(json.dumps(launch))
        (old.parent / "current.json").write_text(json.dumps({"run": ghost.name}))
        assert (await connection.call("status"))["state"] == "starting"
        started = await connection.call("start_llama_server")
        assert (started["state"], started["already_running"]) == ("ready", False)


@pytest.mark.slow
async def test_looking_at_a_start_does_not_take_its_time_limit_away(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, load_forever=True)
    async with (
        llama_mcp.having(LLAMA_CPP_PATH=str(fake)).connect() as connection,
        anyio.create_task_group() as tasks,
    ):

        async def look() -> None:
            while True:
                await connection.call("status")

        tasks.start_soon(look)
        refusal = await connection.refusal("start_llama_server", timeout_seconds=1)
        assert "was not ready within timeout_seconds=1 " in refusal
        tasks.cancel_scope.cancel()


@pytest.mark.slow
async def test_a_server_that_serves_another_model_is_told_so_long_before_its_time_is_over(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, props={"model_alias": "somebody-elses"})
    difference = "it names its model 'somebody-elses', and --alias 'tiny' was passed"
    async with llama_mcp.having(LLAMA_CPP_PATH=str(fake)).connect() as connection:
        # How soon there is something to ask is the machine's affair.
        started = await connection.call_until(
            lambda started: difference in started.get("message", ""),
            "start_llama_server",
            wait_seconds=1,
        )
        assert started["state"] == "starting"
        status = await connection.call_until(lambda status: status["state"] == "stopped", "status")
        assert difference in status["last_exit"]["cause"]
        assert "SIGTERM" not in str(status["message"])
        assert difference in await connection.refusal("start_llama_server")


async def test_a_model_whose_name_ends_with_a_blank_gets_ready(
    llama_mcp: LlamaMCP, engine: str, tiny_model: Path, tmp_path: Path
) -> None:
    model = tmp_path / "trail .gguf"
    shutil.copyfile(tiny_model, model)
    having = llama_mcp.having(LLAMA_CPP_PATH=engine, MODEL_PATH=str(model))
    async with having.connect() as connection:
        started = await connection.call("start_llama_server")
        assert (started["state"], started["model"]) == ("ready", "trail")


@pytest.mark.slow
async def test_a_replacement_is_refused_while_another_client_uses_the_server(
    llama_mcp: LlamaMCP,
) -> None:
    async with llama_mcp.connect() as one, llama_mcp.connect() as other:
        await one.call("start_llama_server")
        await other.call("start_llama_server")
        refusal = await other.refusal("start_llama_server", ctx_size=512, replace=True)
        assert "which last asked for it" in refusal
        assert (await one.call("status"))["state"] == "ready"


async def test_a_start_that_two_callers_wait_for_outlives_the_first_ones_cancel(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder, load_held=True)
    joined = Progress()
    async with (
        llama_mcp.having(LLAMA_CPP_PATH=str(fake)).connect() as connection,
        anyio.create_task_group() as second,
        anyio.create_task_group() as first,
    ):
        first.start_soon(connection.result, "start_llama_server")
        await connection.call_until(lambda status: status["state"] == "starting", "status")

        async def join() -> None:
            assert (await connection.call("start_llama_server", joined))["state"] == "ready"

        second.start_soon(join)
        await until(lambda: bool(joined.values), "the second caller waits too")
        first.cancel_scope.cancel()
        set_faults(fake_folder)


@pytest.mark.slow
async def test_an_adopted_server_that_names_another_model_is_sent_nothing(
    llama_mcp: LlamaMCP, fake_folder: Path
) -> None:
    fake = install_fake(fake_folder)
    having = llama_mcp.having(LLAMA_CPP_PATH=str(fake))
    async with having.connect() as one, having.connect() as other:
        await one.call("start_llama_server")
        set_faults(fake_folder, props={"model_alias": "somebody-elses"})
        refusal = await other.refusal("chat", message="A secret")
        assert "not proved to be the llama-server that was started" in refusal
        bodies = [request["body"] for request in received_requests(fake_folder)]
        assert not any("A secret" in str(body) for body in bodies)
