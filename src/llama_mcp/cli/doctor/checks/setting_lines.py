"""Check: every setting with its value, and where that comes from."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import anyio.to_thread

from llama_mcp.cli.doctor.findings import Circumstances, Finding, fault, fine, warning
from llama_mcp.cli.secrets import without_secrets
from llama_mcp.reading_settings import PREFIX, all_missing_folders
from llama_mcp.setting_texts import is_unset
from llama_mcp.settings import Settings

_SET_RIGHT = (
    "Set it right where it is set: in this terminal's environment, or in the `env` of the "
    "client's entry. docs/settings.md says what it takes."
)
_NO_EFFECT = "Take it away, or give it the name that is meant; docs/settings.md has all names."
_MAKE_FOLDER = "Make that folder, or take it out of the setting."
_OF_FOLDERS = frozenset({"model_dirs", "allowed_paths", "file_dirs", "save_dirs"})


async def look_at_settings(circumstances: Circumstances) -> Sequence[Finding]:
    """Say every setting, then what is odd about them."""
    settings = circumstances.settings
    wrong = {each.name: each.text for each in settings.faults}
    given = given_settings(circumstances.environment)
    lines = [
        fault(wrong[name], _SET_RIGHT) if name in wrong else fine(_line(settings, name, given))
        for name in sorted(Settings.model_fields)
    ]
    missing = await anyio.to_thread.run_sync(all_missing_folders, settings, abandon_on_cancel=True)
    odd = [warning(notice, _NO_EFFECT) for notice in settings.notices]
    return [*lines, *odd, *(warning(each, _MAKE_FOLDER) for each in missing)]


def given_settings(environment: Mapping[str, str]) -> frozenset[str]:
    """Return the names of the settings that some variables give a value."""
    names = {
        name.upper().removeprefix(PREFIX).lower()
        for name, text in environment.items()
        if name.upper().startswith(PREFIX) and not is_unset(text)
    }
    return frozenset(names & Settings.model_fields.keys())


def _line(settings: Settings, name: str, given: frozenset[str]) -> str:
    shown = shown_value(name, getattr(settings, name))
    if name in given:
        return f"{PREFIX}{name.upper()} = {shown or 'none'} (environment)"
    return f"{PREFIX}{name.upper()} = {shown or 'unset'} (default)"


def shown_value(name: str, value: Any) -> str:
    """Return what a setting is, without secrets; empty for none."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        between = " " if name == "extra_args" else os.pathsep if name in _OF_FOLDERS else ", "
        return between.join(without_secrets(list(map(str, value))))
    return f"{value:g}" if isinstance(value, float) else str(value)
