"""The border: which folders callers may name files in, and what is refused inside them as well."""

import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llama_mcp.files.errors import (
    NoFoldersError,
    NotAFileError,
    OutsideBorderError,
    SecretFileError,
    shown,
)
from llama_mcp.files.naming.secrets import SecretPatterns, patterns_of
from llama_mcp.home_folders import home_of_user
from llama_mcp.paths import is_same_file
from llama_mcp.settings import FileSettings

READ_SETTING = "LLAMA_MCP_FILE_DIRS"
SAVE_SETTING = "LLAMA_MCP_SAVE_DIRS"
# What the same is called in the file of tokens.
READ_OF_TOKEN = "file_dirs of this token"
SAVE_OF_TOKEN = "save_dirs of this token"
# What lies here looks like files and is the kernel, or a device.
_OF_THE_KERNEL = ("/proc", "/sys", "/dev")


@dataclass(frozen=True)
class FileBorder:
    """Where callers may read and write; every folder is a real path."""

    read_dirs: tuple[Path, ...]
    save_dirs: tuple[Path, ...]
    base: Path
    """What relative paths begin at, and shown names are relative to."""
    secrets: SecretPatterns = field(default_factory=SecretPatterns)
    why_none: str = "no folder was given to llama-mcp"
    """Why there is no folder to read from, where there is none; follows "because"."""
    why_none_to_save: str = "no folder was given to llama-mcp"
    """The same of folders to write to."""
    own: tuple[Path, ...] = ()
    """Folders of llama-mcp's own records, closed unless an open folder lies in them."""
    read_setting: str = READ_SETTING
    """By what the operator opens folders to read from."""
    save_setting: str = SAVE_SETTING
    """The same of folders to write to."""

    def check_readable(self, real: Path, name: object) -> None:
        """Raise a FileRefusedError unless callers may read this path; it has no links in it."""
        _check(real, name, self.reading_folders(), self.read_setting, self)

    def check_writable(self, real: Path, name: object) -> None:
        """Raise a FileRefusedError unless callers may write this path; it has no links in it."""
        _check(real, name, self.saving_folders(), self.save_setting, self)

    def check_name(self, path: Path, name: object) -> None:
        """Raise SecretFileError when the path by which a file is named says that it is secret."""
        place = place_in(Path(os.path.abspath(path)), self.read_dirs)
        if pattern := self.secrets.matching(place[1] if place else (path.name,)):
            raise SecretFileError(name, pattern)

    def reading_folders(self) -> tuple[Path, ...]:
        """Return the folders to read from; raises NoFoldersError when there is none."""
        if not self.read_dirs:
            raise NoFoldersError(self.why_none, self.read_setting)
        return self.read_dirs

    def saving_folders(self) -> tuple[Path, ...]:
        """Return the folders to write to; raises NoFoldersError when there is none."""
        if not self.save_dirs:
            raise NoFoldersError(self.why_none_to_save, self.save_setting)
        return self.save_dirs

    def bases(self, folders: Iterable[Path]) -> list[Path]:
        """Return where relative paths are looked for, in this order."""
        return list(dict.fromkeys((self.base, *folders)))

    def shown_name(self, real: Path) -> str:
        """Return what a file is called to model and caller."""
        inside = place_in(real, (self.base,))
        return shown("/".join(inside[1]) if inside and inside[1] else real.as_posix())


def border_of(
    settings: FileSettings,
    client_folders: Sequence[Path],
    own: Sequence[Path] = (),
    file_dirs: Sequence[Path] | None = None,
    save_dirs: Sequence[Path] | None = None,
) -> FileBorder:
    """Return the border that the operator's settings and the client's folders make.

    Args:
        settings: the operator's; folders that they name take the place of the client's.
        client_folders: the client's roots, or the folder in which llama-mcp was started; a folder
            that holds too much (a root of the file system, the home folder, or one above it) is
            left out.
        own: folders of llama-mcp's records.
        file_dirs: folders of the caller's token, in the place of all others; None without them.
        save_dirs: the same of folders to write to.

    Raises:
        WrongSettingsError: one of these settings is wrong.
    """
    settings.check(tuple(FileSettings.model_fields))
    secrets = patterns_of(settings.secret_files)
    clients, why = _of_client(client_folders, secrets)
    reads = _Opened(READ_OF_TOKEN, file_dirs).or_else(READ_SETTING, settings.file_dirs)
    saves = _Opened(SAVE_OF_TOKEN, save_dirs).or_else(SAVE_SETTING, settings.save_dirs)
    read = clients if reads.folders is None else _real(reads.folders)
    save = clients if saves.folders is None else _real(saves.folders)
    base = next((folder for folder in clients if place_in(folder, read)), None)
    # Without any folder nothing is found, wherever relative paths begin.
    begins = (*read, *clients, *save, *_real(client_folders))
    base = base or next(iter(begins), Path(os.path.abspath(os.sep)))
    return FileBorder(
        *(read, save, base, secrets),
        why_none=reads.why_none(why),
        why_none_to_save=saves.why_none(why),
        own=tuple(Path(os.path.realpath(folder)) for folder in own),
        read_setting=reads.setting,
        save_setting=saves.setting,
    )


