"""Which GPUs an engine has, as it lists them; NVML is a stand-in, since no driver is there."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llama_mcp.llama_server.engine import devices as engine_devices
from llama_mcp.llama_server.engine.capabilities import learn_capabilities
from llama_mcp.llama_server.engine.command_line import LaunchConfig
from llama_mcp.llama_server.engine.devices import (
    Device,
    devices_for_start,
    free_now,
    no_gpu_note,
    parse_devices,
)
from llama_mcp.llama_server.engine.locate import locate_engine
from llama_mcp.llama_server.status import LaunchArguments
from llama_mcp.settings import Settings
from tests.fake_llama_server.install import install_fake
from tests.support.nvml import Gpu, use_gpus

MIB = 2**20
H100 = Device("CUDA0", "NVIDIA H100", 81008 * MIB, 80518 * MIB, is_unified=False)


@pytest.mark.parametrize(
    ("answer", "names"),
    [
        ("Available devices:\n  (none)\n", ()),
        ("Available devices:\n  CUDA0: NVIDIA H100 (81008 MiB, 80500 MiB free)\n", ("CUDA0",)),
        ("Available devices:\n  BLAS: Accelerate (0 MiB, 0 MiB free)\n", ()),
        ("Available devices:\n  MTL0: M3 (1 MiB, 1 MiB free)\n  BLAS: x (0 MiB)\n", ("MTL0",)),
        ("error: invalid argument: --list-devices\n", None),
    ],
)
def test_the_devices_are_those_that_are_listed_and_calculate_elsewhere_than_on_the_cpu(
    answer: str, names: tuple[str, ...] | None
) -> None:
    devices = parse_devices(answer)
    assert names == (None if devices is None else tuple(device.name for device in devices))


@pytest.mark.parametrize(
    ("line", "device"),
    [
        # What lists them has a context of its own there, which ends with it.
        ("CUDA0: NVIDIA H100 (81008 MiB, 80000 MiB free)", H100),
        (
            "CUDA0: NVIDIA H100 (81008 MiB, 80900 MiB free)",
            replace(H100, free_bytes=H100.total_bytes),
        ),
        # Names of makers have brackets of their own.
        (
            "Vulkan0: AMD Radeon RX 7900 XTX (RADV NAVI31) (24560 MiB, 23000 MiB free)",
            Device(
                "Vulkan0", "AMD Radeon RX 7900 XTX (RADV NAVI31)", 24560 * MIB, 23000 * MIB, False
            ),
        ),
        ("SYCL0: Intel Arc (10 MiB)", Device("SYCL0", "Intel Arc", 10 * MIB, 10 * MIB, False)),
        ("X0: no sizes", Device("X0", "no sizes", 0, 0, False)),
    ],
)
def test_a_line_tells_the_memory_of_a_device(line: str, device: Device) -> None:
    text = f"ggml_init: found 1 device\nAvailable devices:\n  {line}\r\n"
    assert parse_devices(text) == (device,)


@pytest.mark.parametrize(
    ("line", "is_unified"),
    [
        ("MTL0: Apple M3 Max (49152 MiB, 49151 MiB free)", True),
        ("Metal: Apple M1 (10922 MiB, 10922 MiB free)", True),
        ("Vulkan0: Intel(R) UHD Graphics 630 (15900 MiB, 14000 MiB free)", True),
        ("Vulkan0: Intel(R) Iris(R) Xe Graphics (TGL GT2) (11901 MiB, 9000 MiB free)", True),
        ("Vulkan0: AMD Radeon Graphics (RADV RENOIR) (16000 MiB, 15000 MiB free)", True),
        ("Vulkan0: AMD Radeon 780M (RADV PHOENIX) (16000 MiB, 15000 MiB free)", True),
        ("ROCm0: AMD Radeon 8060S (98304 MiB, 98000 MiB free)", True),
        ("CUDA0: NVIDIA GB10 (122572 MiB, 118000 MiB free)", True),
        ("CUDA0: Orin (30697 MiB, 20000 MiB free)", True),
        ("CUDA0: NVIDIA GeForce RTX 4090 (24080 MiB, 23000 MiB free)", False),
        ("Vulkan0: Intel(R) Arc(TM) A770 Graphics (DG2) (16288 MiB, 16000 MiB free)", False),
        ("Vulkan0: AMD Radeon RX 6600 (RADV NAVI23) (8176 MiB, 8000 MiB free)", False),
        ("ROCm0: AMD Radeon PRO W7900 (49136 MiB, 49000 MiB free)", False),
        ("ROCm0: AMD Instinct MI300X (196288 MiB, 196000 MiB free)", False),
    ],
)
def test_a_gpu_inside_a_processor_is_known_by_its_name(line: str, is_unified: bool) -> None:
    devices = parse_devices(f"Available devices:\n  {line}\n")
    assert devices is not None
    assert [device.is_unified for device in devices] == [is_unified]


def test_nvml_says_what_is_free_now(monkeypatch: pytest.MonkeyPatch) -> None:
    use_gpus(monkeypatch, Gpu("NVIDIA H100", free_bytes=5))
    (now,) = free_now([H100], {}, has_ended_another=True)
    assert now == replace(H100, free_bytes=5)


@pytest.mark.parametrize("gpus", [[], [Gpu("NVIDIA A100")], [Gpu("NVIDIA H100")] * 2])
def test_nvml_is_not_believed_that_knows_other_gpus_than_the_engine(
    monkeypatch: pytest.MonkeyPatch, gpus: list[Gpu]
) -> None:
    use_gpus(monkeypatch, *gpus)
    assert free_now([H100], {}, has_ended_another=False) == (H100,)


def test_what_only_the_engine_could_tell_counts_as_free_once_another_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use_gpus(monkeypatch)
    vulkan = replace(H100, name="Vulkan0")
    (now,) = free_now([vulkan], {}, has_ended_another=True)
    assert now.free_bytes == vulkan.total_bytes


async def devices_of(engine_path: str, **arguments: Any) -> tuple[Device, ...] | None:
    engine = locate_engine(engine_path, "")
    capabilities = await learn_capabilities(engine, {})
    config = LaunchConfig.of(Settings(), LaunchArguments(**arguments))
    return await devices_for_start(config, engine, capabilities, {})


async def test_only_who_asks_for_a_gpu_hears_that_the_engine_has_none(engine: str) -> None:
    async def notes_of(**arguments: Any) -> tuple[str, ...]:
        config = LaunchConfig.of(Settings(), LaunchArguments(**arguments))
        return no_gpu_note(config, await devices_of(engine, **arguments))

    for layers in (99, -1):
        (note,) = await notes_of(n_gpu_layers=layers)
        assert f"n_gpu_layers={layers} has no effect" in note
    assert await notes_of() == await notes_of(n_gpu_layers=0) == ()
    with_rpc = await notes_of(n_gpu_layers=99, extra_args=("--rpc", "h:1"))
    assert with_rpc == ()


async def test_an_engine_is_asked_once_whether_it_has_a_gpu(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_devices, "_listed", {})
    assert await devices_of(engine, n_gpu_layers=0) == ()
    assert await devices_of(engine, n_gpu_layers=-1) == ()
    assert len(engine_devices._listed) == 1
    monkeypatch.setattr(engine_devices, "ask", None)
    assert await devices_of(engine, n_gpu_layers=-1) == ()


@pytest.mark.posix
async def test_a_driver_that_hangs_delays_one_start_that_wants_no_gpu_and_no_other(
    fake_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = install_fake(fake_folder)
    program = fake_folder / "hanging"
    hangs = f'case "$*" in *--list-devices*) sleep 600;; esac; exec {real} "$@"'
    program.write_text(f"#!/bin/sh\n{hangs}\n")
    program.chmod(0o755)
    monkeypatch.setattr(engine_devices, "PATIENCE_SECONDS", 0.05)
    assert await devices_of(str(program)) is None
    monkeypatch.setattr(engine_devices, "PATIENCE_SECONDS", 600)
    assert await devices_of(str(program)) is None
