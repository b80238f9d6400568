"""Which RPC workers a start uses: the call's, else the entry's, else the setting's."""

import pytest

from llama_mcp.llama_server.workers.wanted import (
    NO_WORKERS,
    WantedWorkers,
    host_and_port,
    wanted_workers,
)

SET = ("10.0.0.2:50052", "10.0.0.3:50052")


def wanted(
    values: dict[str, str] | None = None,
    of_entry: tuple[str, ...] | None = None,
    *,
    uses_gpus: bool = True,
    is_known: bool = True,
) -> WantedWorkers:
    return wanted_workers(values or {}, of_entry, SET, uses_gpus=uses_gpus, is_known=is_known)


def test_the_setting_alone_is_enough() -> None:
    workers = wanted()
    assert workers.addresses == SET and not workers.is_named
    assert workers.flags == ["--rpc", "10.0.0.2:50052,10.0.0.3:50052"]


def test_what_extra_args_name_goes_before_and_is_not_passed_twice() -> None:
    workers = wanted({"--rpc": "10.0.0.3:50052"}, ("10.0.0.2:50052",))
    assert workers.addresses == ("10.0.0.3:50052",) and workers.is_named
    assert workers.flags == []


def test_an_entry_has_its_own_or_none() -> None:
    workers = wanted(of_entry=("10.0.0.9:1",))
    assert workers.addresses == ("10.0.0.9:1",) and workers.is_named
    assert wanted(of_entry=()) == NO_WORKERS


@pytest.mark.parametrize("device", ["none", "CUDA0", "CUDA0,CUDA1"])
def test_who_picks_other_devices_does_without(device: str) -> None:
    assert wanted({"--device": device}) == NO_WORKERS
    assert wanted({"--device": f"{device},RPC0"}).addresses == SET


def test_a_start_on_the_processor_alone_does_without() -> None:
    assert wanted(uses_gpus=False) == NO_WORKERS


def test_an_engine_without_rpc_is_started_without_and_that_is_said() -> None:
    workers = wanted(is_known=False)
    assert not workers.addresses and not workers.flags
    assert "built without RPC" in workers.notes[0] and SET[0] in workers.notes[0]


def test_an_address_has_two_parts() -> None:
    assert host_and_port("worker.lan:50052") == ("worker.lan", 50052)
    assert host_and_port("[fe80::1]:5") == ("fe80::1", 5)
    for wrong in ("worker", "worker:", ":5", "worker:x", "worker:0", "worker:65536", "worker:²"):
        with pytest.raises(ValueError, match=r"no host:port"):
            host_and_port(wrong)
