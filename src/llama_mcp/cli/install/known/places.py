"""Where programs keep their files, on each platform; nothing here looks at the machine."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

WINDOWS, MACOS = "win32", "darwin"


@dataclass(frozen=True, slots=True)
class Places:
    """The folders from which clients find their files.

    Attributes:
        platform: As `sys.platform` names it.
        home: The user's own folder.
        environment: The variables that move some of the folders.
        current: The folder of the project.
    """

    platform: str
    home: Path
    environment: Mapping[str, str]
    current: Path

    @property
    def applications(self) -> Path:
        """Where applications with windows keep their settings (Electron's `appData`)."""
        if self.platform == MACOS:
            return self.home / "Library" / "Application Support"
        return self.roaming if self.platform == WINDOWS else self.config

    @property
    def roaming(self) -> Path:
        """Windows' folder for settings that follow a user."""
        return self.named("APPDATA", self.home / "AppData" / "Roaming")

    @property
    def config(self) -> Path:
        """The folder for settings of the XDG Base Directory Specification."""
        return self.named("XDG_CONFIG_HOME", self.home / ".config")

    def named(self, variable: str, otherwise: Path) -> Path:
        """Return the folder that a variable names, if it names a whole path."""
        named = self.environment.get(variable, "")
        return Path(named) if Path(named).is_absolute() else otherwise
