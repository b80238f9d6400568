"""What a group of settings is: frozen, and able to say what is wrong with it."""

from collections.abc import Collection
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, PrivateAttr

from llama_mcp.errors import WrongSettingsError


@dataclass(frozen=True, slots=True)
class Fault:
    """A setting whose variable says what it cannot be; its default is in its place."""

    name: str
    text: str
    """What the variable is and what it may be; a sentence."""


class SettingsGroup(BaseModel):
    """The settings of one room; frozen."""

    model_config = ConfigDict(frozen=True)

    _faults: tuple[Fault, ...] = PrivateAttr(())
    _notices: tuple[str, ...] = PrivateAttr(())

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The settings that are wrong."""
        return self._faults

    @property
    def notices(self) -> tuple[str, ...]:
        """What the operator should know of settings that are not wrong; sentences."""
        return self._notices

    def check(self, needed: Collection[str]) -> None:
        """Raise WrongSettingsError when one of these settings is wrong; it then names all."""
        if any(fault.name in needed for fault in self._faults):
            raise WrongSettingsError([fault.text for fault in self._faults])
