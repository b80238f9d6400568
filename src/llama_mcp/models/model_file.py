"""Whether a file is a model that llama-server could load.

Only names and the first bytes are looked at, so that a wrong file is named in a millisecond
and in words, where llama-server says `invalid magic characters` after its start. The header is
that of ggml/src/gguf.cpp: magic, version, number of tensors, number of key-value pairs.
"""

import os
import stat
import struct
from itertools import islice
from pathlib import Path

from llama_mcp.models.errors import ModelUnusableError
from llama_mcp.models.places.folders import MAX_DEPTH
from llama_mcp.models.shards import Shard, shard_of

_HEAD_BYTES = 512
_HEADER_BYTES = 24
_READABLE_VERSIONS = range(2, 4)
_LISTED = 5

# Before GGUF, llama.cpp's own formats: ggml, ggmf, ggjt and ggla, written little-endian.
_OLD_MAGICS = (b"lmgg", b"fmgg", b"tjgg", b"algg")
# ELF, PE, and Mach-O in all its orders and as a file for several processors.
_PROGRAM_MAGICS = (
    *(b"\x7fELF", b"MZ", b"\xfe\xed\xfa\xce", b"\xfe\xed\xfa\xcf"),
    *(b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"),
)
_DOWNLOAD_AGAIN = "Pass another model, or ask the user to download this one again."


def check_model_file(path: Path) -> None:
    """Make sure that a file can be a model; what is inside stays llama-server's to judge.

    Raises:
        ModelUnusableError: It is missing, a folder, unreadable, empty, cut off, something else
            than GGUF, of a GGUF version that llama.cpp does not read, or not the first of the
            files of a split model, or one of those is missing.
    """
    _check_kind(path)
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise _unreadable(path, error) from error
    _check_head(path, head)
    _check_shards(path)


def is_gguf(head: bytes) -> bool:
    """Tell whether a file begins as a GGUF does."""
    return head[:4] == b"GGUF"


def is_program(head: bytes) -> bool:
    """Tell whether a file begins as a program does, of whatever system; a script does not."""
    return head.startswith(_PROGRAM_MAGICS)


def _check_kind(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:
        raise _missing(path) from error
    except OSError as error:
        raise _unreadable(path, error) from error
    if stat.S_ISDIR(mode):
        advice = (
            _gguf_files_in(path, depth=MAX_DEPTH)
            or "It holds no GGUF file; pass the path of a .gguf file."
        )
        raise ModelUnusableError(str(path), "it is a folder", advice)
    if not stat.S_ISREG(mode):
        advice = "Pass the path of a .gguf file."
        raise ModelUnusableError(str(path), "it is not a regular file", advice)


def _gguf_files_in(folder: Path, wanted: str = "", *, depth: int = 0) -> str:
    # Imported for a fault alone: a status does not wait for all that knows models.
    from llama_mcp.models.offering import gguf_files_in

    return gguf_files_in(folder, wanted, depth=depth)


def _missing(path: Path) -> ModelUnusableError:
    if path.is_symlink():
        problem = f"it is a link to {os.readlink(path)}, which does not exist"
        return ModelUnusableError(str(path), problem, _DOWNLOAD_AGAIN)
    advice = _gguf_files_in(path.parent, path.name) or "Check the path for a typing error."
    return ModelUnusableError(str(path), "it does not exist", advice)


def _unreadable(path: Path, error: OSError) -> ModelUnusableError:
    if isinstance(error, PermissionError):
        problem = "there is no permission to read it"
        advice = (
            "Pass another, or ask the user to give who runs llama-mcp the right to read it and its "
            "folders (chmod)."
        )
    else:
        problem = f"it cannot be read ({error.strerror or error})"
        advice = "Check the path and the disk it lies on."
    return ModelUnusableError(str(path), problem, advice)


def _check_head(path: Path, head: bytes) -> None:
    if not is_gguf(head):
        problem, advice = _name_stranger(head)
    elif len(head) < _HEADER_BYTES:
        problem, advice = f"it ends after {len(head)} bytes, within its header", _DOWNLOAD_AGAIN
    else:
        problem, advice = _judge_version(head)
    if problem:
        raise ModelUnusableError(str(path), problem, advice)


def _name_stranger(head: bytes) -> tuple[str, str]:
    """What a file without the GGUF magic is, and what to do about it."""
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        return "it is empty", _DOWNLOAD_AGAIN
    if head.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer, not the model itself", (
            "Ask the user to run `git lfs pull` in its repository, or to download the file itself."
        )
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "it is a web page, not a model", (
            "The download has saved the page (a login or an error) instead of the file; ask the "
            "user to use the file's direct link."
        )
    if b"GGUF".startswith(head):
        return f"it ends after {len(head)} bytes", _DOWNLOAD_AGAIN
    return _name_format(head), (
        "llama-server reads GGUF only: take a GGUF version of this model, or convert it with "
        "llama.cpp's convert_hf_to_gguf.py."
    )


def _name_format(head: bytes) -> str:
    if is_program(head):
        return "it is a program, which llama_cpp_path takes, and not a GGUF"
    if head[8:9] == b"{" or head[:1] == b"{":
        return "it is a safetensors or JSON file, not a GGUF"
    if head.startswith((b"PK\x03\x04", b"\x80\x02")):
        return "it is a PyTorch or zip file, not a GGUF"
    if head[:4] in _OLD_MAGICS:
        return "it is in a llama.cpp format older than GGUF"
    return f"it is not a GGUF file (it begins with {head[:4]!r})"


def _judge_version(head: bytes) -> tuple[str, str]:
    """What is wrong with the version in a GGUF header; two empty strings when nothing is."""
    (version,) = struct.unpack_from("<I", head, 4)
    (swapped,) = struct.unpack_from(">I", head, 4)
    if version in _READABLE_VERSIONS:
        return "", ""
    if version < _READABLE_VERSIONS.start:
        return f"it is GGUF version {version}, which llama.cpp no longer reads", (
            "Take a newer GGUF of this model."
        )
    if swapped in range(1, _READABLE_VERSIONS.stop):
        return "it is a big-endian GGUF", "Take the little-endian GGUF of this model."
    return f"it says GGUF version {version}, and llama.cpp reads up to version 3", (
        "The file is damaged, or newer than the llama.cpp in use; pass a newer llama.cpp "
        "as llama_cpp_path, or ask the user to download the model again."
    )


def _check_shards(path: Path) -> None:
    shard = shard_of(path)
    if shard is None:
        return
    if shard.number != 1 and shard.part(1).exists():
        advice = (
            f"llama-server takes the first part and finds the others itself: pass {shard.part(1)}."
        )
        problem = f"it is part {shard.number} of {shard.count}"
        raise ModelUnusableError(str(path), problem, advice)
    missing = _missing_shards(shard)
    if missing:
        are, them = ("is", "it") if len(missing) == 1 else ("are", "them")
        problem = (
            f"of the {shard.count} files of this split model {', '.join(missing)} {are} missing"
        )
        advice = f"Ask the user to download {them} into {path.parent}."
        raise ModelUnusableError(str(path), problem, advice)


def _missing_shards(shard: Shard) -> list[str]:
    missing = (part.name for part in shard.parts() if not part.exists())
    return list(islice(missing, _LISTED))
