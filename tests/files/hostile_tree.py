"""A folder that is open, full of ways out of it, and names that try them."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

PRIVATE = "private words that no caller may read"
SECRET = "secret words that no caller may read"


@dataclass(frozen=True)
class Tree:
    """The open folder and the closed ones round it."""

    opened: Path
    closed: Path

    @property
    def above(self) -> Path:
        return self.opened.parent


def make_tree(folder: Path) -> Tree:
    """Make the folders, with files, links, cycles, FIFOs and sockets in them."""
    above = folder.resolve() / "tree"
    tree = Tree(above / "open", above / "closed")
    for made in (tree.opened / "sub" / "deep", tree.closed / "sub", tree.opened / ".ssh"):
        made.mkdir(parents=True)
    for outside in (tree.closed, tree.closed / "sub", above):
        for name in ("private.txt", "a.txt"):
            (outside / name).write_text(PRIVATE, encoding="utf-8")
    for name in (".env", "id_rsa", "sub/server.key", ".ssh/config", "credentials.json"):
        (tree.opened / name).write_text(SECRET, encoding="utf-8")
    for name in ("a.txt", "sub/a.txt", "sub/deep/b.txt", "a:10-80", "[x]*.txt", "{a,b}", "CON"):
        (tree.opened / name).write_text(f"open words of {name}\n" * 100, encoding="utf-8")
    (tree.opened / os.fsdecode(b"odd\xff\n.txt")).write_text("odd", encoding="utf-8")
    links = {
        "link": "../closed/private.txt",
        "way": "../closed",
        "sub/up": "../..",
        "round": ".",
        "self": "self",
        "root": "/",
        "innocent.txt": ".env",
        "inside": "sub/deep",
        "dangling": "../closed/new.txt",
        "zero": "/dev/zero",
        "environ": "/proc/self/environ",
        "chain": "way/sub/../private.txt",
    }
    for name, target in links.items():
        (tree.opened / name).symlink_to(target)
    os.mkfifo(tree.opened / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(tree.opened, os.O_RDONLY)
        try:
            listening.bind(f"/proc/self/fd/{here}/socket")
        finally:
            os.close(here)
    return tree


_PARTS = (
    *("..", ".", "...", "", "a.txt", "sub", "deep", "b.txt", "link", "way", "up", "round", "self"),
    *("root", "innocent.txt", "inside", "dangling", "zero", "environ", "chain", "pipe", "socket"),
    *(".env", ".ENV", "id_rsa", "server.key", ".ssh", "config", "closed", "open", "private.txt"),
    *("tree", "tmp", "etc", "passwd", "proc", "self", "environ", "dev", "zero", "stdin", "fd", "0"),
    *("*", "**", "?", "[!x]*", "[", "]", "{a,b}", "{..,sub}", "{a,b}{c,d}", "*.*", ".*", "..*"),
    *("CON", "nul", "aux.txt", "COM1", "a.txt ", "a.txt.", "a.txt::$DATA", "C:", "c$", "%2e%2e"),
    *("\uff0e\uff0e", "\u2024\u2024", "..\u200b", "\u202e", "~", "~root", "$HOME", "x" * 300),
    *("\udcff", "odd\udcff\n.txt", "\x00", "a\x00b", "\n", "\r", "\t", " ", "'", '"', "\\", "..\\"),
)
_TAILS = (
    "",
    "",
    "",
    ":10-80",
    ":1",
    ":0",
    ":5-2",
    ":1-",
    ":99999999999999999",
    ":a",
    ":-1",
    "/",
    "/.",
)


def names(tree: Tree) -> st.SearchStrategy[str]:
    """Return names that try to lead out of the open folder."""
    parts = st.lists(st.one_of(st.sampled_from(_PARTS), st.text(max_size=4)), max_size=8)
    begin = st.sampled_from(
        (
            *(
                "",
                "",
                "",
                "",
                "/",
                "//",
                "./",
                "../",
                "~/",
                "file://",
                "file:///",
                "\\\\",
                "\\\\?\\",
            ),
            *(f"{tree.opened}/", f"{tree.opened}/../closed/", f"{tree.closed}/", f"{tree.above}/"),
            *(f"file://{tree.closed}/", f"{tree.opened}".upper() + "/", "/proc/self/cwd/"),
            *(f"/proc/self/root{tree.closed}/", "https://", "/dev/fd/", f"{tree.opened}x/"),
        )
    )
    separator = st.sampled_from(("/", "/", "/", "//", "/./", "\\"))
    return st.builds(
        lambda begin, parts, separator, tail: f"{begin}{separator.join(parts)}{tail}",
        *(begin, parts, separator, st.sampled_from(_TAILS)),
    )
