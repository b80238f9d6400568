"""A header is read once: its facts are kept by path, size and time, across processes."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from llama_mcp.models.errors import HeaderUnreadableError
from llama_mcp.models.gguf.known_facts import KnownFacts
from llama_mcp.models.gguf.reading import read_facts
from tests.models.gguf.test_reading import write_split
from tests.support import gguf_shapes
from tests.support.gguf_bytes import llama
from tests.support.threads import THREADS, at_once

ONE, OTHER = llama(general__name="one"), llama(general__name="two")
assert len(ONE) == len(OTHER)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.gguf"
    path.write_bytes(ONE)
    return path


@pytest.fixture
def cache_file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "models.json"


def change_unseen(path: Path, content: bytes) -> None:
    """Change a file so that neither its size nor its time tells of it."""
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def name_by(known: KnownFacts, path: Path) -> str | None:
    return known.of(path).name


def test_what_one_process_has_read_the_next_knows(model: Path, cache_file: Path) -> None:
    known = KnownFacts(cache_file)
    assert known.of(model) == read_facts(model)
    known.save()
    change_unseen(model, OTHER)
    assert name_by(KnownFacts(cache_file), model) == "one"
    assert name_by(KnownFacts(None), model) == "two"


def test_facts_come_back_from_the_file_as_they_went_in(tmp_path: Path, cache_file: Path) -> None:
    gguf_shapes.write_lfm_1b(tmp_path / "lfm.gguf")
    gguf_shapes.write_projector(tmp_path / "mmproj.gguf", projection_dim=64)
    sampling = {"general__sampling__temp": 0.7, "general__sampling__top_k": 20}
    (tmp_path / "sampled.gguf").write_bytes(llama(**sampling))
    files = sorted(tmp_path.glob("*.gguf"))
    known = KnownFacts(cache_file)
    expected = [known.of(path) for path in files]
    known.save()
    for path in files:
        change_unseen(path, b"x" * 64)
        os.truncate(path, 0)
    kept = json.loads(cache_file.read_text())["files"]
    for path in files:
        kept[str(path)]["stamp"] = [0, path.stat().st_mtime_ns]
    cache_file.write_text(json.dumps(json.loads(cache_file.read_text()) | {"files": kept}))
    after = KnownFacts(cache_file)
    assert [after.of(path) for path in files] == expected


@pytest.mark.parametrize("by", ["size", "time"])
def test_a_file_that_has_changed_is_read_again(model: Path, cache_file: Path, by: str) -> None:
    known = KnownFacts(cache_file)
    known.of(model)
    known.save()
    if by == "size":
        before = model.stat()
        model.write_bytes(llama(general__name="three"))
        os.utime(model, ns=(before.st_atime_ns, before.st_mtime_ns))
    else:
        change_unseen(model, OTHER)
        os.utime(model, ns=(0, 1))
    expected = "three" if by == "size" else "two"
    assert name_by(known, model) == expected
    assert name_by(KnownFacts(cache_file), model) == expected


def test_a_part_of_a_split_model_that_comes_later_is_seen(tmp_path: Path, cache_file: Path) -> None:
    first, second, _ = write_split(tmp_path)
    content = second.read_bytes()
    second.unlink()
    known = KnownFacts(cache_file)
    assert known.of(first).parameters == 0
    known.save()
    second.write_bytes(content)
    assert KnownFacts(cache_file).of(first).parameters == known.of(first).parameters == 1110


def test_what_is_wrong_with_a_file_is_known_too(model: Path, cache_file: Path) -> None:
    model.write_bytes(ONE[:50])
    known = KnownFacts(cache_file)
    for _ in range(2):
        with pytest.raises(HeaderUnreadableError, match="ends after 50 bytes"):
            known.of(model)
    known.save()
    change_unseen(model, ONE[:49] + b"x")
    with pytest.raises(HeaderUnreadableError, match="ends after 50 bytes"):
        KnownFacts(cache_file).of(model)
    model.write_bytes(ONE)
    assert name_by(KnownFacts(cache_file), model) == "one"


def test_a_file_that_is_not_there_is_told_and_not_remembered(
    tmp_path: Path, model: Path, cache_file: Path
) -> None:
    known = KnownFacts(cache_file)
    known.of(model)
    model.rename(tmp_path / "elsewhere.gguf")
    with pytest.raises(HeaderUnreadableError, match="it does not exist"):
        known.of(model)
    (tmp_path / "elsewhere.gguf").rename(model)
    assert name_by(known, model) == "one"


def test_the_name_of_a_file_counts_as_its_content_does(tmp_path: Path, cache_file: Path) -> None:
    known = KnownFacts(cache_file)
    for quant in ("Q4_K_M", "Q8_0"):
        path = tmp_path / f"model-{quant}.gguf"
        path.write_bytes(ONE)
        os.utime(path, ns=(5, 5))
        assert known.of(path).quant == quant


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"[" * 100_000,
        b'{"edition": 1, "files": {}}',
        b'{"edition": "another", "files": {"/x": {"stamp": [1, 2], "facts": null}}}',
        b'{"format": 99, "models": []}',
    ],
)
def test_a_damaged_foreign_or_other_file_is_no_reason_to_fail_and_is_replaced(
    model: Path, cache_file: Path, content: bytes
) -> None:
    cache_file.parent.mkdir()
    cache_file.write_bytes(content)
    known = KnownFacts(cache_file)
    assert name_by(known, model) == "one"
    known.save()
    change_unseen(model, OTHER)
    assert name_by(KnownFacts(cache_file), model) == "one"


@pytest.mark.parametrize(
    "change",
    [
        {"stamp": "some"},
        {"stamp": [1.5, 2]},
        {"facts": {"role": "model"}},
        {"facts": {"role": "poet", "kind": "chat", "architecture": "llama"}},
        {"facts": 7},
        {"problem": 7, "facts": None},
    ],
)
def test_an_entry_that_cannot_be_is_never_believed(
    model: Path, cache_file: Path, change: dict[str, object]
) -> None:
    known = KnownFacts(cache_file)
    known.of(model)
    known.save()
    kept = json.loads(cache_file.read_text())
    kept["files"][str(model)] |= change
    cache_file.write_text(json.dumps(kept))
    change_unseen(model, OTHER)
    assert name_by(KnownFacts(cache_file), model) == "two"


def test_what_another_edition_of_the_reading_code_has_kept_is_read_anew(
    model: Path, cache_file: Path
) -> None:
    known = KnownFacts(cache_file)
    known.of(model)
    known.save()
    kept = json.loads(cache_file.read_text())
    cache_file.write_text(json.dumps(kept | {"edition": "0" * 32}))
    change_unseen(model, OTHER)
    assert name_by(KnownFacts(cache_file), model) == "two"


def test_nothing_is_written_where_nothing_is_new(model: Path, cache_file: Path) -> None:
    KnownFacts(cache_file).save()
    assert not cache_file.exists()
    known = KnownFacts(cache_file)
    known.of(model)
    known.save()
    written = cache_file.stat()
    known.of(model)
    known.save()
    again = KnownFacts(cache_file)
    again.of(model)
    again.save()
    assert cache_file.stat().st_mtime_ns == written.st_mtime_ns
    assert cache_file.stat().st_ino == written.st_ino


def test_files_that_are_gone_are_forgotten(tmp_path: Path, model: Path, cache_file: Path) -> None:
    gone = tmp_path / "gone.gguf"
    gone.write_bytes(ONE)
    known = KnownFacts(cache_file)
    known.of(gone)
    known.save()
    assert str(gone) in json.loads(cache_file.read_text())["files"]
    gone.unlink()
    known.of(model)
    known.save()
    assert list(json.loads(cache_file.read_text())["files"]) == [str(model)]


def test_what_two_processes_learn_at_a_time_both_keep(tmp_path: Path, cache_file: Path) -> None:
    paths = [tmp_path / f"{number}.gguf" for number in (1, 2)]
    processes = [KnownFacts(cache_file), KnownFacts(cache_file)]
    for path, known in zip(paths, processes, strict=True):
        path.write_bytes(ONE)
        known.of(path)
    for known in processes:
        known.save()
    assert sorted(json.loads(cache_file.read_text())["files"]) == sorted(map(str, paths))


WRITER = """
import sys
from pathlib import Path
from llama_mcp.models.gguf.known_facts import KnownFacts
for _ in range(10):
    known = KnownFacts(Path(sys.argv[1]))
    for path in sys.argv[2:]:
        known.of(Path(path))
    known.save()
    Path(sys.argv[1]).unlink(missing_ok=True)
