"""What is never shown: values that look like keys and passwords, by the names they stand behind."""

import re
from collections.abc import Sequence

HIDDEN = "(not shown)"
_SECRET = re.compile(r"token|secret|password|passwd|credential|api[-_]?key|auth", re.IGNORECASE)
# Names that look like it, and whose values are words.
_WORDS = {"LLAMA_MCP_API_KEY": ("none", "auto")}
_WITHIN_ADDRESS = re.compile(r"(?<=://)[^/@\s]+(?=@)")


def shown_variable(name: str, text: str) -> str:
    """Return the text of a variable, or that it is not shown."""
    if _SECRET.search(name) and text.strip().lower() not in _WORDS.get(name.upper(), ()):
        return HIDDEN
    return " ".join(without_secrets(text.split(" ")))


def without_secrets(arguments: Sequence[str]) -> list[str]:
    """Return flags and values without the values of secret flags, and passwords in addresses."""
    shown: list[str] = []
    hides_next = False
    for argument in arguments:
        name, has_value, _ = argument.partition("=")
        is_secret_flag = argument.startswith("-") and bool(_SECRET.search(name))
        if hides_next and not argument.startswith("-"):
            shown.append(HIDDEN)
        elif is_secret_flag and has_value:
            shown.append(f"{name}={HIDDEN}")
        else:
            shown.append(_WITHIN_ADDRESS.sub(HIDDEN, argument))
        hides_next = is_secret_flag and not has_value
    return shown
