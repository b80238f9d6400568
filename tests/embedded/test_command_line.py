"""What the embedded engine accepts, refuses and says about itself."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from llama_mcp.embedded.command_line import CommandLineError, help_text, parse, usage
from llama_mcp.embedded.flags import Flag
from llama_mcp.embedded.server_flags import FLAGS
from tests.embedded.conftest import PATIENCE

Run = Callable[..., subprocess.CompletedProcess[str]]

REAL_LLAMA_CPP = os.environ.get("LLAMA_MCP_TEST_LLAMA_CPP_PATH")


def flags_in(text: str) -> dict[str, str]:
    """Every flag that a help lists, and its value syntax: what a reader of help can see."""
    listed = {}
    for line in text.splitlines():
        if line.startswith("-") and not line.startswith("-----"):
            left = re.split(r"(?<=[^,\s]) {2,}", line)[0]
            names = [part.split()[0] for part in re.split(r",\s+", left)]
            syntax = left.rpartition(names[-1])[2].strip()
            listed.update(dict.fromkeys(names, syntax))
    return listed


def test_help_lists_every_flag_where_a_reader_of_help_looks(run: Run) -> None:
    done = run("--help")
    assert (done.returncode, done.stderr) == (0, "")
    listed = flags_in(done.stdout)
    assert set(listed) == {name for flag in FLAGS for name in flag.names}
    assert listed["-fa"] == "[on|off|auto]"
    assert listed["--metrics"] == ""
    assert "-ngl,  --gpu-layers, --n-gpu-layers N   max. number of layers" in done.stdout
    assert "'auto', or 'all' (default: auto)" in done.stdout


@pytest.mark.skipif(not REAL_LLAMA_CPP, reason="LLAMA_MCP_TEST_LLAMA_CPP_PATH is not set")
def test_every_flag_is_one_of_the_original_with_the_same_value_syntax() -> None:
    program = Path(str(REAL_LLAMA_CPP)) / "llama-server"
    done = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=PATIENCE)
    original = flags_in(done.stdout)
    for name, syntax in flags_in(help_text()).items():
        assert original.get(name) == syntax, name


def test_no_name_stands_for_two_flags() -> None:
    names = [name for flag in FLAGS for name in flag.names]
    assert len(names) == len(set(names))


def test_version_goes_to_stderr_as_the_original_has_it(run: Run) -> None:
    done = run("--version")
    assert (done.returncode, done.stdout) == (0, "")
    first, second = done.stderr.splitlines()
    assert first.startswith("version: ")
    assert second.startswith("built with ")


def test_devices_are_listed_on_stdout_as_the_original_has_it(run: Run) -> None:
    done = run("--list-devices")
    assert done.returncode == 0
    heading, *devices = done.stdout.splitlines()
    assert heading == "Available devices:"
    assert devices == ["  (none)"] or all(" MiB free)" in device for device in devices)


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["--bogus"], ["-c", "many"]])
def test_the_engine_is_not_loaded_just_to_talk(
    imported_modules: Callable[..., set[str]], arguments: list[str]
) -> None:
    modules = imported_modules(*arguments)
    assert "llama_mcp.embedded.flags" in modules
    assert not modules & {"xllamacpp", "pydantic", "anyio", "mcp"}


@pytest.mark.parametrize("argument", ["--bogus", "bogus", "--metrics=1", "-cc"])
def test_an_unknown_argument_is_refused_by_name(run: Run, argument: str) -> None:
    done = run("-m", "x.gguf", argument)
    assert done.returncode == 1
    assert f"error: invalid argument: {argument}" in done.stderr.splitlines()


@pytest.mark.parametrize(
    ("flag", "value", "complaint"),
    [
        ("--ctx-size", "many", "stoi"),
        ("--ctx-size", "99999999999", "stoi"),
        ("-sps", "much", "stof"),
        ("-np", "0", "error: invalid value for n_parallel"),
        ("-fa", "maybe", "error: unknown value for --flash-attn: 'maybe'"),
        ("--fit", "maybe", "error: unknown value for --fit: 'maybe'"),
        ("-ngl", "most", "stoi"),
        ("--pooling", "best", "invalid value"),
        ("-ctk", "q9", "Unsupported cache type: q9"),
        ("--slot-save-path", "/nope", "not a directory: /nope"),
        ("--chat-template-file", "/nope", "error: failed to open file '/nope'"),
        ("--api-key-file", "/nope", "error: failed to open file '/nope'"),
        ("--reasoning-format", "odd", "Unknown reasoning format: odd"),
        ("--reasoning-budget", "-5", "invalid value"),
        ("--sleep-idle-seconds", "0", "invalid value: cannot be 0 or less than -1"),
        ("--port", "70000", "invalid value"),
        ("--host", "", "invalid value"),
        ("--api-key", "", "invalid value"),
        ("--spec-type", "odd", "unknown speculative type: odd"),
    ],
)
def test_a_bad_value_is_refused_in_the_words_of_the_original(
    flag: str, value: str, complaint: str
) -> None:
    with pytest.raises(CommandLineError) as refused:
        parse([flag, value], {})
    first, *rest = str(refused.value).splitlines()
    assert first == f'error while handling argument "{flag}": {complaint}'
    assert flag in "\n".join(rest)  # the flag's entry in the help follows


def test_a_flag_without_its_value_is_refused() -> None:
    with pytest.raises(CommandLineError, match='"-c": expected value for argument'):
        parse(["-c"], {})


def test_a_bad_value_ends_the_program_with_1(run: Run) -> None:
    done = run("-m", "x.gguf", "--ctx-size", "many")
    assert done.returncode == 1
    assert done.stderr.startswith('error while handling argument "--ctx-size": stoi\n\nusage:\n')


def test_underscores_stand_for_dashes() -> None:
    (setting,) = parse(["--ctx_size", "512"], {})
    assert (setting.flag.names[0], setting.value) == ("-c", 512)


def test_a_name_that_switches_off_switches_off() -> None:
    values = [setting.value for setting in parse(["-kvu", "-no-kvu", "--no-webui"], {})]
    assert values == [True, False, False]


def test_of_the_environment_only_the_api_key_counts() -> None:
    settings = parse(["--api-key", "b"], {"LLAMA_API_KEY": "a", "LLAMA_ARG_CTX_SIZE": "1"})
    assert [setting.value for setting in settings] == [["a"], ["b"]]


def test_a_long_left_column_gets_a_line_of_its_own() -> None:
    assert usage(Flag("--a-name-of-more-than-thirty-seven-letters", None, "help")) == (
        "--a-name-of-more-than-thirty-seven-letters\n" + " " * 40 + "help\n"
    )
