"""What is never shown: values that look like keys and passwords, by the names they stand behind."""

import re
from collections.abc import Sequence

HIDDEN = "(not shown)"
_SECRET = re.compile(r"token|secret|password|passwd|credential|api[-_]?key|auth", re.IGNORECASE)


def is_secret(name: str) -> bool:
    """Tell whether the value of a variable or flag of that name may be a secret."""
    return bool(_SECRET.search(name)) and not name.upper().startswith("LLAMA_MCP_")


def without_secrets(arguments: Sequence[str]) -> list[str]:
    """Return flags and values with the values of secret flags hidden."""
    shown: list[str] = []
    hides_next = False
    for argument in arguments:
        name, has_value, _ = argument.partition("=")
        if hides_next and not argument.startswith("-"):
            shown.append(HIDDEN)
        elif argument.startswith("-") and has_value and is_secret(name):
            shown.append(f"{name}={HIDDEN}")
        else:
            shown.append(argument)
        hides_next = argument.startswith("-") and not has_value and is_secret(name)
    return shown
