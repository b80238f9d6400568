"""What can be wrong when a client is set up."""

from pathlib import Path

from llama_mcp.errors import LlamaMCPError


class ClientFileError(LlamaMCPError):
    """A file of a client cannot be read or written; it was left as it is."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path} {problem}.")


class NotLastingError(LlamaMCPError):
    """The command that would be written down will be gone before long."""

    def __init__(self, command: str, where: str) -> None:
        super().__init__(
            f"{command} lies in {where}, and will be gone one day; the client would then find "
            'nothing. Install llama-mcp to stay, with `uv tool install "llama-mcp[engine]"` or '
            '`pipx install "llama-mcp[engine]"`, and run this command of it again.'
        )


class WrongSettingError(LlamaMCPError):
    """What `--set` was given is no setting, or cannot be its value."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(f"Nothing was changed. {' '.join(problems)}")


class OwnCommandError(LlamaMCPError):
    """The client's own program did not do what it was asked for."""

    def __init__(self, command: str, said: str) -> None:
        super().__init__(f"`{command}` did not do it: {said}")
