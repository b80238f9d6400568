"""What the real server has to know of what was said before it was there."""

TYPE_CHECKING = False
if TYPE_CHECKING:  # the module of that name costs an idle process half a MiB
    from typing import Any


# No dataclass: that module costs 1.5 MiB.
class Handover:
    """Where the real server takes over the wire; without arguments, from its beginning."""

    def __init__(
        self,
        replayed: tuple[bytes, ...] = (),
        unread: bytes = b"",
        unsent: bytes = b"",
        list_told: "Any" = None,
    ) -> None:
        """Say what was done.

        Args:
            replayed: Lines that were dealt with, and from which the server learns who the client
                is and what it can do. Its own answers to them must not be sent.
            unread: What was read from stdin and not dealt with.
            unsent: The end of an answer for which stdout had no room.
            list_told: What whoever gave the list of resources said of it; None when nobody was
                told the list.
        """
        self.replayed = replayed
        self.unread = unread
        self.unsent = unsent
        self.list_told = list_told
