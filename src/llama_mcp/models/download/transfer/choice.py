"""Which files of a repository make the model: llama.cpp's own choice, if it fits.

The rules are those of llama.cpp (common/download.cpp), which takes the quant that was asked for,
else `Q4_K_M`, else `Q8_0`, else the first; all parts of a split model; and of the projectors the
one that lies nearest and has the nearest number of bits. Where that does not fit into memory, the
next smaller one that does is taken.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from llama_mcp.models.download.asked import Asked
from llama_mcp.models.download.errors import DownloadFailedError
from llama_mcp.models.quant_names import QUANT, bits_of
from llama_mcp.models.shards import SHARD
from llama_mcp.wording import first_few, size_text

PREFERRED = ("Q4_K_M", "Q8_0")
# What a context of some thousand tokens and the computing take besides the weights.
BESIDES_BYTES = 512 * 2**20
MAX_LISTED = 30
_NO_MODEL = ("mmproj", "imatrix", "mtp-", "eagle3-", "dflash-", "dspark-")


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file of a repository.

    Attributes:
        path: in the repository.
        size_bytes: of the file.
        oid: what its blob is called: the sha256 of a file in LFS, else git's own sha1.
        is_lfs: which of the two.
    """

    path: str
    size_bytes: int
    oid: str
    is_lfs: bool = True


@dataclass(frozen=True, slots=True)
class Variant:
    """One quant of a model: its files, the first one first."""

    quant: str
    files: tuple[HubFile, ...]

    @property
    def size_bytes(self) -> int:
        """What all its files have."""
        return sum(file.size_bytes for file in self.files)

    @property
    def told(self) -> str:
        """The quant with its size."""
        return f"{self.quant} ({size_text(self.size_bytes)})"


@dataclass(frozen=True, slots=True)
class Choice:
    """What is fetched.

    Attributes:
        quant: which one.
        files: of the model, then its projector, if there is one.
        others: the quants that were not taken.
        notes: what the caller should know of the choice; sentences.
    """

    quant: str
    files: tuple[HubFile, ...]
    others: tuple[Variant, ...] = ()
    notes: tuple[str, ...] = ()


def choose(files: Sequence[HubFile], asked: Asked, available_bytes: int | None) -> Choice:
    """Return what to fetch.

    Args:
        files: of the repository, in the hub's order.
        asked: what the caller named.
        available_bytes: memory for a model; None where it is not known.

    Raises:
        DownloadFailedError: the repository has no GGUF, or not what was asked for.
    """
    ggufs = [file for file in files if file.path.lower().endswith(".gguf")]
    variants = variants_of(ggufs)
    if asked.file:
        return _of_file(asked, ggufs, variants)
    if not variants:
        raise _no_gguf(asked, files)
    if asked.quant:
        return _choice(_named(asked, variants), variants, ggufs, ())
    taken, notes = _fitting(variants, ggufs, available_bytes)
    return _choice(taken, variants, ggufs, notes)


def variants_of(ggufs: Sequence[HubFile]) -> list[Variant]:
    """Return the models among GGUF files, in their order; incomplete split ones are left out."""
    sets: dict[tuple[str, int], list[tuple[int, HubFile]]] = {}
    for file in ggufs:
        if not _is_model(file.path):
            continue
        shard = SHARD.fullmatch(file.path)
        key = (shard["stem"], int(shard["count"])) if shard else (file.path, 1)
        sets.setdefault(key, []).append((int(shard["number"]) if shard else 1, file))
    whole = [
        (stem, tuple(file for _, file in sorted(found, key=lambda each: each[0])))
        for (stem, count), found in sets.items()
        if len(found) == count
    ]
    labels = [_label(stem) for stem, _ in whole]
    often = Counter(label.lower() for label in labels)
    return [
        Variant(label if often[label.lower()] == 1 else _without_suffix(stem), found)
        for label, (stem, found) in zip(labels, whole, strict=True)
    ]