@dataclass(frozen=True, slots=True)
class _Opened:
    """The folders that the operator has opened, and by what."""

    setting: str
    folders: Sequence[Path] | None
    """None: those of the client."""

    def or_else(self, setting: str, folders: Sequence[Path] | None) -> "_Opened":
        """Return it, or what a setting says where it says nothing."""
        return _Opened(setting, folders) if self.folders is None else self

    def why_none(self, why_of_client: str) -> str:
        """Return why there is no folder, where there is none."""
        if self.folders is None:
            return why_of_client
        names_none = f"{self.setting} names none that is there"
        return names_none if self.folders else f"{self.setting} says so"


def place_in(real: Path, folders: Iterable[Path]) -> tuple[Path, tuple[str, ...]] | None:
    """Return the folder in which a path lies, as the path spells it, and the parts below it.

    Of several the innermost counts. None when it lies in none of them.
    """
    places: list[tuple[Path, tuple[str, ...]]] = []
    for folder in folders:
        for above in (real, *real.parents):
            if above == folder or (_alike(above.name, folder.name) and is_same_file(above, folder)):
                places.append((above, real.relative_to(above).parts))
                break
    return min(places, key=lambda place: len(place[1]), default=None)


def _check(
    real: Path, name: object, folders: Sequence[Path], setting: str, border: FileBorder
) -> None:
    place = place_in(real, folders)
    if place is None:
        raise OutsideBorderError(name, folders, setting)
    if _is_own(real, place[0], border.own):
        raise NotAFileError(name, "one of llama-mcp's own records")
    if os.name == "posix" and str(real).startswith(tuple(f"{top}/" for top in _OF_THE_KERNEL)):
        raise NotAFileError(name, "no file but a part of the system")
    if pattern := border.secrets.matching(place[1]):
        raise SecretFileError(name, pattern)


def _is_own(real: Path, opened: Path, own: Sequence[Path]) -> bool:
    return any(place_in(real, (folder,)) and not _lies_below(opened, folder) for folder in own)


def _lies_below(path: Path, folder: Path) -> bool:
    place = place_in(path, (folder,))
    return place is not None and bool(place[1])


def _of_client(folders: Sequence[Path], secrets: SecretPatterns) -> tuple[tuple[Path, ...], str]:
    """Return the client's folders that are taken, and why there is none."""
    home = home_of_user()
    taken, why = [], "the client told no folder"
    if folders:
        why = f"the client's folder ({shown(folders[0])}) is not there"
    for real in _real(folders):
        if real.parent == real:
            why = f"the client's folder is {shown(real)}, which is everything"
        elif home is not None and place_in(Path(os.path.realpath(home)), (real,)):
            why = f"the client's folder ({shown(real)}) is or holds the user's home folder"
        elif secrets.matching(real.parts[1:]):
            why = f"the client's folder ({shown(real)}) is one for secrets"
        else:
            taken.append(real)
    return tuple(taken), why


def _real(folders: Iterable[Path]) -> tuple[Path, ...]:
    real = []
    for folder in folders:
        try:
            real.append(Path(os.path.realpath(folder, strict=True)))
        except (OSError, ValueError):
            continue  # what is not there holds no file
    return tuple(dict.fromkeys(each for each in real if os.path.isdir(each)))


def _alike(one: str, other: str) -> bool:
    """Tell whether two names can be one on a file system that is forgiving."""
    plain, other_plain = (unicodedata.normalize("NFC", name).casefold() for name in (one, other))
    return plain == other_plain
