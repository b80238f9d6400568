"""A model that the operator has named: one that llama-mcp starts, or one of another's engine."""

from dataclasses import dataclass
from pathlib import Path

from llama_mcp.setting_texts import is_address

# What of an entry a start takes in place of a setting.
LAUNCH_FIELDS = (
    "llama_cpp_path",
    "model_path",
    "port",
    "ctx_size",
    "parallel",
    "n_gpu_layers",
    "extra_args",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedModel:
    """One entry; None is what it leaves to the setting.

    Attributes:
        name: What the model is called for a caller, for llama-server and in the archive.
        model_path: Its file, absolute, or a name that is looked for.
        file: The file that has the entry; what is relative in it begins at its folder.
        given: The names of the fields that are in the file.
        llama_cpp_path: The folder or executable of llama.cpp, or `embedded`.
        port: Where it listens; 0 for any free one.
        ctx_size: Tokens of each conversation.
        parallel: Conversations that generate at once.
        n_gpu_layers: Layers on the GPU, -1 for all; None where it is given for llama-server's
            choice.
        extra_args: More flags.
        idle_seconds: Without a turn for so long it is unloaded; 0 for never.
        keep: Whether it is never stopped to make room for another model.
        rpc_servers: The RPC workers that it is started with; none for a start without.
    """

    name: str
    model_path: str
    file: Path
    given: frozenset[str]
    llama_cpp_path: str | None = None
    port: int | None = None
    ctx_size: int | None = None
    parallel: int | None = None
    n_gpu_layers: int | None = None
    extra_args: tuple[str, ...] | None = None
    idle_seconds: float | None = None
    keep: bool = False
    rpc_servers: tuple[str, ...] | None = None

    @property
    def folder(self) -> Path:
        """Where what is relative in it begins."""
        return self.file.parent

    def launch_values(self) -> dict[str, object]:
        """Return what a start takes in place of settings, by the name of the setting."""
        return {name: getattr(self, name) for name in LAUNCH_FIELDS if name in self.given}


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteModel:
    """One entry with a URL: a model of an engine that somebody else runs.

    Attributes:
        name: What the model is called for a caller and in the archive.
        url: The engine's address.
        file: The file that has the entry.
        given: The names of the fields that are in the file.
        key_file: The file that holds the engine's key, absolute.
        url_model: What the engine calls the model; None for the first that it lists.
        ctx_size: Tokens of each conversation, where the engine does not tell them.
        parallel: Conversations that generate at once, where it does not tell that.
    """

    name: str
    url: str
    file: Path
    given: frozenset[str]
    key_file: Path | None = None
    url_model: str | None = None
    ctx_size: int | None = None
    parallel: int | None = None


Entry = NamedModel | RemoteModel


def can_be_name(plain: str) -> bool:
    """Tell whether a text, without what copying leaves around it, could be an entry's name.

    What can only be a path or an address is none, so that such a text needs no file of models.
    """
    is_path = plain.startswith(("~", "/", "\\")) or Path(plain).is_absolute()
    return bool(plain) and not is_path and not is_address(plain)
