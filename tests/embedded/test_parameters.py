"""Every flag of the table reaches xllamacpp's parameters."""

from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import xllamacpp

from llama_mcp.embedded.command_line import parse
from llama_mcp.embedded.flags import Flag
from llama_mcp.embedded.parameters import start_like_llama_server
from llama_mcp.embedded.server_flags import FLAGS

# The program acts on them by itself.
WITHOUT_PARAMETER = {"-h", "--version", "--list-devices", "--log-colors"}
VALUES = {
    "-fa": "on",
    "--rope-scaling": "yarn",
    "-ctk": "q8_0",
    "-ctv": "q8_0",
    "-lm": "none",
    "-lzm": "off",
    "--numa": "isolate",
    "-sm": "row",
    "-ts": "3,1",
    "-fit": "off",
    "-fitt": "512",
    "--lora-scaled": "a.gguf:0.5",
    "--spec-draft-type-k": "q8_0",
    "--spec-draft-type-v": "q8_0",
    "--samplers": "top_k;temperature",
    "--spec-type": "ngram-mod",
    "--pooling": "mean",
    "--chat-template-kwargs": '{"a": [1]}',
    "--reasoning-format": "none",
    "-rea": "off",
}


def defaults() -> Any:
    params = xllamacpp.CommonParams()
    start_like_llama_server(params)
    return params


def snapshot(value: Any, depth: int = 0) -> Any:
    """All attributes, as far down as flags reach."""
    if isinstance(value, Enum | bool | int | float | str | set | dict) or depth > 4:
        return repr(value)
    if isinstance(value, list):
        return [snapshot(item, depth + 1) for item in value]
    names = [name for name in dir(value) if not name.startswith("_")]
    attributes = {name: getattr(value, name) for name in names}
    return {k: snapshot(v, depth + 1) for k, v in attributes.items() if not callable(v)}


def arguments_for(flag: Flag, folder: Path) -> list[str]:
    name = flag.names[0]
    if flag.read is None:
        # Of a pair, one name is the default: the pair has to make a difference together.
        return [name]
    if name == "--slot-save-path":
        return [name, str(folder)]
    if name in ("--api-key-file", "--chat-template-file"):
        (folder / "file").write_text("text\n")
        return [name, str(folder / "file")]
    return [name, VALUES.get(name, "7")]


@pytest.mark.parametrize(
    "flag",
    [flag for flag in FLAGS if flag.names[0] not in WITHOUT_PARAMETER],
    ids=lambda flag: flag.names[0],
)
def test_every_flag_changes_a_parameter(flag: Flag, tmp_path: Path) -> None:
    results = [snapshot(defaults())]
    candidates = [arguments_for(flag, tmp_path), *([name] for name in flag.off_names)]
    for arguments in candidates:
        params = defaults()
        for setting in parse(arguments, {}):
            setting.put(params)
        results.append(snapshot(params))
    assert any(result != results[0] for result in results[1:])


def put(*arguments: str) -> Any:
    params = defaults()
    for setting in parse(arguments, {}):
        setting.put(params)
    return params


def test_without_flags_the_port_and_the_slots_are_those_of_the_original() -> None:
    assert (put().port, put().n_parallel) == (8080, -1)


def test_layers_may_be_a_number_or_auto_or_all() -> None:
    assert [put("-ngl", wish).n_gpu_layers for wish in ("12", "auto", "all")] == [12, -1, -2]


def test_a_slot_save_path_ends_in_a_slash(tmp_path: Path) -> None:
    assert put("--slot-save-path", str(tmp_path)).slot_save_path == f"{tmp_path}/"


def test_api_keys_add_up(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("# ours\nc\n\nd\n")
    assert put("--api-key", "a,b", "--api-key-file", str(tmp_path / "keys")).api_keys == [*"abcd"]


def test_a_seed_of_minus_one_is_random_and_any_other_is_kept() -> None:
    assert put("--seed", "-1").sampling.seed == 2**32 - 1
    assert put("--seed", "42").sampling.seed == 42


def test_sampling_defaults_are_marked_as_the_users_own() -> None:
    bits = xllamacpp.common_params_sampling_config
    assert put("--temp", "0.5").sampling.user_sampling_config == (
        bits.COMMON_PARAMS_SAMPLING_CONFIG_TEMP.value
    )


def test_a_draft_model_is_used_unless_another_kind_of_speculation_is_asked_for() -> None:
    def kinds(*arguments: str) -> list[str]:
        return [kind.name.rpartition("TYPE_")[2] for kind in put(*arguments).speculative.types]

    assert kinds("-md", "x.gguf") == ["DRAFT_SIMPLE"]
    assert kinds("-md", "x.gguf", "--spec-type", "ngram-mod") == ["NGRAM_MOD"]
    assert kinds("--spec-type", "ngram-mod", "-md", "x.gguf") == ["NGRAM_MOD"]


def test_reasoning_is_told_to_the_template_as_well() -> None:
    off = put("--chat-template-kwargs", '{"a": "x"}', "--reasoning", "off")
    assert off.enable_reasoning == 0
    assert off.default_template_kwargs == {"a": '"x"', "enable_thinking": "false"}
    assert put("--reasoning", "auto").enable_reasoning == -1
