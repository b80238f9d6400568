"""Why HTTP is not served."""

from llama_mcp.errors import LlamaMCPError


class AddressError(LlamaMCPError):
    """The address to listen at is none."""

    def __init__(self, received: str, problem: str) -> None:
        """Take what was given for an address, and what is wrong with it."""
        super().__init__(
            f"{received} is no address to listen at: {problem}. Give --http HOST:PORT, such as "
            "127.0.0.1:8765; port 0 takes any that is free."
        )


class HostNameError(LlamaMCPError):
    """What --hosts names is no host."""

    def __init__(self, received: str) -> None:
        """Take what was given for a name."""
        super().__init__(
            f"{received} in --hosts is no name of a host. Give whole names with commas between, "
            "such as llm.example.org,box.example.org."
        )


class ListenError(LlamaMCPError):
    """The system does not let us listen there."""

    def __init__(self, received: str, problem: str) -> None:
        """Take the address, and what the system says."""
        super().__init__(
            f"llama-mcp cannot listen at {received}: {problem}. Give another port or address; "
            "port 0 takes any that is free."
        )


class HttpServedError(LlamaMCPError):
    """Another process serves HTTP for this home."""

    def __init__(self, holder: str) -> None:
        """Take what is known of the process, such as `process 4711 at http://127.0.0.1:8765`."""
        super().__init__(
            f"HTTP is served for this home already, by {holder}: turns and their queue live in one "
            "process. Stop that one first, or set LLAMA_MCP_HOME to another folder."
        )
