"""Settings from the command line: `--set NAME=VALUE`, checked as llama-mcp reads them."""

from collections.abc import Sequence

from llama_mcp.cli.install.errors import WrongSettingError
from llama_mcp.reading_settings import PREFIX, read_settings


def variables_of(given: Sequence[str]) -> dict[str, str]:
    """Return the variables of an entry; names may come without their prefix, in any case.

    Raises:
        WrongSettingError: one has no `=`, is no setting, or cannot be that.
    """
    odd = [text for text in given if "=" not in text]
    if odd:
        raise WrongSettingError([f"--set takes NAME=VALUE, and {text} has no `=`." for text in odd])
    pairs = (text.split("=", 1) for text in given)
    variables = {
        f"{PREFIX}{name.strip().upper().removeprefix(PREFIX)}": value for name, value in pairs
    }
    settings = read_settings(variables)
    problems = [*(fault.text for fault in settings.faults), *settings.notices]
    if problems:
        raise WrongSettingError(problems)
    return variables
