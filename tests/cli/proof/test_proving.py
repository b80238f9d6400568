"""The proof of a launch: the installed command is proved, and what stands in its way is told."""

from pathlib import Path

import anyio
import psutil
import pytest

from llama_mcp.cli.proof.launch import PASSES_ALL, PASSES_LIKE_SDKS, Era
from llama_mcp.cli.proof.proving import Proof, prove
from tests.cli.proof.launches import BECOME_LLAMA_MCP, launch_of, program
from tests.support.client_process import LlamaMCP
from tests.support.processes import is_gone, until

pytestmark = pytest.mark.anyio
posix = pytest.mark.posix


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the proof makes its home: a folder of the test, in which nothing may be left."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def is_empty(folder: Path) -> bool:
    return not list(folder.iterdir())


def text_of(proof: Proof) -> str:
    assert not proof.is_proved, proof.lines
    assert proof.problem and proof.next_step
    return proof.problem


@pytest.mark.parametrize("era", ["2026-07-28", "initialize"])
async def test_the_installed_command_is_proved(
    llama_mcp: LlamaMCP, temporary: Path, era: Era
) -> None:
    told: list[str] = []
    proof = await prove(launch_of(llama_mcp, era), on_line=told.append)
    assert proof.is_proved, proof.problem
    assert proof.lines == tuple(told)
    beginnings = ["first answer after", "19 tools", "tiny ready after", "a reply of 16 tokens"]
    beginnings += ["stopped after", "left ", "nothing was left behind"]
    assert len(told) == len(beginnings), told
    assert all(line.startswith(each) for line, each in zip(told, beginnings, strict=True)), told
    assert is_empty(temporary)
    assert not llama_mcp.home.exists()


async def test_a_quick_proof_starts_no_model(llama_mcp: LlamaMCP, temporary: Path) -> None:
    launch = launch_of(llama_mcp.having(MODEL_PATH="/no/such/model.gguf"))
    proof = await prove(launch, is_quick=True)
    assert proof.is_proved, proof.problem
    assert [line.split()[0] for line in proof.lines] == ["first", "19", "left", "nothing"]


async def test_tools_that_the_entry_leaves_out_are_not_missed(
    llama_mcp: LlamaMCP, temporary: Path
) -> None:
    proof = await prove(launch_of(llama_mcp.having(TOOLSETS="chat")))
    assert proof.is_proved, proof.problem
    assert proof.lines[1] == "3 tools"
    assert proof.lines[2].startswith("a reply of 16 tokens")


async def test_a_wrong_model_is_told_in_the_words_of_the_start(
    llama_mcp: LlamaMCP, temporary: Path
) -> None:
    proof = await prove(launch_of(llama_mcp.having(MODEL_PATH="/no/such/model.gguf")))
    assert "start_llama_server failed: The model /no/such/model.gguf" in text_of(proof)
    assert is_empty(temporary)


async def test_what_it_writes_to_stderr_holds_nothing_up(
    tmp_path: Path, llama_mcp: LlamaMCP, temporary: Path
) -> None:
    loud = "import sys; sys.stderr.write('x' * 5_000_000)\n"
    argv = program(tmp_path, loud + BECOME_LLAMA_MCP)
    proof = await prove(launch_of(llama_mcp, argv=argv), is_quick=True)
    assert proof.is_proved, proof.problem


