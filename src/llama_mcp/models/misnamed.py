"""What a text is that names no model of this machine: said for what it is, with what to pass."""

import json
import os
import re
from pathlib import Path

from llama_mcp.copied_text import plain_text
from llama_mcp.models.errors import ModelUnusableError
from llama_mcp.models.facts import Role
from llama_mcp.models.library import Library, Survey
from llama_mcp.models.offering import gguf_files_in, named, offer
from llama_mcp.models.rows.making import NoModel
from llama_mcp.models.rows.names import folded
from llama_mcp.paths import is_inside

# An address of the hub, or the beginning of one; a path has one slash where an address has two.
_HUB = re.compile(r"(?:hf:/|(?:https?:/)?/?(?:www\.)?(?:huggingface\.co|hf\.co))/+", re.IGNORECASE)
# user/repo or user/repo:quant, as llama-server's -hf takes it.
_REPOSITORY = re.compile(r"(?P<repository>\w[\w.-]*/\w[\w.-]*)(?::[\w.-]+)?")
_FETCH = "{Download}."
_FETCH_IF_MEANT = "{Download} if a repository on Hugging Face is meant."
_NO_FETCHING = (
    "Nothing can be fetched from Hugging Face: the operator has switched LLAMA_MCP_DOWNLOADS off."
)
_NO_MODELS: dict[Role, tuple[str, str | None]] = {
    "projector": ("a projector, which lets a model see pictures or hear", "--mmproj"),
    "adapter": ("an adapter (LoRA), which changes a model", "--lora"),
    "imatrix": ("an importance matrix, which helps to quantize a model", None),
    "draft": ("a draft model, which guesses ahead for a larger one", "--model-draft"),
}


def no_model_refused(other: NoModel) -> ModelUnusableError:
    """Return the error for a file that is a part of a model, or made for one."""
    what, flag = _NO_MODELS[other.facts.role]
    advice = "Pass the model that it was made for."
    if other.models:
        advice = (
            f"It belongs to {named(other.models)}: pass that model, which gets its projector by "
            "itself."
        )
    elif flag:
        extra_args = json.dumps([flag, str(other.path)], ensure_ascii=False)
        advice = f"Pass the model that it was made for, with {extra_args} as extra_args."
    return ModelUnusableError(str(other.path), f"it is {what}, and no model itself", advice)


def address_refused(text: str, survey: Survey, library: Library) -> ModelUnusableError:
    """Return the error for an address on a network."""
    address = plain_text(text)
    offered = offer(address, survey.models, library)
    if (hub := _HUB.match(address)) and (named := _REPOSITORY.match(address, hub.end())):
        problem = f"it is an address on Hugging Face, of the repository {named['repository']}"
        problem += _here_of(named["repository"], survey)
        return _fetchable(address, problem, offered, _FETCH, library)
    return ModelUnusableError(
        address,
        "it is an address, and what is started lies on this machine",
        f"Ask the user to download it, or pass a model of this machine. {offered}",
    )


def missing_refused(path: Path, survey: Survey, library: Library) -> ModelUnusableError:
    """Return the error for what is neither a file nor the name of a model."""
    wanted = path.as_posix()
    hub = _HUB.match(wanted)
    named = None if path.is_absolute() else _REPOSITORY.fullmatch(wanted, hub.end() if hub else 0)
    if named and hub:
        problem = f"it names the repository {named['repository']} on Hugging Face"
        problem += _here_of(named["repository"], survey)
        offered = offer(wanted, survey.models, library)
        return _fetchable(wanted, problem, offered, _FETCH, library)
    problem, advice = _what_is_missing(path, library), _advice(path, survey, library)
    if named and not wanted.lower().endswith(".gguf"):
        return _fetchable(wanted, problem, advice, _FETCH_IF_MEANT, library)
    return ModelUnusableError(str(path), problem, advice)


def _here_of(repository: str, survey: Survey) -> str:
    """Return what is on this machine of a repository, as the end of a sentence."""
    within = f"{folded(repository)}/"
    here = [
        row.model
        for row in survey.rows
        if any(folded(name).startswith(within) for name in row.names)
    ]
    if here:
        return f", of which {named(here)} {'is' if len(here) == 1 else 'are'} on this machine"
    return ", and no model of it is on this machine"


def _fetchable(
    text: str, problem: str, advice: str, next_step: str, library: Library
) -> ModelUnusableError:
    if library.can_fetch:
        return ModelUnusableError(text, problem, advice, next_step=next_step)
    return ModelUnusableError(text, problem, f"{advice} {_NO_FETCHING}")


def _what_is_missing(path: Path, library: Library) -> str:
    if path.is_absolute():
        return "it does not exist" + _folder_missing(path)
    settings = library.settings
    searched = [*map(str, settings.model_dirs)]
    searched += ["the folders of other programs"] if settings.model_places else []
    where = " and ".join(filter(None, (", ".join(searched[:-1]), *searched[-1:])))
    nor = f", nor a model of such a name in {where}" if where else ""
    return f"there is no such file in {_working_folder()}{nor}"


def _working_folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "the working folder, which is gone"


def _folder_missing(path: Path) -> str:
    if os.path.isdir(path.parent):  # Path.is_dir raises for some
        return ""
    nearest = next(filter(os.path.isdir, path.parents), None)
    is_root = nearest is None or nearest == nearest.parent
    there = "" if is_root else f"; {nearest} does"
    return f", nor does the folder {path.parent}{there}"


def _advice(path: Path, survey: Survey, library: Library) -> str:
    # The list of the library has the same files, and by shorter names.
    folders, allowed = library.settings.model_dirs, library.settings.allowed_paths
    is_listed = any(is_inside(path.parent.absolute(), folder) for folder in folders)
    siblings = "" if is_listed else gguf_files_in(path.parent, path.name, allowed=allowed)
    return " ".join(filter(None, (siblings, offer(path.name, survey.models, library))))
