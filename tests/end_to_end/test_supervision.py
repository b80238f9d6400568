"""A llama-server that crashes, falls silent or is replaced, and who may do what to it."""

import shutil
from pathlib import Path

import anyio
import psutil
import pytest

from tests.client_process import LlamaMCP
from tests.fake_llama_server.install import install_fake, recorded_launches, set_faults
from tests.processes import is_gone, processes_of, until


@pytest.fixture
def fake_folder(tmp_path: Path) -> Path:
    return tmp_path / "fake"


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
    having = llama_mcp.having(LLAMA_CPP_PATH=str(fake), UNRESPONSIVE_SECONDS="0.5")
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
    fake = install_fake(fake_folder, slow_headers_seconds=1.2)
    having = llama_mcp.having(LLAMA_CPP_PATH=str(fake), UNRESPONSIVE_SECONDS="1.0")
    async with having.connect() as connection:
        await connection.call("start_llama_server")
        assert (await connection.call("chat", message="Hello"))["status"] == "complete"


@pytest.mark.parametrize("wait_seconds", [50, 0.1])
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
        with anyio.fail_after(20):
            while (await connection.call("status"))["state"] != "ready":
                await anyio.sleep(0.05)
        assert (await connection.call("get_config"))["llama_cpp_path"] == "embedded"
        assert (await connection.call("status"))["port"] == started["port"]
        assert (await connection.call("chat", message="Hello", max_tokens=2))["turn"] == 1


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
        for process in processes_of(llama_mcp.home):
            assert not any("api-key" in argument for argument in process.cmdline())
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
