"""Writing what a model has said to a file: inside the border, whole, over no other unasked."""

import os
import secrets
import stat
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from llama_mcp.file_modes import users_mode
from llama_mcp.files.border import FileBorder, place_in
from llama_mcp.files.errors import SaveExistsError, SaveRefusedError, shown
from llama_mcp.files.named import Saved
from llama_mcp.files.naming.asked import clean_path
from llama_mcp.files.naming.opening import made_folder
from llama_mcp.long_paths import openable

_NEW = (
    os.O_WRONLY
    | os.O_CREAT
    | os.O_EXCL
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_MODE = 0o666
_MODE_BITS = 0o777


@dataclass(frozen=True, slots=True)
class SavePlace:
    """A place where a file may be written."""

    name: str
    path: Path
    border: FileBorder
    overwrite: bool

    def write(self, content: str) -> Saved:
        """Write the whole content as UTF-8, to a new file beside that then takes the place.

        Folders that are missing are made. A file that is replaced keeps its permissions.

        Raises:
            SaveExistsError: a file has come since, and `overwrite` is false.
            SaveRefusedError: the place has become another, or the system refuses it.
        """
        data = content.encode("utf-8", "replace")
        self.border.check_writable(self.path, self.name)
        try:
            with made_folder(self.path.parent, self.border.save_dirs) as folder:
                _write_beside(self, folder, data)
        except FileExistsError as error:
            raise SaveExistsError(self.name) from error
        except OSError as error:
            raise _refused(self.name, error) from error
        return Saved(self.path, self.name, len(data))


def check_save(text: str, border: FileBorder, *, overwrite: bool = False) -> SavePlace:
    """Return where a text says that something is to be saved; nothing is made or written.

    Args:
        text: a path, absolute or relative to the base folder; its folders need not be there.
        border: where callers may write.
        overwrite: whether a file that is there may be replaced.

    Raises:
        FileRefusedError: nothing may be written there.
        SaveExistsError: a file is there, and `overwrite` is false.
        NoFoldersError: no folder is open to callers.
    """
    border.saving_folders()
    path = _real_place(text, border)
    name = border.shown_name(path)
    border.check_writable(path, text)
    if not _is_unicode(path):
        # The archive and every result tell the place, and JSON has no word for it.
        raise SaveRefusedError(text, "its path is no Unicode", "Pass another place.")
    _check_hidden(path, border, text)
    _check_there(path, text, overwrite=overwrite)
    return SavePlace(name, path, border, overwrite)


def _real_place(text: str, border: FileBorder) -> Path:
    is_inside = place_in(border.base, border.save_dirs) is not None
    path = clean_path(text, border.base if is_inside else border.save_dirs[0])
    try:
        if os.path.islink(path):
            return Path(os.path.realpath(path, strict=True))
        return Path(os.path.realpath(path.parent)) / path.name
    except OSError as error:
        raise _refused(text, error) from error
    except ValueError as error:
        raise SaveRefusedError(text, str(error)) from error


def _is_unicode(path: Path) -> bool:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_hidden(path: Path, border: FileBorder, text: str) -> None:
    place = place_in(path, border.save_dirs)
    if place and any(part.startswith(".") for part in place[1]):
        raise SaveRefusedError(
            text, "a part of it begins with a dot, as settings of programs do", "Pass another name."
        )


def _check_there(path: Path, text: str, *, overwrite: bool) -> None:
    try:
        mode = os.lstat(path).st_mode
        if stat.S_ISDIR(mode):
            raise SaveRefusedError(text, "it is a folder", "Pass the path of a file in it.")
        if not stat.S_ISREG(mode):
            raise SaveRefusedError(text, "it is there and no ordinary file", "Pass another name.")
        if not overwrite:
            raise SaveExistsError(text)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise _refused(text, error) from error
    above = next((folder for folder in path.parents if folder.exists()), path.parent)
    if not above.is_dir():
        raise SaveRefusedError(text, f"{shown(above)} is no folder", "Pass another name.")
    if not os.access(above, os.W_OK):
        raise SaveRefusedError(
            text, f"the user of llama-mcp may not write in {shown(above)}", "Pass another place."
        )


def _write_beside(place: SavePlace, folder: int | None, data: bytes) -> None:
    """Write to a new file in the folder and put it in the place; raises OSError."""
    name = _at(folder, place.path)
    temporary = _at(folder, place.path.with_name(f".llama-mcp-{secrets.token_hex(8)}.tmp"))
    mode = _mode_of(name, folder)
    if mode is not None and not place.overwrite:
        raise FileExistsError
    mode = users_mode() if mode is None else mode
    try:
        with os.fdopen(os.open(temporary, _NEW, _MODE, dir_fd=folder), "wb") as file:
            if mode is not None and sys.platform != "win32":
                os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _put(temporary, name, folder, overwrite=place.overwrite)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def _at(folder: int | None, path: Path) -> str:
    return openable(str(path)) if folder is None else path.name


def _mode_of(name: str, folder: int | None) -> int | None:
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise FileExistsError
    return mode & _MODE_BITS


def _put(temporary: str, name: str, folder: int | None, *, overwrite: bool) -> None:
    """Give a file its name, in one step; what came in between is only replaced when asked for."""
    if overwrite:
        os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    elif sys.platform == "win32":
        os.rename(temporary, name)  # refuses what is there
    else:
        try:
            os.link(temporary, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            if _mode_of(name, folder) is not None:
                raise FileExistsError from None
            os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
        else:
            os.unlink(temporary, dir_fd=folder)
    _keep(folder)


def _keep(folder: int | None) -> None:
    """Have the disk keep the new name, where a folder can be asked for that."""
    if folder is not None:
        with suppress(OSError):
            descriptor = os.open(".", os.O_RDONLY, dir_fd=folder)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _refused(name: object, error: OSError) -> SaveRefusedError:
    if isinstance(error, PermissionError):
        why = "the user of llama-mcp may not write there"
        return SaveRefusedError(name, why, "Pass another place.")
    reason = error.strerror or str(error)
    return SaveRefusedError(name, f"the system refuses it ({reason})", "Pass another place.")