def _is_model(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return not any(word in name for word in _NO_MODEL)


def _label(stem: str) -> str:
    """Return the quant that a path names, the last one; else the path without its ending."""
    found = QUANT.findall(stem)
    return found[-1] if found else _without_suffix(stem)


def _without_suffix(stem: str) -> str:
    return stem[: -len(".gguf")] if stem.lower().endswith(".gguf") else stem


def _named(asked: Asked, variants: Sequence[Variant]) -> Variant:
    found = _matching(asked.quant, variants)
    if found is None:
        raise DownloadFailedError(
            f"{asked.repo} has no quant {asked.quant}. It has: {_listed(variants)}. Pass one of "
            f"them as {asked.repo}:QUANT."
        )
    return found


def _matching(quant: str, variants: Sequence[Variant]) -> Variant | None:
    """Return the variant of exactly that quant, else the first whose path has it, as llama.cpp."""
    exact = (variant for variant in variants if variant.quant.lower() == quant.lower())
    pattern = re.compile(re.escape(quant) + r"[./-]", re.IGNORECASE)
    among = (variant for variant in variants if pattern.search(variant.files[0].path))
    return next(exact, None) or next(among, None)


def _fitting(
    variants: Sequence[Variant], ggufs: Sequence[HubFile], available_bytes: int | None
) -> tuple[Variant, tuple[str, ...]]:
    first = next(filter(None, (_matching(quant, variants) for quant in PREFERRED)), variants[0])
    if available_bytes is None or _needs(first, ggufs) <= available_bytes:
        return first, ()
    smaller = [each for each in variants if each.size_bytes < first.size_bytes]
    fits = [each for each in smaller if _needs(each, ggufs) <= available_bytes]
    available = size_text(available_bytes)
    if fits:
        taken = max(fits, key=lambda each: each.size_bytes)
        return taken, (
            f"{first.told} would not fit into the {available} of memory that are available, so "
            f"{taken.quant} is taken.",
        )
    taken = min([first, *smaller], key=lambda each: each.size_bytes)
    return taken, (
        f"None fits into the {available} of memory that are available; {taken.quant} is the "
        "smallest.",
    )


def _needs(variant: Variant, ggufs: Sequence[HubFile]) -> int:
    projector = _projector(variant, ggufs)
    return variant.size_bytes + (projector.size_bytes if projector else 0) + BESIDES_BYTES


def _of_file(asked: Asked, ggufs: Sequence[HubFile], variants: Sequence[Variant]) -> Choice:
    wanted = asked.file.lower()
    for variant in variants:
        if wanted in (file.path.lower() for file in variant.files):
            return _choice(variant, variants, ggufs, ())
    # A projector, say, or something else that is no model by itself.
    alone = next((file for file in ggufs if file.path.lower() == wanted), None)
    if alone is None or SHARD.fullmatch(alone.path):
        there = ", ".join(file.path for file in ggufs[:MAX_LISTED]) or "no GGUF file at all"
        raise DownloadFailedError(
            f"{asked.repo} has no file {asked.file} at {asked.revision}, or not all its parts. It "
            f"has: {there}."
        )
    note = f"{alone.path} is no model by itself: extra_args of a start take it, after its flag."
    return Choice(_label(alone.path), (alone,), notes=(note,))


def _choice(
    taken: Variant, variants: Sequence[Variant], ggufs: Sequence[HubFile], notes: tuple[str, ...]
) -> Choice:
    projector = _projector(taken, ggufs)
    others = tuple(each for each in variants if each is not taken)
    return Choice(taken.quant, (*taken.files, *([projector] if projector else ())), others, notes)


def _projector(variant: Variant, ggufs: Sequence[HubFile]) -> HubFile | None:
    """Return the projector in the model's folder or the nearest above, of the nearest bits."""
    folder = variant.files[0].path.split("/")[:-1]
    found = [
        (len(place), file)
        for file in ggufs
        if "mmproj" in file.path.rpartition("/")[2].lower()
        and folder[: len(place := file.path.split("/")[:-1])] == place
    ]
    bits = _bits(variant.files[0].path)
    return max(
        found, key=lambda each: (each[0], -abs(_bits(each[1].path) - bits)), default=(0, None)
    )[1]


def _bits(path: str) -> int:
    shard = SHARD.fullmatch(path)
    quants = QUANT.findall(shard["stem"] if shard else path)
    return bits_of(quants[-1]) if quants else 0


def _listed(variants: Sequence[Variant]) -> str:
    return first_few([variant.told for variant in variants], MAX_LISTED)


def _no_gguf(asked: Asked, files: Sequence[HubFile]) -> DownloadFailedError:
    name = asked.repo.rpartition("/")[2]
    advice = (
        f"Others often publish a GGUF version: search the hub for `{name} GGUF`, and pass its "
        "`user/repo`."
    )
    ggufs = [file.path for file in files if file.path.lower().endswith(".gguf")]
    if ggufs:
        there = ", ".join(ggufs[:MAX_LISTED])
        return DownloadFailedError(
            f"{asked.repo} has no whole model, only parts or companions of one: {there}. {advice}"
        )
    has_weights = any(file.path.endswith((".safetensors", ".bin", ".pt")) for file in files)
    what = (
        "has no GGUF file, only weights for other programs" if has_weights else "has no GGUF file"
    )
    return DownloadFailedError(f"{asked.repo} {what}, and llama.cpp reads GGUF only. {advice}")
