"""What decides where programs keep their files: the platform, the environment and the home."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from llama_mcp.home_folders import home_of_user

# Where programs that run as a service keep files on Linux.
_SHARED = Path("/usr/share")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a program looks at to find its own folder.

    Attributes:
        platform: As `sys.platform`.
        environment: All variables.
        home: The user's folder; None where it is not known.
        shared: Where services keep files on Linux.
    """

    platform: str
    environment: Mapping[str, str]
    home: Path | None
    shared: Path = _SHARED

    def variable(self, *names: str) -> Path | None:
        """Return the folder that the first of the variables names; one that is relative counts not.

        A program takes a relative one from its own working folder, which nobody else knows.
        """
        texts = (self.environment.get(name, "").strip() for name in names)
        paths = (self._expanded(text) for text in texts if text)
        return next((path for path in paths if path is not None and path.is_absolute()), None)

    def below_home(self, *parts: str) -> Path | None:
        """Return a folder of the user."""
        return None if self.home is None else self.home.joinpath(*parts)

    def cache(self) -> Path | None:
        """Return where programs from Linux keep what can be fetched again, on every platform."""
        return self.variable("XDG_CACHE_HOME") or self.below_home(".cache")

    def roaming(self) -> Path | None:
        """Return Windows' folder for what goes with a user from machine to machine."""
        return self.variable("APPDATA") or self.below_home("AppData", "Roaming")

    def local(self) -> Path | None:
        """Return Windows' folder for what stays on a machine."""
        return self.variable("LOCALAPPDATA") or self.below_home("AppData", "Local")

    def _expanded(self, text: str) -> Path | None:
        if text == "~" or text.startswith(("~/", "~\\")):
            return self.below_home(text[2:]) if text[2:] else self.home
        return Path(text)


def surroundings_of(environment: Mapping[str, str]) -> Surroundings:
    """Return the surroundings of this process."""
    return Surroundings(sys.platform, environment, home_of_user())


def below(folder: Path | None, *parts: str) -> list[Path]:
    """Return a folder below another, as a list; empty where that one is not known."""
    return [] if folder is None else [folder.joinpath(*parts)]
