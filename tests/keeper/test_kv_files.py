"""The files of saved prompt caches: what is proved, and what goes when there is no room."""

import os
import shutil
from pathlib import Path

import pytest

from llama_mcp.keeper import kv_files
from llama_mcp.keeper.kv_files import Proof

NOW = 1_900_000_000.0


def put(root: Path, key: str, name: str, size: int, at: float, *, proved: bool = True) -> Path:
    path = root / key / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    if proved:
        digest = kv_files.digest_of(str(path))
        assert digest is not None
        kv_files.prove(str(path), Proof(600, size, digest, "run"))
    os.utime(path, (at, at))
    return path


def left(root: Path) -> set[str]:
    return {path.stem for path in root.glob("*/*.kv")}


def test_the_oldest_go_first_until_there_is_room_over_all_models(tmp_path: Path) -> None:
    for number, key in enumerate(["a", "b", "a", "b"]):
        put(tmp_path, key, f"session-{number}.kv", 100, NOW + number)
    assert kv_files.make_room(str(tmp_path), 400, 150)
    assert left(tmp_path) == {"session-2", "session-3"}
    assert not list(tmp_path.glob("*/session-0.kv.json"))


def test_what_never_fits_costs_nobody_his_file(tmp_path: Path) -> None:
    put(tmp_path, "a", "session.kv", 100, NOW)
    assert not kv_files.make_room(str(tmp_path), 400, 500)
    assert left(tmp_path) == {"session"}


def test_what_another_keeper_writes_counts_and_stays_until_it_is_abandoned(tmp_path: Path) -> None:
    new = put(tmp_path, "a", "incoming-run-0.kv", 100, NOW, proved=False)
    os.utime(new)
    assert not kv_files.make_room(str(tmp_path), 150, 100)
    os.utime(new, (1, 1))
    assert kv_files.make_room(str(tmp_path), 150, 100)
    assert not left(tmp_path)


def test_a_disk_that_is_nearly_full_has_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = shutil.disk_usage(tmp_path).free
    monkeypatch.setattr(kv_files, "LEAST_FREE_BYTES", free + 2**30)
    assert not kv_files.make_room(str(tmp_path), 2**40, 1)


def test_a_file_counts_only_with_its_whole_record(tmp_path: Path) -> None:
    path = put(tmp_path, "a", "session.kv", 100, NOW)
    proof = kv_files.proof_of(str(path))
    assert proof is not None and (proof.tokens, proof.bytes) == (600, 100)
    record = Path(f"{path}{kv_files.RECORD}")
    for text in ("", "{", "[]", '{"tokens": 1}', '{"tokens": null, "bytes": 1, "sha256": 1}'):
        record.write_text(text)
        assert kv_files.proof_of(str(path)) is None
    kv_files.remove(str(path))
    kv_files.remove(str(path))
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize(
    ("name", "run"),
    [
        (kv_files.incoming_name("20261127T101251Z-5ea8e3", 12), "20261127T101251Z-5ea8e3"),
        ("k7m2-q9x4-tbhz.kv", None),
        ("incoming-.kv", None),
    ],
)
def test_a_name_tells_whose_a_file_is(name: str, run: str | None) -> None:
    assert kv_files.run_of(name) == run
