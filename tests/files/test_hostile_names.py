"""Whatever a caller names, nothing outside the border is opened, made or changed."""

import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from llama_mcp.errors import LlamaMCPError
from llama_mcp.files.border import FileBorder, border_of
from llama_mcp.files.errors import FileRefusedError, TooManyFilesError
from llama_mcp.files.finding import find
from llama_mcp.files.named import FileText
from llama_mcp.files.reading import read_text
from llama_mcp.files.saving import check_save
from llama_mcp.settings import FileSettings
from tests.files.hostile_tree import PRIVATE, SECRET, Tree, make_tree, names
from tests.files.seen_opens import needs_inotify, watching

pytestmark = [pytest.mark.posix, needs_inotify]
SOME_OR_MANY = pytest.mark.parametrize("count", [500, pytest.param(10_000, marks=pytest.mark.slow)])


def examples(count: int) -> settings:
    return settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return make_tree(tmp_path)


def border_round(tree: Tree) -> FileBorder:
    return border_of(FileSettings(), [tree.opened])


def texts_of(name: str, border: FileBorder) -> Iterator[str]:
    """Give all that a caller of this name would read."""
    found = find([name], border, strict=False)
    for file in found.files:
        assert file.path.is_relative_to(border.base)
        with suppress(FileRefusedError):  # lines behind the end
            text = read_text(file, border, 10**6)
            assert isinstance(text, FileText)
            yield text.text
    for shown in (*(file.name for file in found.files), *(row.name for row in found.left_out)):
        assert len(shown.encode().splitlines()) == 1


@SOME_OR_MANY
def test_hostile_names_open_nothing_outside(tree: Tree, count: int) -> None:
    border = border_round(tree)
    taken = 0

    @examples(count)
    @given(names(tree))
    def check(name: str) -> None:
        nonlocal taken
        with suppress(TooManyFilesError):
            for text in texts_of(name, border):
                taken += 1
                assert PRIVATE not in text and SECRET not in text
        with suppress(LlamaMCPError):
            find([name], border)
        assert seen.names() == []

    with watching(tree.closed, tree.closed / "sub", tree.above, but=tree.opened.name) as seen:
        check()
    assert taken > count / 100


@SOME_OR_MANY
def test_hostile_names_write_nothing_outside(tree: Tree, count: int) -> None:
    border = border_round(tree)
    written = 0

    @examples(count)
    @given(names(tree))
    def check(name: str) -> None:
        nonlocal written
        try:
            place = check_save(name, border, overwrite=True)
            written += place.write("x").path.is_relative_to(tree.opened)
        except FileRefusedError:
            pass
        assert seen.names() == []

    before = {path: path.read_bytes() for path in tree.opened.rglob(".*") if path.is_file()}
    with watching(tree.closed, tree.closed / "sub", tree.above, but=tree.opened.name) as seen:
        check()
    assert written > count / 100
    assert before == {path: path.read_bytes() for path in before}


def test_what_is_swapped_for_a_way_out_in_between_is_not_opened(tree: Tree) -> None:
    border = border_round(tree)
    spare, name = tree.opened / "spare", tree.opened / "swapped"
    folder_spare, folder_name = tree.opened / "folder-spare", tree.opened / "folder"
    spare.write_text("open words", encoding="utf-8")
    folder_spare.mkdir()
    (folder_spare / "private.txt").write_text("open words", encoding="utf-8")
    (tree.opened / "out").symlink_to(tree.closed / "private.txt")
    (tree.opened / "folder-out").symlink_to(tree.closed)
    is_over = threading.Event()

    def swap() -> None:
        for good in cycle((True, False)):
            if is_over.is_set():
                return
            for link, inside, outside in (
                (name, spare, tree.opened / "out"),
                (folder_name, folder_spare, tree.opened / "folder-out"),
            ):
                with suppress(OSError):
                    if good:
                        os.rename(inside, link)
                        os.rename(link, inside)
                    else:
                        os.rename(outside, link)
                        os.rename(link, outside)

    swapping = threading.Thread(target=swap)
    read = refused = 0
    with watching(tree.closed, tree.above, but=tree.opened.name) as seen:
        swapping.start()
        try:
            while read < 20 or refused < 500:
                for asked in ("swapped", "folder/private.txt", "folder/*", "swap*"):
                    try:
                        for text in texts_of(asked, border):
                            assert text == "open words"
                            read += 1
                        find([asked], border)
                    except FileRefusedError:
                        refused += 1
        finally:
            is_over.set()
            swapping.join()
        assert seen.names() == []


def test_a_folder_that_is_swapped_while_a_reply_is_saved_leads_nowhere(tree: Tree) -> None:
    border = border_round(tree)
    folder, spare, out = tree.opened / "folder", tree.opened / "spare", tree.opened / "out"
    folder.mkdir()
    out.symlink_to(tree.closed)
    is_over = threading.Event()

    def swap() -> None:
        while not is_over.is_set():
            for one, other in ((folder, spare), (out, folder), (folder, out), (spare, folder)):
                with suppress(OSError):  # saving may have made the folder that was away
                    os.rename(one, other)

    swapping = threading.Thread(target=swap)
    written = 0
    with watching(tree.closed, tree.above, but=tree.opened.name) as seen:
        swapping.start()
        try:
            for _ in range(200):
                with suppress(FileRefusedError):
                    check_save("folder/a.md", border, overwrite=True).write("x")
                    written += 1
        finally:
            is_over.set()
            swapping.join()
        assert seen.names() == []
    assert written
