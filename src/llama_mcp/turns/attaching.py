"""The files that a caller names, read for a message. All of it blocks: it is called in threads."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llama_mcp.files.border import FileBorder, place_in
from llama_mcp.files.errors import FileRefusedError, FileTooLargeError, NothingFoundError
from llama_mcp.files.finding import find
from llama_mcp.files.named import FileKind, FileText, LeftOut, NamedFile, Picture
from llama_mcp.files.reading import read_text
from llama_mcp.files.saving import check_save
from llama_mcp.sessions.attachments import AttachedFile, Attachment, SaveTo
from llama_mcp.turns.errors import FileTooLargeForChatError
from llama_mcp.wording import counted, first_few

# Of all texts of a message: a window of a million tokens holds no more (file_check.py).
MOST_TEXT_BYTES = 16 * 2**20
# Of all its pictures.
MOST_PICTURE_BYTES = 32 * 2**20
# How many files a note names.
MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Taken:
    """What was read for a message, and what its caller should know of it."""

    files: tuple[Attachment, ...] = ()
    notes: tuple[str, ...] = ()


def take_files(asked: Sequence[str], border: FileBorder) -> Taken:
    """Read what a caller names: paths, patterns, lines of a file.

    Args:
        asked: What the caller wrote.
        border: Where callers may read.

    Raises:
        FileRefusedError: One that is named by its own path cannot be taken, or nothing can.
        FileTooLargeForChatError: They are more than any window holds.
        LlamaMCPError: No folder is open to callers, or there are too many files.
    """
    if not asked:
        return Taken()
    found = find(asked, border)
    left_out = list(found.left_out)
    read = list(_read(found.files, border, left_out))
    if not read:
        raise NothingFoundError(", ".join(asked), f"all was left out: {_listed(left_out)}")
    notes = list(_notes_of(read))
    if any(file.is_matched for file in found.files):
        notes.append(f"{counted(len(read), 'file was', 'files were')} sent with the message.")
    if left_out:
        notes.append(f"Left out: {_listed(left_out)}.")
    return Taken(tuple(map(_attachment, read)), tuple(notes))


def place_to_save(asked: str, border: FileBorder, *, overwrite: bool) -> SaveTo:
    """Return where a reply is to be written, if it can be; nothing is made there yet.

    Args:
        asked: What the caller wrote.
        border: Where callers may write.
        overwrite: Whether a file that is there may be replaced.

    Raises:
        LlamaMCPError: Why it cannot.
    """
    place = check_save(asked, border, overwrite=overwrite)
    inside = place_in(place.path, border.save_dirs)
    folder = inside[0] if inside else place.path.parent
    return SaveTo(path=str(place.path), folder=str(folder), overwrite=overwrite)


def _read(
    files: Sequence[NamedFile], border: FileBorder, left_out: list[LeftOut]
) -> Iterator[FileText | Picture]:
    """Yield what the files say; of a pattern's, those that cannot be read are left out."""
    most = {True: MOST_PICTURE_BYTES, False: MOST_TEXT_BYTES}
    left_bytes = dict(most)
    for file in files:
        is_picture = file.kind is FileKind.PICTURE
        try:
            read = read_text(file, border, left_bytes[is_picture])
        except FileTooLargeError as error:
            size_bytes = error.size_bytes
            raise FileTooLargeForChatError(error.name, size_bytes, most[is_picture]) from None
        except FileRefusedError as error:
            if not file.is_matched:
                raise
            left_out.append(LeftOut(error.name, error.why))
            continue
        size_bytes = len(read.content) if isinstance(read, Picture) else len(read.text.encode())
        left_bytes[is_picture] -= size_bytes
        if left_bytes[is_picture] < 0:
            raise FileTooLargeForChatError(file.name, size_bytes, most[is_picture])
        yield read


def _notes_of(read: Sequence[FileText | Picture]) -> Iterator[str]:
    """Yield what a caller should know of the texts, of the first few with their names."""
    texts = [each for each in read if isinstance(each, FileText)]
    notes = [f"{each.name}: {note}" for each in texts for note in each.notes]
    yield from notes[:MOST_NAMED]
    if len(notes) > MOST_NAMED:
        yield f"Of the other files there are {len(notes) - MOST_NAMED} more such notes."
    empty = [each.name for each in texts if not each.text.strip()]
    if empty:
        yield f"{first_few(empty, MOST_NAMED)} {'is' if len(empty) == 1 else 'are'} empty."


def _attachment(read: FileText | Picture) -> Attachment:
    if isinstance(read, Picture):
        facts = AttachedFile(
            name=read.name,
            media_type=read.media_type,
            size_bytes=read.size_bytes,
            sha256=read.sha256,
        )
        return Attachment(facts, read.content)
    facts = AttachedFile(
        name=read.name,
        first_line=read.first_line,
        last_line=read.last_line,
        size_bytes=read.size_bytes,
        sha256=read.sha256,
    )
    return Attachment(facts, read.text)


def _listed(left_out: Sequence[LeftOut]) -> str:
    return first_few([f"{each.name} ({each.why})" for each in left_out], MOST_NAMED, "; ")
