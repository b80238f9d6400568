"""A machine of any platform below a folder, with nothing of the real one."""

from pathlib import Path

from llama_mcp.cli.install.known.places import Places
from llama_mcp.cli.proof.launch import Launch
from llama_mcp.cli.proof.proving import Proof

PLATFORMS = ("linux", "darwin", "win32")


def places_below(folder: Path, platform: str = "linux") -> Places:
    """Return the places of a machine whose home and project are new folders."""
    home, project = folder / "home", folder / "project"
    home.mkdir(exist_ok=True)
    project.mkdir(exist_ok=True)
    environment = {"PATH": str(folder / "programs")}
    if platform == "win32":
        environment["APPDATA"] = str(home / "AppData" / "Roaming")
    return Places(platform, home, environment, project)


class KnownProofs:
    """Tells of each launch what it was told, and keeps the launches; the real one is slow.

    What a proof is, tests/cli/proof/ shows; that it is made, test_commands.py here.
    """

    def __init__(self, *proofs: bool) -> None:
        self._proofs = list(proofs)
        self.launches: list[tuple[Launch, bool]] = []

    def __call__(self, title: str, launch: Launch, *, is_quick: bool) -> Proof:
        """Return the next proof; a good one when no more were named."""
        self.launches.append((launch, is_quick))
        if self._proofs.pop(0) if self._proofs else True:
            return Proof(True, (f"{title} gets on with it",))
        return Proof(False, (), "It ended at once.", "Look at its settings.")
