"""What an executable says of itself, in every layout that llama.cpp has had."""

import os
import sys
from pathlib import Path

import anyio
import pytest

from llama_mcp.llama_server.engine import capabilities
from llama_mcp.llama_server.engine.capabilities import learn_capabilities, parse_help, parse_version
from llama_mcp.llama_server.engine.locate import Engine, locate_engine
from llama_mcp.llama_server.errors import EngineUnusableError
from tests.fake_llama_server.install import install_fake, set_faults
from tests.support.processes import is_gone, until

HELP_2026 = """\
----- common params -----

-ngl,  --gpu-layers, --n-gpu-layers N   max. number of layers to store in VRAM, an exact
                                        number, 'auto', or 'all' (default: auto)
--log-colors [on|off|auto]              Set colored logging (default: 'auto')
--cors-credentials, --no-cors-credentials
                                        whether to allow credentials; --mlock is only mentioned here
--draft, --draft-n, --draft-max N       the argument has been removed. use --spec-draft-n-max
--control-vector-layer-range START END  layer range to apply the control vector(s) to
"""
HELP_2024 = """\
options:
  -h, --help                show this help message and exit
  -ngl N, --n-gpu-layers N
                            number of layers to store in VRAM
  -m FNAME, --model FNAME   model path
"""


def test_all_names_of_a_flag_lead_to_its_value_and_description() -> None:
    flags = parse_help(HELP_2026)
    layers = flags["-ngl"]
    assert layers is flags["--gpu-layers"] is flags["--n-gpu-layers"]
    assert layers.value == "N"
    assert "'all'" in layers.description
    assert flags["--log-colors"].value == "[on|off|auto]"
    assert flags["--control-vector-layer-range"].value == "START END"


def test_a_flag_that_is_only_mentioned_or_was_removed_is_no_flag() -> None:
    flags = parse_help(HELP_2026)
    assert "--no-cors-credentials" in flags
    assert "--mlock" not in flags
    assert "--draft-max" not in flags
    assert "-----" not in flags


def test_the_layout_of_2024_is_read_too() -> None:
    flags = parse_help(HELP_2024)
    assert flags["-m"].names == ("-m", "--model")
    assert flags["--model"].value == "FNAME"
    assert flags["--n-gpu-layers"].description == "number of layers to store in VRAM"


@pytest.mark.parametrize(
    ("answer", "version"),
    [
        ("version: 4321 (abcdef12)\nbuilt with gcc", "4321 (abcdef12)"),
        ("\nversion: 0.6.0-dev (build 0, commit unknown)\n", "0.6.0-dev (build 0, commit unknown)"),
        ("something else", "unknown"),
    ],
)
def test_the_version_is_what_follows_its_name(answer: str, version: str) -> None:
    assert parse_version(answer) == version


async def test_each_engine_lists_every_flag_that_a_launch_relies_on(engine: str) -> None:
    capabilities = await learn_capabilities(locate_engine(engine, ""), {})
    for name in ("--model", "--host", "--port", "--ctx-size", "-c", "-np", "--n-gpu-layers"):
        assert name in capabilities
    for name in ("--alias", "--metrics", "--slots", "--cors-origins", "--no-webui", "--jinja"):
        assert name in capabilities
    assert capabilities.version != "unknown"


async def test_an_executable_is_asked_once_until_it_changes(tmp_path: Path) -> None:
    executable = install_fake(tmp_path / "fake", era="2024")
    engine = Engine("llama-server", str(executable), (str(executable),))
    before = await learn_capabilities(engine, {})
    set_faults(executable.parent, era="2026")
    assert await learn_capabilities(engine, {}) is before
    executable.write_text(executable.read_text() + "\n")
    assert "--cors-origins" in await learn_capabilities(engine, {})


async def test_a_program_that_is_no_llama_server_is_told_apart() -> None:
    with pytest.raises(EngineUnusableError, match="no llama-server"):
        await learn_capabilities(Engine("llama-server", sys.executable, (sys.executable,)), {})


async def test_a_program_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    words = ["error while loading shared libraries: libcuda.so.1"]
    executable = install_fake(tmp_path / "fake", exit_at_once=127, log_lines=words)
    engine = Engine("llama-server", str(executable), (str(executable),))
    with pytest.raises(EngineUnusableError, match=r"exit code 127: .*libcuda\.so\.1"):
        await learn_capabilities(engine, {})


@pytest.mark.posix
async def test_one_that_never_answers_is_not_called_a_build_for_another_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "llama-server"
    script.write_text("#!/bin/sh\nexec sleep 600\n")
    script.chmod(0o755)
    monkeypatch.setattr(capabilities, "HELP_TIMEOUT_SECONDS", 0.0)
    with pytest.raises(EngineUnusableError, match="a wrapper that does not end") as told:
        await learn_capabilities(locate_engine(str(script), ""), {"PATH": os.defpath})
    assert "another system" not in str(told.value)


@pytest.mark.posix
async def test_a_script_that_is_asked_and_never_answers_ends_with_what_it_has_started(
    tmp_path: Path,
) -> None:
    script = tmp_path / "llama-server"
    pid_file = tmp_path / "pid"
    written = f"{pid_file}.new && mv {pid_file}.new {pid_file}"
    script.write_text(f"#!/bin/sh\nsleep 600 & echo $! > {written}\nwait\n")
    script.chmod(0o755)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(learn_capabilities, locate_engine(str(script), ""), {"PATH": os.defpath})
        await until(pid_file.exists, "it has started another process")
        tasks.cancel_scope.cancel()
    pid = int(pid_file.read_text())
    await until(lambda: is_gone(pid), "what the script has started ends")
