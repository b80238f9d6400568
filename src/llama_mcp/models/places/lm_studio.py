"""LM Studio: `publisher/model/FILE.gguf`, in a folder that its settings can move.

Its home is what `~/.lmstudio-home-pointer` says, else `~/.cache/lm-studio` if that is there, else
`~/.lmstudio` (issues 553, 406 and 2015 of lmstudio-bug-tracker). In `settings.json` of that home
`downloadsFolder` names the models' folder.
"""

from collections.abc import Iterator
from pathlib import Path

from llama_mcp.models.places.folders import gguf_files, plain_name, read_json, read_note
from llama_mcp.models.places.found import Found
from llama_mcp.models.places.surroundings import Surroundings


def find(surroundings: Surroundings) -> Iterator[Found]:
    """Give the files below the models' folder."""
    folder = models_folder(surroundings)
    if folder is None:
        return
    for path in gguf_files(folder):
        yield Found(path, plain_name(path.relative_to(folder)), "lm-studio", path.parent)


def models_folder(surroundings: Surroundings) -> Path | None:
    """Return the folder of models, as LM Studio's own notes name it; it need not be there."""
    home = _home(surroundings)
    if home is None:
        return None
    moved = read_json(home / "settings.json").get("downloadsFolder")
    return _absolute(moved) or home / "models"


def _home(surroundings: Surroundings) -> Path | None:
    user = surroundings.home
    if user is None:
        return None
    older = user / ".cache" / "lm-studio"
    pointed = _absolute(read_note(user / ".lmstudio-home-pointer"))
    return pointed or (older if _is_there(older) else user / ".lmstudio")


def _absolute(text: object) -> Path | None:
    if not isinstance(text, str) or not text.strip():
        return None
    path = Path(text.strip())
    return path if path.is_absolute() else None


def _is_there(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except OSError:
        return False
