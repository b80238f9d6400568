"""Files and folders opened without following a link, and without waiting for anybody.

A path that was checked may lead elsewhere a moment later. So it is walked from the open folder on,
part by part, each relative to the one before: what has become a link in between is not followed.
Windows knows no such walk: there the opened file is asked for its path, and that is checked.
"""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from llama_mcp.file_modes import users_mode
from llama_mcp.files.border import FileBorder, place_in
from llama_mcp.files.errors import NotAFileError, unreadable
from llama_mcp.long_paths import openable, usual

_PATH_ONLY = getattr(os, "O_PATH", os.O_RDONLY)
_FOLDER = (
    _PATH_ONLY
    | getattr(os, "O_DIRECTORY", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
)
# O_NONBLOCK: what has become a FIFO in between must not make us wait for its writer.
_FILE = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFLNK: "a link",
}
# File systems whose files are the kernel's answers: endless, blocking, or about this process.
_KERNEL_FILE_SYSTEMS = frozenset(
    (
        *("proc", "sysfs", "cgroup", "cgroup2", "debugfs", "tracefs", "securityfs", "configfs"),
        *("bpf", "pstore", "efivarfs", "nsfs", "binfmt_misc", "mqueue", "devpts", "devtmpfs"),
        *("fusectl", "selinuxfs", "rpc_pipefs"),
    )
)


def open_file(real: Path, name: object, border: FileBorder) -> int:
    """Return a descriptor of an ordinary file inside the border, for reading.

    Args:
        real: its real path, without links.
        name: what it is called in errors.
        border: where callers may read.

    Raises:
        FileRefusedError: it is none, or has become none since its path was resolved.
    """
    border.check_readable(real, name)
    try:
        descriptor = _opened(real, name, border)
    except OSError as error:
        raise unreadable(name, error) from error
    try:
        check_ordinary(os.fstat(descriptor), name)
        if (true := _true_path(descriptor)) is not None:
            border.check_readable(true, name)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def check_ordinary(status: os.stat_result, name: object) -> None:
    """Raise NotAFileError unless this is a file on a disk."""
    if not stat.S_ISREG(status.st_mode):
        raise NotAFileError(name, _KINDS.get(stat.S_IFMT(status.st_mode), "no file"))
    if status.st_dev in _kernel_devices():
        raise NotAFileError(name, "no file but an answer of the kernel")


if sys.platform == "win32":

    def entries_of(real: Path, folders: tuple[Path, ...]) -> "list[os.DirEntry[str]]":
        """Return what lies in a folder, in no order; raises OSError."""
        with os.scandir(openable(str(real))) as entries:
            return list(entries)

    @contextmanager
    def made_folder(real: Path, folders: tuple[Path, ...]) -> Iterator[int | None]:
        """Make a folder, and those above it; yields None. Raises OSError."""
        os.makedirs(openable(str(real)), exist_ok=True)
        if place_in(Path(os.path.realpath(real)), folders) is None:
            raise FileNotFoundError(f"{real} leads elsewhere now")
        yield None

    def _opened(real: Path, name: object, border: FileBorder) -> int:
        check_ordinary(os.lstat(openable(str(real))), name)
        return os.open(openable(str(real)), _FILE)

else:

    @contextmanager
    def made_folder(real: Path, folders: tuple[Path, ...]) -> Iterator[int | None]:
        """Make a folder inside these if it is missing, and yield a descriptor; raises OSError."""
        with _opened_folder(real, folders, makes=True) as folder:
            yield folder

    @contextmanager
    def _opened_folder(
        real: Path, folders: tuple[Path, ...], *, makes: bool = False
    ) -> Iterator[int]:
        """Yield a descriptor of a folder inside these, for paths relative to it.

        Raises:
            OSError: it is not there, or some part of its path is a link.
        """
        place = place_in(real, folders)
        if place is None:
            raise FileNotFoundError(f"{real} lies in none of the folders")
        descriptor = os.open(place[0], _FOLDER)
        try:
            for part in place[1]:
                if makes:
                    _make_in(descriptor, part)
                inner = os.open(part, _FOLDER, dir_fd=descriptor)
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)

    def _make_in(folder: int, name: str) -> None:
        """Make a folder with the user's permissions, if there is none; raises OSError."""
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=folder)
            if (mode := users_mode(is_folder=True)) is not None:
                made = os.open(name, os.O_RDONLY | (_FOLDER & ~_PATH_ONLY), dir_fd=folder)
                try:
                    os.fchmod(made, mode)
                finally:
                    os.close(made)

    def entries_of(real: Path, folders: tuple[Path, ...]) -> "list[os.DirEntry[str]]":
        """Return what lies in a folder, in no order; raises OSError."""
        with _opened_folder(real, folders) as folder:
            listed = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
            try:
                with os.scandir(listed) as entries:
                    found = list(entries)
                for entry in found:  # kept by the entry, while there is a folder to ask
                    _look_at(entry)
                return found
            finally:
                os.close(listed)

    def _opened(real: Path, name: object, border: FileBorder) -> int:
        with _opened_folder(real.parent, border.read_dirs) as folder:
            check_ordinary(os.stat(real.name, dir_fd=folder, follow_symlinks=False), name)
            return os.open(real.name, _FILE, dir_fd=folder)


def _look_at(entry: "os.DirEntry[str]") -> None:
    with suppress(OSError):
        entry.is_symlink()
        entry.is_dir(follow_symlinks=False)


if sys.platform == "win32":

    def _true_path(descriptor: int) -> Path | None:
        """Return the path of an opened file as the system has it, whatever led there."""
        import ctypes
        import msvcrt

        size = 32768
        buffer = ctypes.create_unicode_buffer(size)
        kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
        kernel32.GetFinalPathNameByHandleW.argtypes = [
            *(ctypes.c_void_p, ctypes.c_wchar_p, ctypes.c_uint32, ctypes.c_uint32)
        ]
        handle = msvcrt.get_osfhandle(descriptor)
        if not 0 < kernel32.GetFinalPathNameByHandleW(handle, buffer, size, 0) < size:
            raise ctypes.WinError(ctypes.get_last_error())
        return Path(usual(buffer.value))

elif sys.platform == "darwin":

    def _true_path(descriptor: int) -> Path | None:
        """Return the path of an opened file as the system has it, in its own spelling."""
        import fcntl

        path = fcntl.fcntl(descriptor, fcntl.F_GETPATH, bytes(1024))
        return Path(os.fsdecode(path.rstrip(b"\0")))

else:

    def _true_path(descriptor: int) -> Path | None:
        """Return None: the walk to the file has said all."""
        return None


if sys.platform == "linux":

    @cache
    def _kernel_devices() -> frozenset[int]:
        """Return the numbers of the devices that hold no files of a disk."""
        try:
            with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
                lines = [line.split() for line in mounts]
        except OSError:
            return frozenset()
        devices = set()
        for fields in lines:
            if fields[fields.index("-") + 1] in _KERNEL_FILE_SYSTEMS:
                major, _, minor = fields[2].partition(":")
                devices.add(os.makedev(int(major), int(minor)))
        return frozenset(devices)

else:

    def _kernel_devices() -> frozenset[int]:
        """Return none: no other system shows itself as files that are not to be opened."""
        return frozenset()
