"""The one border where settings come in: from the environment to Settings, whatever it holds.

Nothing that a variable says ends the process. What cannot be is left at its default and recorded,
and whatever needs it says so (`SettingsGroup.check`).
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from llama_mcp.copied_text import plain_text
from llama_mcp.ranges import number_in_words
from llama_mcp.setting_texts import is_unset
from llama_mcp.setting_values import FromText
from llama_mcp.settings import (
    CallSettings,
    DownloadSettings,
    FileSettings,
    LlamaServerSettings,
    OfferSettings,
    RankSettings,
    RemoteSettings,
    ReportSettings,
    Settings,
)
from llama_mcp.settings_group import Fault
from llama_mcp.wording import shortened

PREFIX = "LLAMA_MCP_"
MAX_SHOWN_CHARACTERS = 100
# A key that was pasted where only a word, a path or an address belongs is not told to a model.
_SECRET = frozenset({"api_key", "url", "url_key_file"})
# Settings that no start needs.
_MILD = {
    **OfferSettings.model_fields,
    **CallSettings.model_fields,
    **ReportSettings.model_fields,
}


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Return the settings that the environment's LLAMA_MCP_ variables ask for.

    A variable that is empty, or holds a placeholder that no client has filled in, counts as unset.

    Returns:
        The settings with their faults and notices; what is wrong has its default.
    """
    given = {
        name.upper().removeprefix(PREFIX).lower(): text
        for name, text in environment.items()
        if name.upper().startswith(PREFIX)
    }
    known = Settings.model_fields
    texts = {name: text for name, text in given.items() if name in known and not is_unset(text)}
    values, faults = _valid(*_parsed(texts))
    notices = [
        *(_unknown_notice(name, known) for name in given if name not in known),
        *(
            _unset_notice(name, given[name])
            for name in given
            if name in known and name not in texts
        ),
    ]
    settings = Settings.model_validate(values)
    wrong = [name for name in known if name in faults]
    found = (Fault(name, _described(name, texts[name], faults[name])) for name in wrong)
    return settings.with_findings(tuple(found), tuple(filter(None, notices)))


def findings_in(settings: LlamaServerSettings) -> tuple[str, ...]:
    """Return what is wrong or odd with the settings themselves; looks at nothing else."""
    wrong = (f"{fault.text} {_consequence(fault.name)}" for fault in settings.faults)
    return (*wrong, *settings.notices)


def missing_folders(settings: LlamaServerSettings) -> tuple[str, ...]:
    """Return which folders for models are not there; one on a network may take long."""
    return (
        *_missing_folders("model_dirs", settings.model_dirs),
        *_missing_folders("allowed_paths", settings.allowed_paths),
    )


def all_missing_folders(settings: LlamaServerSettings) -> tuple[str, ...]:
    """Return which folders of all settings are not there; one on a network may take long."""
    if not isinstance(settings, FileSettings):
        return missing_folders(settings)
    return (
        *missing_folders(settings),
        *_missing_folders("file_dirs", settings.file_dirs or ()),
        *_missing_folders("save_dirs", settings.save_dirs or ()),
    )


def _parsed(texts: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return what the texts mean, and why some mean nothing, each by the setting's name."""
    values: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for name, text in texts.items():
        marks = (
            mark for mark in Settings.model_fields[name].metadata if isinstance(mark, FromText)
        )
        mark = next(marks, None)
        try:
            values[name] = mark.parse(text) if mark else plain_text(text)
        except ValueError as error:
            faults[name] = str(error)
    return values, faults


def _valid(values: dict[str, Any], faults: dict[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the values that are in their ranges; the others are added to the faults."""
    try:
        Settings.model_validate(values)
    except ValidationError as error:
        wrong = {str(fault["loc"][0]): fault["msg"] for fault in error.errors(include_url=False)}
        told = {name: _what_it_takes(name) or message for name, message in wrong.items()}
        valid = {name: value for name, value in values.items() if name not in wrong}
        return valid, faults | told
    return values, faults


def _what_it_takes(name: str) -> str | None:
    schema = Settings.model_json_schema()["properties"][name]
    schema |= next((one for one in schema.get("anyOf", ()) if one["type"] != "null"), {})
    if "enum" in schema:
        return f"it takes {' or '.join(schema['enum'])}"
    if schema["type"] == "boolean":
        return "it takes true or false"
    if schema["type"] not in ("integer", "number"):
        return None
    return number_in_words(schema)


def _described(name: str, text: str, why: str) -> str:
    shown = "what it is set to" if name in _SECRET else _shown(text)
    return f"{_variable(name)} cannot be {shown}: {why}."


def _consequence(name: str) -> str:
    if name in _MILD:
        return "The default counts until it is set right."
    if name in DownloadSettings.model_fields:
        return "Nothing is downloaded until it is set right."
    if name in FileSettings.model_fields:
        return "No file of a caller is read or written until it is set right."
    if name in RankSettings.model_fields:
        return "Nothing is ranked until it is set right."
    if name in RemoteSettings.model_fields:
        return "No model answers until it is set right."
    return "No llama-server is started until it is set right."


def _unknown_notice(name: str, known: Iterable[str]) -> str:
    nearest = get_close_matches(name, list(known), n=1)
    meant = f"; the nearest name is {_variable(nearest[0])}" if nearest else ""
    return f"{_shown(_variable(name), '')} is not a setting of llama-mcp and has no effect{meant}."


def _unset_notice(name: str, text: str) -> str:
    if not plain_text(text):
        return ""
    return f"{_variable(name)} is {_shown(text)}, which nobody has filled in, and counts as unset."


def _missing_folders(name: str, folders: Sequence[Path]) -> list[str]:
    return [
        f"{_variable(name)} names {_shown(str(folder), '')}, where no folder is."
        for folder in folders
        if not os.path.isdir(folder)  # Path.is_dir raises for some
    ]


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


def _shown(text: str, quote: str = "'") -> str:
    visible = shortened(text, MAX_SHOWN_CHARACTERS).encode("utf-8", "backslashreplace").decode()
    return quote + "".join(c if c.isprintable() else repr(c)[1:-1] for c in visible) + quote
