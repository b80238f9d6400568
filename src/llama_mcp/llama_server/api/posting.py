"""What counts tokens and ranks needs of whoever speaks HTTP for it."""

from collections.abc import Mapping
from typing import Any, Protocol


class Posts(Protocol):
    """Sends JSON to an endpoint."""

    async def post(
        self, path: str, body: Mapping[str, Any], timeout_seconds: float = ...
    ) -> Any | None:
        """Return the JSON answer; None when there is no such endpoint.

        Raises:
            LlamaMCPError: it answered with another error, or did not answer.
        """
