"""What a program can have of memory is what its control groups leave of it."""

from pathlib import Path

from llama_mcp.llama_server.diagnosis.free_memory import available_bytes, free_in_groups


def write(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def test_the_limit_of_a_group_and_of_those_above_it_counts(tmp_path: Path) -> None:
    own = write(tmp_path / "cgroup", "0::/user.slice/app.scope\n")
    root = tmp_path / "root"
    write(root / "user.slice" / "memory.max", "1000\n")
    write(root / "user.slice" / "memory.current", "400\n")
    write(root / "user.slice" / "app.scope" / "memory.max", "max\n")
    write(root / "user.slice" / "app.scope" / "memory.current", "300\n")

    assert free_in_groups(root, own) == [600]


def test_the_first_version_of_groups_is_read_too(tmp_path: Path) -> None:
    own = write(tmp_path / "cgroup", "5:cpu:/\n3:memory:/docker/abc\n")
    root = tmp_path / "root"
    write(root / "memory" / "memory.limit_in_bytes", "1000")
    write(root / "memory" / "memory.usage_in_bytes", "100")

    assert free_in_groups(root, own) == [900]


def test_files_that_the_kernel_lets_go_count_as_free(tmp_path: Path) -> None:
    own = write(tmp_path / "cgroup", "3:memory:/old\n0::/new\n")
    root = tmp_path / "root"
    write(root / "new" / "memory.max", "1000")
    write(root / "new" / "memory.current", "900")
    write(root / "new" / "memory.stat", "anon 500\ninactive_file 300\nactive_file 100\n")
    write(root / "memory" / "old" / "memory.limit_in_bytes", "2000")
    write(root / "memory" / "old" / "memory.usage_in_bytes", "1900")
    write(root / "memory" / "old" / "memory.stat", "inactive_file 7\ntotal_inactive_file 40\n")

    assert free_in_groups(root, own) == [140, 400]


def test_statistics_that_cannot_be_read_take_nothing_away(tmp_path: Path) -> None:
    own = write(tmp_path / "cgroup", "0::/\n")
    root = tmp_path / "root"
    write(root / "memory.max", "1000")
    write(root / "memory.current", "900")
    for text in ("", "inactive_file", "inactive_file much\n", "\n\n"):
        write(root / "memory.stat", text)
        assert free_in_groups(root, own) == [100]


def test_without_groups_there_is_no_limit(tmp_path: Path) -> None:
    assert free_in_groups(tmp_path, tmp_path / "nothing") == []
    assert available_bytes() > 0
