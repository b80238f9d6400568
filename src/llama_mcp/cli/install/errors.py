"""What can be wrong when a client is set up."""

from pathlib import Path

from llama_mcp.errors import LlamaMCPError

_TRY_AGAIN = "Set that right, then run the command again."
HOW_TO_STAY = (
    'Install it to stay: `uv tool install ".[engine]"` or `pipx install ".[engine]"` in the folder '
    "of its source"
)
CLOSE_IT = "Close the client, then run the command again."


class ClientFileError(LlamaMCPError):
    """A file of a client cannot be read or written; it was left as it is."""

    def __init__(self, path: Path, problem: str, next_step: str = _TRY_AGAIN) -> None:
        super().__init__(f"{path} {problem}.", next_step=next_step)


class NoProjectFileError(LlamaMCPError):
    """A client reads no file of a project."""

    next_step = "Leave out --project: then it has the entry in every folder."

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} reads no file of a project.")


class NotLastingError(LlamaMCPError):
    """The command that would be written down will be gone before long."""

    def __init__(self, command: str, where: str) -> None:
        super().__init__(
            f"{command} lies in {where}, and will be gone one day; the client would then find "
            f"nothing. {HOW_TO_STAY}. Then run this command of it again."
        )


class WrongSettingError(LlamaMCPError):
    """What `--set` was given is no setting, or cannot be its value."""

    next_step = "docs/settings.md lists all settings and what they take."

    def __init__(self, problems: list[str]) -> None:
        super().__init__(f"Nothing was changed. {' '.join(problems)}")


class OwnCommandError(LlamaMCPError):
    """The client's own program did not do what it was asked for."""

    next_step = _TRY_AGAIN

    def __init__(self, command: str, said: str) -> None:
        super().__init__(f"`{command}` did not do it: {said}.")
