"""From what was asked to a command line, without running anything."""

from dataclasses import fields
from typing import Any

import pytest

from llama_mcp.errors import InvalidArgumentError
from llama_mcp.llama_server.engine.capabilities import Capabilities, parse_help
from llama_mcp.llama_server.engine.command_line import (
    LaunchConfig,
    build_command_line,
    differences,
    model_alias,
)
from llama_mcp.llama_server.engine.extra_args import check_extra_args
from llama_mcp.llama_server.status import LaunchArguments
from llama_mcp.settings import LaunchSettings, Settings

BARE_FLAGS = "-m, --model FNAME\n--port N\n"
OLD = Capabilities("old", parse_help(BARE_FLAGS + "-ngl,  --n-gpu-layers N     layers in VRAM\n"))
NEW = Capabilities(
    "new",
    parse_help(
        BARE_FLAGS
        + "-ngl,  --gpu-layers, --n-gpu-layers N   an exact number, 'auto', or 'all'\n"
        + "--cors-origins ORIGINS                  allowed origins\n"
        + "--ui,  --webui, --no-ui, --no-webui     whether to enable the Web UI\n"
        + "--log-colors [on|off|auto]              colours\n"
        + "-a,    --alias STRING                   model name\n"
        + "-t,    --threads N                      threads\n"
        + "--host HOST                             address\n"
        + "--rpc SERVERS                           RPC servers\n"
        + "--warmup, --no-warmup                   warm up\n"
        + "-ot,   --override-tensor <tensor name pattern>=<buffer type>,...\n"
        + "                                        override tensor buffer type\n"
        + "-hf,   --hf-repo <user>/<model>[:quant] download a model\n"
    ),
)


def config(**changes: Any) -> LaunchConfig:
    return LaunchConfig.of(Settings(model_path="/m/x.gguf"), LaunchArguments(**changes))


def arguments(config: LaunchConfig, capabilities: Capabilities) -> list[str]:
    command = build_command_line(config, capabilities, model="/m/x.gguf", alias="x", port=4711)
    return command.arguments


def pair(flag: str, argv: list[str]) -> str:
    return argv[argv.index(flag) + 1]


def test_the_window_of_each_conversation_is_multiplied_by_their_number() -> None:
    argv = arguments(config(ctx_size=1000, parallel=3), NEW)
    assert pair("-c", argv) == "3000"
    assert pair("-np", argv) == "3"
    assert pair("--host", argv) == "127.0.0.1"
    assert pair("--port", argv) == "4711"


def test_flags_that_a_build_lacks_are_left_out() -> None:
    old, new = arguments(config(), OLD), arguments(config(), NEW)
    for flag in ("--cors-origins", "--no-webui", "--log-colors", "--alias"):
        assert flag not in old
        assert flag in new
    assert pair("--cors-origins", new) == "localhost"


def test_a_build_that_gives_back_tags_is_given_one() -> None:
    tagging = Capabilities("2026", parse_help(BARE_FLAGS + "--tags STRING     model tags\n"))
    for capabilities, expected in ((tagging, ["--tags", "t"]), (OLD, [])):
        command = build_command_line(
            config(), capabilities, model="/m/x.gguf", alias="x", port=4711, tag="t"
        )
        assert [word for word in command.arguments if word in ("--tags", "t")] == expected


@pytest.mark.parametrize(
    ("layers", "old", "new"), [(-1, "999", "all"), (0, "0", "0"), (17, "17", "17")]
)
def test_all_layers_is_said_as_the_build_understands_it(layers: int, old: str, new: str) -> None:
    assert pair("--n-gpu-layers", arguments(config(n_gpu_layers=layers), OLD)) == old
    assert pair("--n-gpu-layers", arguments(config(n_gpu_layers=layers), NEW)) == new


def test_automatic_layers_pass_no_flag_and_a_build_without_the_flag_is_told_of() -> None:
    assert "--n-gpu-layers" not in arguments(config(), NEW)
    command = build_command_line(
        config(n_gpu_layers=1),
        Capabilities("none", parse_help(BARE_FLAGS)),
        model="x",
        alias="x",
        port=1,
    )
    assert "no GPU support" in command.notes[0]


def test_arguments_go_before_settings() -> None:
    settings = Settings(ctx_size=2048, parallel=2, extra_args=("--no-warmup",))
    asked = LaunchConfig.of(settings, LaunchArguments(ctx_size=512, extra_args=()))
    assert (asked.ctx_size, asked.parallel, asked.extra_args) == (512, 2, ())
    assert LaunchConfig.of(settings, LaunchArguments()).ctx_size == 2048


def test_every_setting_of_a_start_has_an_argument() -> None:
    assert [field.name for field in fields(LaunchArguments)] == list(LaunchSettings.model_fields)


def test_differences_name_what_a_start_would_change_and_any_port_is_no_difference() -> None:
    assert differences(config(port=8080), config(port=0)) == []
    changed = differences(config(ctx_size=512), config(ctx_size=1024))
    assert changed == ["ctx_size (512, asked for 1024)"]


@pytest.mark.parametrize(
    ("name", "alias"),
    [
        ("tiny", "tiny"),
        ("a,b", "a_b"),
        (" a , b ", "a _ b"),
        ("trail ", "trail"),
        ("\t\u2003tab\n", "tab"),
        (" ", "model"),
        ("quo\"te 's", "quo\"te 's"),
        ("模型 ünïcode", "模型 ünïcode"),
        ("caf\udce9", "caf?"),
        ("a\x1b[31mb", "a [31mb"),
        ("x" * 250, "x" * 250),
    ],
)
def test_an_alias_is_one_that_llama_server_gives_back_unchanged(name: str, alias: str) -> None:
    assert model_alias(name) == alias


@pytest.mark.parametrize(
    "accepted",
    [
        [],
        ["-t", "4"],
        ["--threads", "4", "--no-warmup"],
        ["--no_warmup"],
        ["-ot", "exps=CPU", "-t", "4"],
    ],
)
def test_known_harmless_flags_are_passed(accepted: list[str]) -> None:
    check_extra_args(accepted, NEW, [])


@pytest.mark.parametrize(
    ("refused", "why"),
    [
        (["--bogus"], "is not a flag"),
        (["4"], "is not a flag"),
        (["-t"], "needs a value"),
        (["-m", "other.gguf"], "use model_path"),
        (["-ngl", "3"], "use n_gpu_layers"),
        (["--host", "0.0.0.0"], "this machine only"),
        (["-t", "4", "--rpc", "1.2.3.4:5"], "has not allowed that address"),
        (["-a", "x"], "proves which server"),
        (["--threads=4"], "is not a flag"),
        (["-ot", "exps=CPU", "--host", "0.0.0.0", "-t"], "this machine only"),
        (["-ot", "--host", "0.0.0.0"], "followed by another flag"),
        (["-hf", "user/model"], "use model_path"),
    ],
)
def test_other_flags_are_refused_with_the_reason(refused: list[str], why: str) -> None:
    with pytest.raises(InvalidArgumentError, match=why):
        check_extra_args(refused, NEW, [])
