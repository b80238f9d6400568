"""Programs that show something by themselves: the demo, and pytest with the unit tests."""

import json
import subprocess
from pathlib import Path

import anyio
from anyio.abc import ByteReceiveStream

from tests.windows.stage import Stage

ROOT = Path(__file__).parents[2]
UNIT_TESTS = [
    *("llama_server", "models", "observing", "sessions", "surface", "turns"),
    *("test_errors.py", "test_paths.py", "test_platforms.py", "test_ranges.py"),
    "test_setting_texts.py",
]
LEFT_OUT = [
    # These write models, which needs numpy.
    "llama_server/diagnosis/test_diagnosis_with_engines.py",
    *("llama_server/choosing/test_turn_servers.py", "llama_server/choosing/test_several_models.py"),
    *("llama_server/choosing/test_named_models.py", "llama_server/choosing/test_stays_in_use.py"),
    *("llama_server/saved_kv/test_key.py", "llama_server/saved_kv/test_restart.py"),
    *("llama_server/test_rank_servers.py", "llama_server/test_idle.py"),
    "llama_server/starting/test_fit_note.py",
    *("models/gguf/test_header.py", "models/gguf/test_known_facts.py"),
    *("models/gguf/test_reading.py", "models/gguf/test_shapes.py"),
    *("models/test_needs_with_llama_server.py", "models/test_needs_on_a_gpu.py"),
    # These start a program for each test, which takes minutes there.
    *("models/download/test_downloads.py", "models/download/test_kills.py"),
    # These drive the installed command, as the other shows do.
    *("surface/test_stdio.py", "surface/test_end_of_stdin.py"),
    *("surface/test_greeting.py", "surface/test_stderr.py"),
    *("surface/http/test_bad_requests.py", "surface/http/test_dashboard.py"),
    *("surface/http/test_dashboard_of_callers.py", "surface/http/test_dropped_connections.py"),
    *("surface/http/test_ending.py", "surface/http/test_gate.py", "surface/http/test_serving.py"),
    *("surface/http/test_listening.py", "surface/http/test_slow_clients.py"),
    *("surface/http/test_tokens_that_change.py", "surface/http/test_what_callers_may.py"),
    # These start a stand-in for an engine elsewhere, or a real one, for each test.
    *("llama_server/elsewhere/test_engines.py", "llama_server/remote/test_finding_out.py"),
    *("llama_server/remote/test_hostile_engines.py", "llama_server/remote/test_remote_chat.py"),
    *("llama_server/remote/test_remote_engine.py",),
    *("llama_server/remote/test_remote_llama_servers.py",),
    *("turns/test_remote_turns.py", "turns/jobs/test_remote_jobs.py"),
]
# A test that hangs there is ended by a thread, since Windows has no SIGALRM.
LIMITS = ["--timeout", "240", "--timeout-method", "thread"]
# Beside other work, Wine fails to start a process once in thousands ("[WinError 1359] Internal
# error"). As in .ci/run, a few that failed are run once more; what fails again is a failure.
FEW = 3
# What was printed before the end is here at once.
LAST_OUTPUT_SECONDS = 5.0


async def demo(stage: Stage) -> str:
    """Run the demo; its last line but one says that nothing is left."""
    output = await _run(stage, "-P", "-m", "llama_mcp", "demo")
    assert "Every step was right" in output, output
    await stage.until_nothing_is_left()
    return "every step was right"


async def unit_tests(stage: Stage) -> str:
    """Run the tests of single rooms, without those that are marked `posix` or `slow`."""
    cache = stage.folder / "pytest-cache"
    names = [f"tests/{name}" for name in UNIT_TESTS]
    names += [f"--ignore=tests/{name}" for name in LEFT_OUT]
    names += ["-o", f"cache_dir={stage.windows.path(cache)}"]
    chosen = ["-m", "not posix and not slow"]
    shown = ["-v", "--tb=short"]  # a test that hangs is the last named
    tests = ["-m", "pytest", *shown, *LIMITS, *chosen, *names]
    try:
        return _summary(await _run(stage, *tests))
    except AssertionError:
        failed = _failed(cache)
        if not 0 < len(failed) <= FEW:
            raise
    again = _summary(await _run(stage, *tests, "--last-failed"))
    return f"run once more, mend what passes now, too: {', '.join(failed)}: {again}"


def _failed(cache: Path) -> list[str]:
    """Return the tests that failed, as pytest has noted them; none if it did not come to that."""
    noted = cache / "v/cache/lastfailed"
    return list(json.loads(noted.read_text("utf-8"))) if noted.exists() else []


def _summary(output: str) -> str:
    return output.splitlines()[-1].strip("= ")


async def _run(stage: Stage, *arguments: str) -> str:
    """Return what the Windows Python prints; it must end with 0.

    A process that a test has left behind holds the pipe open: it is not waited for.
    """
    printed = bytearray()
    variables = {"LLAMA_MCP_TEST_TINY_MODEL": stage.windows.path(stage.model)}
    process = await anyio.open_process(
        [*stage.windows.python, *arguments],
        # Python does not start there on the null device, nor on a file.
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=ROOT,
        env=stage.windows.environment | variables,
    )
    async with process, anyio.create_task_group() as tasks:
        assert process.stdin is not None and process.stdout is not None
        await process.stdin.aclose()
        is_read = anyio.Event()
        tasks.start_soon(_collect, process.stdout, printed, is_read)
        exit_code = await process.wait()
        with anyio.move_on_after(LAST_OUTPUT_SECONDS):
            await is_read.wait()
        tasks.cancel_scope.cancel()
    output = printed.decode("utf-8", "replace").replace("\r\n", "\n")
    assert exit_code == 0, f"exit code {exit_code}\n{output}"
    return output


async def _collect(stream: ByteReceiveStream, printed: bytearray, is_read: anyio.Event) -> None:
    async for piece in stream:
        printed.extend(piece)
    is_read.set()
