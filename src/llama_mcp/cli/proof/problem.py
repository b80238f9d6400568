"""What keeps a launch from being proved."""


class NotProvedError(Exception):
    """A step that did not go as it must for a client."""

    def __init__(self, problem: str, next_step: str) -> None:
        """Take what was seen, and what to do about it; whole sentences both."""
        super().__init__(problem)
        self.problem = problem
        self.next_step = next_step


# For what cannot be laid at the door of a command, a setting or the machine.
REPORT = (
    "Run the command in a terminal with LLAMA_MCP_LOG_LEVEL=DEBUG to see more. If it is "
    "llama-mcp itself, this is a bug: please report it."
)
