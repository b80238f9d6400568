"""Why a download does not begin, goes on no further, or has to be tried again later."""

import errno

from llama_mcp.errors import LlamaMCPError

# How systems say that a disk, or a user's share of it, is full.
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class DownloadsForbiddenError(LlamaMCPError):
    """The operator lets nothing be downloaded."""

    def __init__(self) -> None:
        super().__init__(
            "The operator of llama-mcp has forbidden downloads (LLAMA_MCP_DOWNLOADS). Use a model "
            "that is on this machine, or ask the user to download it or to allow it."
        )


class DownloadFailedError(LlamaMCPError):
    """A download has ended without its model; the text says why, and what to do."""


class BusyHubError(Exception):
    """The hub asks for patience, or is out of order: worth another try."""

    def __init__(self, what: str, wait_seconds: float | None = None) -> None:
        """Take what is told of it if it does not come right.

        Args:
            what: what the hub said.
            wait_seconds: how long it asks to be left alone; None where it does not say.
        """
        super().__init__(what)
        self.what = what
        self.wait_seconds = wait_seconds


class CutOffError(Exception):
    """A connection was not made, or broke off; what came is kept, and another try goes on."""


class WrongContentError(Exception):
    """What came is not the file that the hub describes."""
