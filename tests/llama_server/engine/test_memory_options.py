"""What of a start's flags changes how much memory it takes, in every spelling."""

from typing import Any

import pytest

from llama_mcp.llama_server.engine.capabilities import Capabilities, parse_help
from llama_mcp.llama_server.engine.command_line import LaunchConfig
from llama_mcp.llama_server.engine.devices import Device
from llama_mcp.llama_server.engine.memory_options import (
    given_values,
    is_placed_by_hand,
    start_options,
    used_devices,
)
from llama_mcp.models.needs import StartOptions

NEW = Capabilities(
    "new",
    parse_help(
        """
-b,    --batch-size N                   logical maximum batch size
-ub,   --ubatch-size N                  physical maximum batch size
-ctk,  --cache-type-k TYPE              KV cache data type for K
-ctv,  --cache-type-v TYPE              KV cache data type for V
-fa,   --flash-attn [on|off|auto]       set Flash Attention use
--swa-full                              use full-size SWA cache
-kvu,  --kv-unified, -no-kvu, --no-kv-unified
                                        use single unified KV buffer
-kvo,  --kv-offload, -nkvo, --no-kv-offload
                                        whether to enable KV cache offloading
-dev,  --device <dev1,dev2,..>          comma-separated list of devices
-sm,   --split-mode {none,layer,row}    how to split the model
-mg,   --main-gpu INDEX                 the GPU to use
-cmoe, --cpu-moe                        keep all MoE weights in the CPU
-ot,   --override-tensor <tensor name pattern>=<buffer type>,...
                                        override tensor buffer type
--rpc SERVERS                           comma-separated list of RPC servers
--embedding, --embeddings               restrict to only support embedding use case
-mm,   --mmproj FILE                    path to a multimodal projector file
"""
    ),
)
OLD = Capabilities("old", parse_help("-fa,   --flash-attn       enable Flash Attention\n"))
MIB = 2**20


def options_of(*arguments: str, capabilities: Capabilities = NEW, **config: Any) -> StartOptions:
    return start_options(_config(**config), given_values(arguments, capabilities), capabilities)


def _config(**config: Any) -> LaunchConfig:
    return LaunchConfig(**{"ctx_size": 4096, "parallel": 2, **config})


PLAIN = StartOptions(4096, 2)


def test_a_plain_start_asks_for_nothing_else() -> None:
    assert options_of() == PLAIN
    assert options_of(n_gpu_layers=-1).n_gpu_layers == -1
    assert options_of(n_gpu_layers=0).n_gpu_layers == 0


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        (("-ctk", "q8_0"), "key_bytes", 34 / 32),
        (("--cache-type-k", "f32"), "key_bytes", 4.0),
        (("--cache_type_v", "q4_0"), "value_bytes", 18 / 32),
        (("-ctv", "iq4_nl"), "value_bytes", 18 / 32),
        (("-ctk", "bf16"), "key_bytes", 2.0),
        (("-ctk", "of tomorrow"), "key_bytes", 2.0),
        (("-ctk", "q8_0", "-ctk", "q4_0"), "key_bytes", 18 / 32),  # the last one counts
        (("-ub", "1024"), "ubatch_size", 1024),
        (("-ub", "4096"), "ubatch_size", 2048),  # no more than is taken in at once
        (("-ub", "4096", "--batch-size", "8192"), "ubatch_size", 4096),
        (("-b", "128"), "ubatch_size", 128),
        (("-ub", "0"), "ubatch_size", 512),
        (("-ub", "-5"), "ubatch_size", 512),
        (("-ub",), "ubatch_size", 512),
        (("-fa", "off"), "flash_attention", False),
        (("-fa", "on"), "flash_attention", True),
        (("-fa", "auto"), "flash_attention", True),
        (("--swa-full",), "has_full_windows", True),
        (("-kvu",), "is_unified", True),
        (("-no-kvu",), "is_unified", False),
        (("--no-kv-unified",), "is_unified", False),
        (("--embeddings",), "makes_vectors", True),
        (("unknown", "-ctk", "q8_0"), "key_bytes", 34 / 32),
    ],
)
def test_a_flag_is_read_in_every_spelling(
    arguments: tuple[str, ...], name: str, value: object
) -> None:
    assert getattr(options_of(*arguments), name) == value


def test_builds_with_a_switch_for_flash_attention_have_it_off() -> None:
    assert not options_of(capabilities=OLD).flash_attention
    assert options_of("-fa", capabilities=OLD).flash_attention


@pytest.mark.parametrize(
    ("arguments", "by_hand"),
    [
        (("-nkvo",), True),
        (("--no-kv-offload",), True),
        (("-kvo",), False),
        (("--kv-offload",), False),
        (("-cmoe",), True),
        (("-ot", "exps=CPU"), True),
        ((), False),
    ],
)
def test_what_is_placed_by_hand_is_seen(arguments: tuple[str, ...], by_hand: bool) -> None:
    assert is_placed_by_hand(given_values(arguments, NEW)) is by_hand


def gpu(name: str, *, is_unified: bool = False) -> Device:
    return Device(name, name, 10 * MIB, 9 * MIB, is_unified)


@pytest.mark.parametrize(
    ("listed", "arguments", "used"),
    [
        (("CUDA0", "CUDA1"), (), ("CUDA0", "CUDA1")),
        (("CUDA0", "igpu"), (), ("CUDA0",)),
        (("igpu", "igpu2"), (), ("igpu",)),
        (("CUDA0", "igpu"), ("-dev", "igpu"), ("igpu",)),
        (("CUDA0", "CUDA1"), ("--device", "CUDA1"), ("CUDA1",)),
        (("CUDA0", "CUDA1"), ("--device", "none"), ()),
        (("CUDA0", "CUDA1"), ("-sm", "none"), ("CUDA0",)),
        (("CUDA0", "CUDA1"), ("-sm", "none", "-mg", "1"), ("CUDA1",)),
        (("CUDA0", "CUDA1"), ("-sm", "none", "-mg", "5"), ()),
        (("CUDA0", "CUDA1"), ("-sm", "row", "-mg", "1"), ("CUDA0", "CUDA1")),
        ((), (), ()),
    ],
)
def test_the_gpus_that_are_used_are_those_that_llama_cpp_takes(
    listed: tuple[str, ...], arguments: tuple[str, ...], used: tuple[str, ...]
) -> None:
    devices = [gpu(name, is_unified=name.startswith("igpu")) for name in listed]
    found = used_devices(devices, given_values(arguments, NEW))
    assert tuple(device.name for device in found) == used
