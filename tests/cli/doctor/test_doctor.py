"""`llama-mcp doctor` on a set-up that is well, and on every kind that is not."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from llama_mcp.sessions.sqlite.migrations import MIGRATIONS
from tests.cli.doctor.running import Examined, environment_of, examine, snapshot
from tests.fake_llama_server.install import install_fake
from tests.faults.wrappers import STAYING, write_wrapper
from tests.support.client_process import LlamaMCP
from tests.support.privileges import OWN_MOUNTS, need
from tests.support.processes import is_gone, until

posix = pytest.mark.posix
# Mounts something on $FOLDER before the command behind it is run.
READ_ONLY = 'mount -t tmpfs -o ro tmpfs "$FOLDER"'
FULL = 'mount -t tmpfs -o size=1m tmpfs "$FOLDER"; cat /dev/zero > "$FOLDER/ballast" 2> /dev/null'


def mounted(llama_mcp: LlamaMCP, mount: str) -> Examined:
    """Run doctor where the home is a mount that only this run sees."""
    need("mounts of its own", OWN_MOUNTS)
    llama_mcp.home.mkdir()
    before = [*OWN_MOUNTS, "sh", "-c", f'{mount}; exec "$@"', "sh"]
    return examine(llama_mcp, before=before, more={"FOLDER": str(llama_mcp.home)})


def test_a_healthy_set_up_has_no_fault_and_is_left_as_it_is(llama_mcp: LlamaMCP) -> None:
    healthy = examine(llama_mcp)
    assert healthy.exit_code == 0, healthy.findings
    assert healthy.stderr == ""
    assert not llama_mcp.home.exists()
    assert "LLAMA_MCP_CTX_SIZE = 1024 (environment)" in healthy.of("setting", "ok")
    assert "LLAMA_MCP_PARALLEL = 4 (default)" in healthy.of("setting", "ok")
    assert healthy.of("engine", "ok")[0].startswith("the embedded engine, build ")
    assert healthy.of("model", "ok")[-1].startswith("the default is tiny (chat, 0.3 MiB), ")
    steps = healthy.of("start", "ok")
    assert [line.split()[0] for line in steps] == [
        *("first", "19", "tiny", "a", "stopped", "left", "nothing")
    ]


def test_at_a_terminal_each_finding_is_a_line_and_the_last_counts_them(
    llama_mcp: LlamaMCP,
) -> None:
    environment = environment_of(llama_mcp.having(CTX_SIZE="abc"))
    done = subprocess.run(
        [*llama_mcp.command, "doctor"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    wrong = next(line for line in lines if line.startswith("fault   setting   "))
    assert "LLAMA_MCP_CTX_SIZE cannot be 'abc': it takes a whole number" in wrong
    assert lines[lines.index(wrong) + 1].startswith("                  next: Set it right where")
    assert lines[-1].startswith("1 fault, ")


@pytest.mark.anyio
async def test_nothing_of_the_users_is_disturbed_while_it_is_used(llama_mcp: LlamaMCP) -> None:
    async with llama_mcp.connect() as connection:
        first = await connection.call("chat", message="Hello", max_tokens=4)
        before = snapshot(llama_mcp.home)
        examined = examine(llama_mcp)
        # SQLite makes these two for whoever reads, and this llama-mcp keeps them too.
        assert changed(before, snapshot(llama_mcp.home)) <= {"sessions.db-shm", "sessions.db-wal"}
        assert examined.exit_code == 0, examined.findings
        assert "tiny (ready, pid " in examined.of("run", "ok")[0]
        assert "used by 1 llama-mcp" in examined.of("run", "ok")[0]
        assert "1 session, " in examined.of("archive", "ok")[0]
        session = {"session_id": first["session_id"]}
        assert (await connection.call("chat", message="Go on", max_tokens=4, **session))["reply"]


def changed(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> set[str]:
    """Return what is there, or is as it is, in one of them only; a keeper touches its own files."""
    names = {name for name, _ in before.items() ^ after.items()}
    return {name for name in names if not name.startswith("runs")}


def test_a_wrong_setting_is_named_with_what_it_takes(llama_mcp: LlamaMCP) -> None:
    examined = examine(llama_mcp.having(PORT="abc", CTX_SIZ="1"))
    assert "LLAMA_MCP_PORT cannot be 'abc': it takes" in examined.of("setting")[0]
    assert "the nearest name is LLAMA_MCP_CTX_SIZE" in examined.of("setting", "warning")[0]
    assert examined.faulty == {"setting"}


def test_a_missing_engine_is_named(llama_mcp: LlamaMCP) -> None:
    examined = examine(llama_mcp.having(LLAMA_CPP_PATH="/no/such/llama.cpp"))
    assert examined.exit_code == 1
    assert "No llama-server was found: /no/such/llama.cpp does not" in examined.of("engine")[0]
    assert "install the embedded engine: pip install" in examined.of("engine")[0]
    assert examined.faulty == {"engine"}
    assert "No model was started" in examined.of("start", "warning")[0]


@posix
def test_an_engine_that_is_not_executable_is_named(llama_mcp: LlamaMCP, tmp_path: Path) -> None:
    engine = tmp_path / "llama-server"
    engine.write_text("#!/bin/sh\n")
    examined = examine(llama_mcp.having(LLAMA_CPP_PATH=str(engine)))
    assert f"{engine} cannot be used as llama-server: it is not execu" in examined.of("engine")[0]


def test_a_missing_model_is_named(llama_mcp: LlamaMCP) -> None:
    examined = examine(llama_mcp.having(MODEL_PATH="/no/such/model.gguf"))
    assert "The model /no/such/model.gguf cannot be used" in examined.of("model")[0]
    assert examined.faulty == {"model"}


def test_a_damaged_model_is_named(llama_mcp: LlamaMCP, tiny_model: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "cut.gguf"
    damaged.write_bytes(tiny_model.read_bytes()[:1000])
    examined = examine(llama_mcp.having(MODEL_PATH=str(damaged)))
    assert f"The default, {damaged}, cannot be loaded: it ends after" in examined.of("model")[0]
    assert examined.faulty == {"model"}


def test_a_model_that_is_cut_off_behind_its_header_is_named_by_the_start(
    llama_mcp: LlamaMCP, tiny_model: Path, tmp_path: Path
) -> None:
    damaged = tmp_path / "cut.gguf"
    damaged.write_bytes(tiny_model.read_bytes()[:100_000])
    examined = examine(llama_mcp.having(MODEL_PATH=str(damaged)))
    assert "the model file is incomplete or damaged" in examined.of("start")[0]


def test_a_port_that_is_taken_is_named_with_who_has_it(llama_mcp: LlamaMCP) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        examined = examine(llama_mcp.having(PORT=str(port)))
    assert f"Port {port} is taken by" in examined.of("port")[0]
    assert str(os.getpid()) in examined.of("port")[0]
    assert examined.faulty == {"port"}


@posix
def test_a_home_that_cannot_be_written_is_named(llama_mcp: LlamaMCP) -> None:
    examined = mounted(llama_mcp, READ_ONLY)
    text = f"{llama_mcp.home} cannot be written: Read-only file system."
    assert text in examined.of("home")[0]


@posix
def test_a_full_disk_is_named(llama_mcp: LlamaMCP) -> None:
    examined = mounted(llama_mcp, FULL)
    assert f"{llama_mcp.home} cannot be written: No space left" in examined.of("home")[0]
    assert "free on the disk of" in examined.of("space")[0]


def test_a_home_that_is_a_file_is_one_fault(llama_mcp: LlamaMCP) -> None:
    llama_mcp.home.write_text("")
    examined = examine(llama_mcp)
    assert "is no folder" in examined.of("home")[0]


def test_a_home_that_makes_no_sense_is_one_fault(llama_mcp: LlamaMCP) -> None:
    examined = examine(llama_mcp.having(HOME="~no-such-user/x"))
    assert examined.faulty == {"setting"}
    assert examined.of("start", "ok")[-1] == "nothing was left behind"


@pytest.fixture
def archive(llama_mcp: LlamaMCP) -> Path:
    """An archive with a session, made by the program itself."""
    made = "from llama_mcp.sessions.archive import Archive\n"
    made += "import anyio, pathlib, sys\n"
    made += "async def make():\n"
    made += "    archive = Archive(pathlib.Path(sys.argv[1]))\n"
    made += "    await archive.begin_turn(None, 'hello ' * 10000, owner='local')\n"
    made += "    await archive.close()\n"
    made += "anyio.run(make)\n"
    path = llama_mcp.home / "sessions.db"
    subprocess.run([sys.executable, "-c", made, str(path)], check=True)
    return path


def test_a_damaged_archive_is_named_and_left_where_it_is(
    llama_mcp: LlamaMCP, archive: Path
) -> None:
    whole = archive.read_bytes()
    archive.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    examined = examine(llama_mcp)
    assert f"{archive} is damaged" in examined.of("archive")[0]
    assert examined.faulty == {"archive"}
    assert sorted(each.name for each in llama_mcp.home.iterdir())[0] == "sessions.db"
    assert not list(llama_mcp.home.glob("*.damaged-*"))


def test_an_archive_of_a_newer_version_is_named(llama_mcp: LlamaMCP, archive: Path) -> None:
    with closing(sqlite3.connect(archive)) as connection:
        connection.execute("PRAGMA user_version = 999")
    examined = examine(llama_mcp)
    assert "was written by a newer llama-mcp (its version 999" in examined.of("archive")[0]


def test_an_archive_of_an_older_version_is_not_brought_up_to_date(
    llama_mcp: LlamaMCP, archive: Path
) -> None:
    with closing(sqlite3.connect(archive)) as connection:
        connection.execute("PRAGMA user_version = 2")
    examined = examine(llama_mcp)
    told = f"version 2 of {len(MIGRATIONS)}, brought up to date by its next use"
    assert told in examined.of("archive", "ok")[0]
    with closing(sqlite3.connect(archive)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)


def test_an_archive_that_was_set_aside_is_told(llama_mcp: LlamaMCP, archive: Path) -> None:
    archive.with_name("sessions.db.damaged-20260101T000000Z").write_bytes(b"x")
    examined = examine(llama_mcp)
    assert "damaged-20260101T000000Z" in examined.of("archive", "warning")[0]
    assert "`sqlite3 FILE .recover`" in examined.of("archive", "warning")[0]


@posix
@pytest.mark.anyio
async def test_a_llama_server_that_nobody_looks_after_is_named_and_left_alone(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    # What ends with its keeper is the script; what that has started lives on.
    wrapper = write_wrapper(
        tmp_path / "wrapper", install_fake(tmp_path / "fake"), STAYING["no exec"]
    )
    async with llama_mcp.having(LLAMA_CPP_PATH=str(wrapper)).connect() as connection:
        script = await connection.call("start_llama_server")
        [llama_server] = psutil.Process(script["pid"]).children()
        keeper = keeper_of(llama_mcp.home)
        guard = keeper.parent()
        assert guard is not None
        # So that neither can heed the other's end.
        for each in (guard, keeper):
            each.suspend()
        for each in (guard, keeper):
            each.kill()
        await until(lambda: is_gone(guard.pid) and is_gone(keeper.pid), "both are gone")
        examined = examine(llama_mcp)
        was_left_alone = not is_gone(llama_server.pid)
        await connection.call("stop_llama_server", force=True)
    [text] = examined.of("run")
    assert f"A llama-server with tiny (pid {llama_server.pid}) is left over" in text
    assert was_left_alone


def keeper_of(home: Path) -> psutil.Process:
    [record] = (home / "runs").glob("*/state.json")
    return psutil.Process(json.loads(record.read_text())["keeper"]["pid"])


def test_a_wrong_file_of_models_is_named_with_its_line(llama_mcp: LlamaMCP, tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text('[models.small]\nctx_size = "many"\n')
    examined = examine(llama_mcp.having(MODELS=str(file)))
    assert str(file) in examined.of("model")[0]
    assert "model" in examined.faulty


@posix
def test_a_command_in_a_temporary_folder_is_warned_of(llama_mcp: LlamaMCP, tmp_path: Path) -> None:
    command = Path(llama_mcp.command[0])
    folders = {"TMPDIR": str(tmp_path), "TEMP": str(command.parent)}
    [text] = examine(llama_mcp, more=folders).of("command", "warning")
    assert f"{command} will not last: it lies in a folder for temporary files." in text
    assert "uv tool install" in text


def test_a_secret_is_not_shown(llama_mcp: LlamaMCP) -> None:
    examined = examine(llama_mcp.having(EXTRA_ARGS="-t 1 --hf-token hf_abc"))
    assert "LLAMA_MCP_EXTRA_ARGS = -t 1 --hf-token (not shown) (environment)" in examined.of(
        "setting", "ok"
    )