async def test_it_is_launched_as_the_client_does(
    tmp_path: Path, llama_mcp: LlamaMCP, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONLY_IN_THE_SHELL", "1")
    noting = (
        "import os, sys\n"
        f"sys.stdout = open({str(tmp_path / 'seen')!r}, 'w')\n"
        "print(os.getcwd(), [os.isatty(each) for each in (0, 1, 2)], sep='\\n')\n"
        "print('ONLY_IN_THE_SHELL' in os.environ)\n"
        "sys.stdout.close()\n"
    )
    argv = program(tmp_path, noting + BECOME_LLAMA_MCP)
    root = str(Path("/").resolve())  # noqa: ASYNC240  # no disk is asked
    for passes in (PASSES_LIKE_SDKS, PASSES_ALL):
        proof = await prove(launch_of(llama_mcp, argv=argv, passes=passes), is_quick=True)
        assert proof.is_proved, proof.problem
        seen = (tmp_path / "seen").read_text().splitlines()
        assert seen == [root, "[False, False, False]", str(passes is PASSES_ALL)]


async def test_a_command_that_is_not_there_is_named(llama_mcp: LlamaMCP, temporary: Path) -> None:
    proof = await prove(launch_of(llama_mcp, argv=("/no/such/llama-mcp",)))
    assert "/no/such/llama-mcp cannot be started: No such file or directory" in text_of(proof)


async def test_an_answer_that_comes_too_late_is_told_with_the_limit(
    tmp_path: Path, llama_mcp: LlamaMCP, temporary: Path
) -> None:
    argv = program(tmp_path, "import sys; sys.stderr.write('waking\\n'); sys.stdin.read()")
    proof = await prove(launch_of(llama_mcp, argv=argv, first_answer_seconds=0.2))
    assert "server/discover had no answer within 0.2 s" in text_of(proof)


async def test_what_is_printed_on_stdout_is_quoted(
    tmp_path: Path, llama_mcp: LlamaMCP, temporary: Path
) -> None:
    argv = program(tmp_path, "print('Welcome back!', flush=True)\n" + BECOME_LLAMA_MCP)
    proof = await prove(launch_of(llama_mcp, argv=argv))
    assert "no message: 'Welcome back!'" in text_of(proof)


async def test_a_command_that_dies_is_told_with_its_last_words(
    tmp_path: Path, llama_mcp: LlamaMCP, temporary: Path
) -> None:
    argv = program(tmp_path, "import sys; sys.exit('no such library: libllama.so')")
    text = text_of(await prove(launch_of(llama_mcp, argv=argv)))
    assert "It ended with exit code 1 before server/discover was answered." in text
    assert "The end of its stderr: no such library: libllama.so" in text


@posix
async def test_tools_that_are_missing_are_named(
    tmp_path: Path, llama_mcp: LlamaMCP, temporary: Path
) -> None:
    fewer = "import os; os.environ['LLAMA_MCP_TOOLSETS'] = 'server,chat'\n"
    argv = program(tmp_path, fewer + BECOME_LLAMA_MCP)
    text = text_of(await prove(launch_of(llama_mcp, argv=argv)))
    assert "It offers 7 tools; missing: delete_session, download_model" in text


@posix
async def test_a_process_that_stays_behind_is_named_and_ended(
    tmp_path: Path, llama_mcp: LlamaMCP, temporary: Path
) -> None:
    stray = (
        "import subprocess, sys\n"
        "idle = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "child = subprocess.Popen(idle, start_new_session=True, stdout=2)\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(child.pid))\n"
    )
    argv = program(tmp_path, stray + BECOME_LLAMA_MCP)
    text = text_of(await prove(launch_of(llama_mcp, argv=argv), is_quick=True))
    pid = (tmp_path / "pid").read_text()
    assert f"1 process stayed behind and had to be killed: {pid} (" in text
    assert is_gone(int(pid))


@posix
async def test_a_wrapper_that_keeps_stdin_open_is_told_and_ended(
    tmp_path: Path, llama_mcp: LlamaMCP, temporary: Path
) -> None:
    command = llama_mcp.command[0]
    wrapper = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([{command!r}], stdin=subprocess.PIPE)\n"
        "for line in sys.stdin.buffer:\n"
        "    child.stdin.write(line); child.stdin.flush()\n"
        "time.sleep(600)\n"
    )
    launch = launch_of(llama_mcp, argv=program(tmp_path, wrapper), exit_seconds=0.5)
    text = text_of(await prove(launch, is_quick=True))
    assert "after its stdin was closed; clients kill after 0.5 s." in text
    assert is_empty(temporary)


@posix
async def test_an_exit_code_that_tells_of_a_failure_is_told(
    tmp_path: Path, llama_mcp: LlamaMCP, temporary: Path
) -> None:
    wrapper = f"import subprocess, sys; subprocess.run([{llama_mcp.command[0]!r}]); sys.exit(7)"
    proof = await prove(launch_of(llama_mcp, argv=program(tmp_path, wrapper)), is_quick=True)
    assert "It ended with exit code 7 after its stdin was closed." in text_of(proof)


async def test_another_program_is_not_taken_for_llama_mcp(
    tmp_path: Path, llama_mcp: LlamaMCP, temporary: Path
) -> None:
    refusing = (
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    error = {'code': -32601, 'message': 'Method not found'}\n"
        "    answer = {'jsonrpc': '2.0', 'id': json.loads(line)['id'], 'error': error}\n"
        "    print(json.dumps(answer), flush=True)\n"
    )
    proof = await prove(launch_of(llama_mcp, argv=program(tmp_path, refusing)))
    assert "server/discover was refused: Method not found" in text_of(proof)


async def test_a_proof_that_is_cancelled_leaves_nothing(
    llama_mcp: LlamaMCP, temporary: Path
) -> None:
    lines: list[str] = []
    llama_servers: list[psutil.Process] = []

    async def prove_it() -> None:
        # The reply is long: it is under way when the proof is cancelled.
        await prove(launch_of(llama_mcp), on_line=lines.append)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(prove_it)
        await until(lambda: any("ready" in line for line in lines), "the model is ready")
        llama_servers += psutil.Process().children(recursive=True)
        tasks.cancel_scope.cancel()
    assert llama_servers
    assert all(is_gone(process.pid) for process in llama_servers)
    assert is_empty(temporary)


async def test_without_a_temporary_folder_it_says_so(
    llama_mcp: LlamaMCP, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    assert "No temporary folder can be made" in text_of(await prove(launch_of(llama_mcp)))
