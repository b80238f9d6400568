"""From what was asked to llama-server's command line; nothing here has effects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llama_mcp.llama_server.engine.capabilities import Capabilities
from llama_mcp.llama_server.status import LaunchArguments
from llama_mcp.settings import LaunchSettings

ALL_LAYERS = -1
# What builds without the word `all` take for it: more layers than any model has.
ALL_LAYERS_AS_NUMBER = "999"
HOST = "127.0.0.1"
# Frequent pings let llama-server notice sooner that a client of its streams is gone.
SSE_PING_SECONDS = "5"


class LaunchConfig(LaunchSettings):
    """One start: the settings with the call's arguments over them. Paths may be unset."""

    @classmethod
    def of(
        cls,
        settings: LaunchSettings,
        arguments: LaunchArguments,
        named: Mapping[str, object] | None = None,
    ) -> "LaunchConfig":
        """Return the settings, with what is given in their place.

        Args:
            settings: the operator's.
            arguments: what a call has passed; it goes before the others.
            named: what the operator has set for one model, by the name of the setting.
        """
        defaults = {name: getattr(settings, name) for name in cls.model_fields}
        return cls.model_validate(defaults | dict(named or {}) | arguments.given())


@dataclass(frozen=True, slots=True)
class CommandLine:
    """The flags for one start, without the executable, and what had to be left out."""

    arguments: list[str]
    notes: list[str]


def build_command_line(
    config: LaunchConfig,
    capabilities: Capabilities,
    *,
    model: str,
    alias: str,
    port: int,
    tag: str = "",
    slot_folder: str = "",
    for_model: Sequence[str] = (),
    for_workers: Sequence[str] = (),
) -> CommandLine:
    """Return llama-server's flags for config, leaving out what this build does not have.

    ctx_size is the window of each conversation. An explicit -np keeps slots apart (no unified KV),
    so -c is their sum (llama.cpp: server-context.cpp, n_ctx / n_parallel). What follows from the
    model (model_flags.py) stands before the caller's extra_args, which count if both name a flag.
    Into slot_folder llama-server may write what its slots hold.
    """
    arguments = ["-m", model, "--host", HOST, "--port", str(port)]
    arguments += ["-c", str(config.ctx_size * config.parallel), "-np", str(config.parallel)]
    notes: list[str] = []
    if config.n_gpu_layers is not None:
        arguments += _gpu_layers(config.n_gpu_layers, capabilities, notes)
    arguments += _alias(alias, capabilities)
    arguments += ["--tags", tag] if tag and "--tags" in capabilities else []
    arguments += ["--slot-save-path", slot_folder] if slot_folder else []
    arguments += _switches(capabilities)
    # Before extra_args, whose --device may name the devices that they bring.
    return CommandLine([*arguments, *for_workers, *for_model, *config.extra_args], notes)


def model_alias(name: str) -> str:
    """Return a model's name for API and status: one that llama-server gives back unchanged.

    It is text, whatever bytes a file's name has. llama-server parts an alias at commas, takes
    blanks off its ends, and takes an empty one for none (llama.cpp: common/arg.cpp, --alias).
    """
    text = name.encode("utf-8", "replace").decode("utf-8")
    printable = "".join(char if char.isprintable() else " " for char in text.replace(",", "_"))
    return printable.strip() or "model"


def differences(running: LaunchConfig, wanted: LaunchConfig) -> list[str]:
    """Name what a wanted start would change; a wanted port of 0 takes any."""
    return [
        f"{name} ({getattr(running, name)!r}, asked for {getattr(wanted, name)!r})"
        for name in LaunchConfig.model_fields
        if getattr(running, name) != getattr(wanted, name)
        and not (name == "port" and wanted.port == 0)
    ]


def _gpu_layers(layers: int, capabilities: Capabilities, notes: list[str]) -> list[str]:
    name = capabilities.first_of("--n-gpu-layers", "--gpu-layers", "-ngl")
    if name is None:
        notes.append("This build of llama-server has no GPU support; n_gpu_layers was left out.")
        return []
    if layers != ALL_LAYERS:
        return [name, str(layers)]
    flag = capabilities.flags[name]
    knows_all = "'all'" in flag.description or "all" in flag.value
    return [name, "all" if knows_all else ALL_LAYERS_AS_NUMBER]


def _alias(alias: str, capabilities: Capabilities) -> list[str]:
    name = capabilities.first_of("--alias", "-a")
    return [name, alias] if name else []


def _switches(capabilities: Capabilities) -> list[str]:
    """Return the switches that this build has; builds differ in names and number."""
    wanted: tuple[tuple[tuple[str, ...], str | None], ...] = (
        (("--no-webui", "--no-ui"), None),
        (("--cors-origins",), "localhost"),
        (("--metrics",), None),
        (("--slots",), None),
        (("--jinja",), None),
        # On by default until 2025, and then a full window loses its beginning in silence.
        (("--no-context-shift",), None),
        (("--sse-ping-interval",), SSE_PING_SECONDS),
    )
    switches: list[str] = []
    for names, value in wanted:
        if name := capabilities.first_of(*names):
            switches += [name] if value is None else [name, value]
    if "--log-colors" in capabilities and capabilities.flags["--log-colors"].value:
        switches += ["--log-colors", "off"]  # a bare --log-colors (2025) would turn them on
    return switches