"""


def test_processes_that_write_and_remove_the_file_at_once_disturb_nobody(
    tmp_path: Path, model: Path, cache_file: Path
) -> None:
    command = [sys.executable, "-c", WRITER, str(cache_file), str(model)]
    writers = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]
    errors = [writer.communicate()[1] for writer in writers]
    assert errors == [b""] * 3
    known = KnownFacts(cache_file)
    known.of(model)
    known.save()
    assert [path.name for path in cache_file.parent.iterdir()] == [cache_file.name]


def test_threads_that_ask_and_save_at_once_get_the_same(tmp_path: Path, cache_file: Path) -> None:
    paths = [tmp_path / f"{number}.gguf" for number in range(20)]
    for path in paths:
        path.write_bytes(ONE)
    known = KnownFacts(cache_file)

    def ask() -> list[str | None]:
        names = []
        for path in paths:
            names.append(known.of(path).name)
            known.save()
        return names

    assert at_once(ask) == [["one"] * 20] * THREADS
    assert len(json.loads(cache_file.read_text())["files"]) == 20


@pytest.mark.posix
def test_only_its_owner_can_read_the_file(model: Path, cache_file: Path) -> None:
    known = KnownFacts(cache_file)
    known.of(model)
    known.save()
    assert stat.S_IMODE(cache_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(cache_file.parent.stat().st_mode) == 0o700


def test_a_place_that_cannot_be_written_to_costs_nothing_but_the_time(
    tmp_path: Path, model: Path
) -> None:
    (tmp_path / "file").touch()
    for place in (tmp_path / "file" / "models.json", tmp_path):
        known = KnownFacts(place)
        assert name_by(known, model) == "one"
        known.save()
        assert name_by(known, model) == "one"
    assert not list(tmp_path.parent.glob("*.tmp"))


@pytest.mark.posix
def test_a_file_whose_name_is_no_text_is_known_to_its_process(
    tmp_path: Path, model: Path, cache_file: Path
) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.gguf"))
    try:
        path.write_bytes(ONE)
    except OSError:
        pytest.skip("this file system takes only names that are text")
    known = KnownFacts(cache_file)
    known.of(path)
    known.of(model)
    known.save()
    change_unseen(path, OTHER)
    change_unseen(model, OTHER)
    assert name_by(known, path) == "one"
    after = KnownFacts(cache_file)
    assert (name_by(after, model), name_by(after, path)) == ("one", "two")
