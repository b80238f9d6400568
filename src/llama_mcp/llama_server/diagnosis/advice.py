"""Advice that depends on how llama-server was launched: which numbers to lower, what to correct."""

from collections.abc import Iterable
from dataclasses import dataclass

from llama_mcp.llama_server.diagnosis.machine_symptoms import PARAMETERS

_SMALLEST_CONTEXT = 512
_LARGEST_PROPOSAL = 16_384
_SMALLER = "a smaller quantisation of the model"
# More than any usual model keeps for a token (8 kv heads of 128 in 80 layers, 16 bits).
_KV_BYTES_PER_TOKEN = 327_680
# Free memory so many times the need was not short: what is free is only known afterwards.
_PLENTY = 3


@dataclass(frozen=True, slots=True)
class LaunchFacts:
    """How llama-server was launched: the numbers that advice is made of.

    Attributes:
        ctx_size: Tokens for each conversation; 0 is the model's own window.
        n_gpu_layers: None is automatic, -1 all, 0 none.
        memory_available_bytes: What llama-server could have of the machine when it had ended.
        fitting_ctx_size: The largest that would have fitted; None where that was not known.
        engine_path: The llama-server, or empty for the embedded engine.
        lost_workers: RPC workers that were found to be gone, each with what was seen.
    """

    model_path: str
    port: int
    ctx_size: int
    parallel: int
    n_gpu_layers: int | None
    extra_args: tuple[str, ...]
    model_bytes: int | None = None
    memory_available_bytes: int | None = None
    fitting_ctx_size: int | None = None
    engine_path: str = ""
    lost_workers: tuple[str, ...] = ()


def advice_for(launch: LaunchFacts, flag: str, usage: str = "") -> dict[str, str]:
    """Return what the texts of the tables may name of a launch, by the names that they use.

    Args:
        launch: how llama-server was launched.
        flag: the flag that a log line names, or empty.
        usage: what llama-server says that flag takes, or empty.
    """
    killer, kill_advice = _on_kill(launch)
    return {
        "lost_workers": f": {'; '.join(launch.lost_workers)}" if launch.lost_workers else "",
        "model": launch.model_path,
        "engine": launch.engine_path or "llama-server",
        "context": _context(launch),
        "n_gpu_layers": str(launch.n_gpu_layers),
        "parallel": str(launch.parallel),
        "killer": killer,
        "kill_advice": kill_advice,
        "memory_advice": _memory_advice(launch),
        "gpu_advice": _gpu_advice(launch),
        "flag_advice": _flag_advice(flag, launch),
        "value_advice": _value_advice(flag, launch, usage),
    }


def _context(launch: LaunchFacts) -> str:
    if launch.ctx_size <= 0:
        return "the model's full context"
    tokens = launch.ctx_size * launch.parallel
    return f"a context of {tokens} tokens"


def _memory_advice(launch: LaunchFacts) -> str:
    size, available = launch.model_bytes, launch.memory_available_bytes
    if not size or not available:
        return f"{_context_advice(launch)}, or {_SMALLER}."
    figures = f"the model file has {size / 1e9:.1f} GB, {available / 1e9:.1f} GB were available"
    if size > available:
        return f"Take {_SMALLER}, or end other programs: {figures}."
    return f"{_context_advice(launch)}, or {_SMALLER} ({figures})."


def is_memory_short(launch: LaunchFacts) -> bool | None:
    """Tell whether memory was too small for the launch; None when that is not established."""
    size, available = launch.model_bytes, launch.memory_available_bytes
    if not size or not available:
        return None
    if size > available:
        return True
    need = size + max(launch.ctx_size, 0) * launch.parallel * _KV_BYTES_PER_TOKEN
    return False if launch.ctx_size > 0 and available >= _PLENTY * need else None


def _on_kill(launch: LaunchFacts) -> tuple[str, str]:
    """Who may have killed it, and what to do."""
    is_short = is_memory_short(launch)
    if is_short is False:
        free = (launch.memory_available_bytes or 0) / 1e9
        return (
            f" by a person or a program (kill -9, the limit of a job): memory was not short, "
            f"{free:.1f} GB are free",
            "Start it again; if it is killed again, ask the user what on this machine does that.",
        )
    if is_short:
        killer = ", which is what the system does to a program when memory runs out"
    else:
        killer = "; the system does this when memory runs out, and a person or a program can"
    return killer, _memory_advice(launch)


def _context_advice(launch: LaunchFacts) -> str:
    """What is reserved, and a concrete proposal; without a full stop."""
    ctx_size, parallel = launch.ctx_size, launch.parallel
    if ctx_size <= 0:
        return "ctx_size=0 reserves the model's full window; try ctx_size=4096"
    if launch.fitting_ctx_size is not None and launch.fitting_ctx_size < ctx_size:
        return f"{_reserved(launch)}; ctx_size={launch.fitting_ctx_size} would fit"
    proposals = [f"parallel={parallel // 4 or 1}"] if parallel > 1 else []
    if ctx_size > _SMALLEST_CONTEXT:
        less = min(ctx_size // 2, _LARGEST_PROPOSAL)
        proposals.append(f"ctx_size={max(less, _SMALLEST_CONTEXT)}")
    reserved = _reserved(launch)
    return f"{reserved}; try {' or '.join(proposals)}" if proposals else reserved


def _reserved(launch: LaunchFacts) -> str:
    tokens = launch.ctx_size * launch.parallel
    return f"ctx_size={launch.ctx_size} with parallel={launch.parallel} reserves {tokens} tokens"


def _gpu_advice(launch: LaunchFacts) -> str:
    layers = launch.n_gpu_layers
    if layers is None:
        first = "End other programs that use the GPU, or pass n_gpu_layers=10 and go up from there"
    elif layers < 0:
        first = f"n_gpu_layers={layers} puts every layer on the GPU; leave it out to put what fits"
    elif layers == 0:
        first = 'Even n_gpu_layers=0 uses the GPU; put "--device", "none" into extra_args'
    else:
        first = f"Try n_gpu_layers={layers // 2} instead of {layers}, or leave it out for what fits"
    return f"{first}. {_context_advice(launch)}, or {_SMALLER}."


def _flag_advice(flag: str, launch: LaunchFacts) -> str:
    if _names(flag, launch.extra_args):
        return f"Take {flag} out of extra_args, or pass as llama_cpp_path a release that knows it."
    return f"This llama-server is too old or too new for {flag}; pass another as llama_cpp_path."


def _value_advice(flag: str, launch: LaunchFacts, usage: str) -> str:
    is_ours = flag in PARAMETERS and not _names(flag, launch.extra_args)
    what = PARAMETERS[flag] if is_ours else f"{flag} in extra_args"
    takes = f" llama-server says of it: {usage}" if usage else ""
    return f"Correct {what}, or leave it out.{takes}"


def _names(flag: str, arguments: Iterable[str]) -> bool:
    return any(argument.split("=", 1)[0] == flag for argument in arguments)
