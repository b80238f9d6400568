"""Why llama-server ended, and what to do about it; pure: an ending and log lines in, words out.

The knowledge is in the tables (symptoms.py, diagnosis_table.py). Here they are applied: which
line decides, which lines are shown, and the advice that depends on how it was launched.
"""

import re
import signal as signals
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from llama_mcp.llama_server.diagnosis.log import clean_line, level_of, without_prefix
from llama_mcp.llama_server.diagnosis.machine_symptoms import (
    EXIT_CODES,
    FAILURES,
    FROM_OUTSIDE,
    PARAMETERS,
    SIGNALS,
    WARNINGS,
    Ending,
)

MAX_EVIDENCE = 6
MAX_EVIDENCE_CHARS = 300
_MAX_QUOTE_CHARS = 160
_MAX_LINES = 1000
_MAX_LINE_CHARS = 600

_READY = re.compile(r"\bmodel loaded$|listening on (?:http|/)")
_LOADING = re.compile(r"loading model")
_ERROR = re.compile(
    r"error|fail|fatal|abort|exception|terminate called|what\(\)|GGML_ASSERT|insufficient|denied",
    re.IGNORECASE,
)
# Lines that follow from a cause given before them, and gdb's about itself.
_CONSEQUENCE = re.compile(
    r"failed to load model\b|encountered an error while trying to fit|exiting due to|"
    r"failed to create_?(?: )?context|Failed to init server|\bgdb\b|creating backtrace"
)

_UNKNOWN_ADVICE = (
    "The newest folder of runs has the whole log. Try again with extra_args=[], ctx_size=2048, "
    "parallel=1 and n_gpu_layers=0, and add back one at a time."
)
_SMALLEST_CONTEXT = 512
_LARGEST_PROPOSAL = 16_384
_SMALLER = "a smaller quantisation of the model"
_SLOW_TOKENS_PER_SECOND = 5.0


@dataclass(frozen=True, slots=True)
class LaunchFacts:
    """How llama-server was launched: the numbers that advice is made of.

    Attributes:
        ctx_size: Tokens for each conversation; 0 is the model's own window.
        n_gpu_layers: None is automatic, -1 all, 0 none.
        memory_available_bytes: What the machine had free when llama-server was launched.
        engine_path: The llama-server, or empty for the embedded engine.
    """

    model_path: str
    port: int
    ctx_size: int
    parallel: int
    n_gpu_layers: int | None
    extra_args: tuple[str, ...]
    model_bytes: int | None = None
    memory_available_bytes: int | None = None
    engine_path: str = ""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why llama-server ended.

    Attributes:
        cause: What happened: part of a sentence, without a full stop.
        advice: The next step, in one or two sentences.
        evidence: The log lines that show it, the deciding one first; clean and short.
    """

    cause: str
    advice: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Finding:
    cause: str
    advice: str
    line: str = ""
    groups: Mapping[str, str] | None = None


def diagnose(
    exit_code: int | None, signal: int | None, log_lines: Sequence[str], launch: LaunchFacts
) -> Diagnosis:
    """Say why llama-server ended.

    Args:
        exit_code: Its exit code, -N or 128+N counting as signal N; None when it is not known.
        signal: The signal that ended it, if one did.
        log_lines: The end of its log, oldest first, in any state.
        launch: How it was launched.
    """
    lines = _clean(log_lines)
    number = signal or _signal_in(exit_code)
    code = None if number else exit_code
    recent = _since_ready(lines)
    finding = (
        _from_table(FROM_OUTSIDE, number)
        or _in_log(recent)
        or _from_table(SIGNALS, number)
        or _from_table(EXIT_CODES, code)
        or _Finding(_unknown(code, number), _UNKNOWN_ADVICE)
    )
    facts = _facts(launch, finding.groups or {}, _when(lines, recent))
    cause = _fill(finding.cause, facts).rstrip(" .")
    return Diagnosis(cause, _fill(finding.advice, facts), _evidence(recent, finding.line))


def warnings_in_log(log_lines: Sequence[str], launch: LaunchFacts) -> tuple[str, ...]:
    """Give what the user of a running server should be told, one sentence or two each.

    Most of it is in the lines of the start, so ask when the server has just become ready.
    """
    lines = [without_prefix(line) for line in _clean(log_lines)]
    found = []
    for warning in WARNINGS:
        if warning.asked_for_gpu and not launch.n_gpu_layers:
            continue
        match = next(filter(None, map(warning.pattern.search, lines)), None)
        if match:
            found.append(_fill(warning.text, _facts(launch, match.groupdict(""), "")))
    return tuple(found)


def advise_slow(tokens_per_second: float, n_gpu_layers: int | None) -> str | None:
    """Say what makes slow replies quicker, or None when they are not slow.

    Args:
        tokens_per_second: How fast the reply was generated.
        n_gpu_layers: As launched.
    """
    if tokens_per_second >= _SLOW_TOKENS_PER_SECOND:
        return None
    gpu = "" if n_gpu_layers else ", n_gpu_layers=-1 if there is a GPU"
    return (
        f"Slow: {tokens_per_second:.1f} tokens/s. A smaller model or quantisation{gpu}, or a "
        "smaller max_tokens, helps."
    )


def _clean(log_lines: Sequence[str]) -> list[str]:
    return [clean_line(line)[:_MAX_LINE_CHARS] for line in log_lines[-_MAX_LINES:]]


def _signal_in(exit_code: int | None) -> int | None:
    if exit_code is None:
        return None
    number = -exit_code if exit_code < 0 else exit_code - 128
    return number if 0 < number < signals.NSIG else None


def _since_ready(lines: Sequence[str]) -> list[str]:
    """The lines after the model was loaded, when it was: what came before did not end it."""
    ready = [index for index, line in enumerate(lines) if _READY.search(line)]
    return list(lines[ready[-1] + 1 :] if ready else lines)


def _when(lines: Sequence[str], recent: Sequence[str]) -> str:
    is_loading = len(recent) == len(lines) and any(map(_LOADING.search, lines))
    return " while it was loading the model" if is_loading else ""


def _from_table(table: Mapping[int, Ending], number: int | None) -> _Finding | None:
    ending = table.get(number) if number is not None else None
    return _Finding(ending.cause, ending.advice) if ending else None


def _in_log(lines: Sequence[str]) -> _Finding | None:
    bare = [without_prefix(line) for line in lines]
    for row in FAILURES:
        for line in bare:
            if match := row.pattern.search(line):
                return _Finding(row.cause, row.advice, line, match.groupdict(""))
    return None


def _unknown(exit_code: int | None, number: int | None) -> str:
    if number:
        return f"signal {number} ended it; the cause is not one we know"
    if exit_code is None:
        return "it is gone, and its exit code is not known"
    return f"exit code {exit_code}; the cause is not one we know"


def _evidence(lines: Sequence[str], deciding: str) -> tuple[str, ...]:
    """The deciding line, then other errors; without any of those, the last lines."""
    errors = [without_prefix(line) for line in lines if _is_error(line)]
    causes = [line for line in errors if not _CONSEQUENCE.search(line)]
    shown = [deciding, *causes] if deciding or causes else errors
    shown = shown or [without_prefix(line) for line in lines[-MAX_EVIDENCE:]]
    unique = tuple(dict.fromkeys(line[:MAX_EVIDENCE_CHARS] for line in shown if line))
    return unique[:MAX_EVIDENCE] if deciding else unique[-MAX_EVIDENCE:]


def _is_error(line: str) -> bool:
    level = level_of(line)
    return level == "E" or (level is None and bool(_ERROR.search(line)))


def _fill(template: str, facts: Mapping[str, str]) -> str:
    """Put the facts into a template; what an empty one leaves behind is tidied."""
    text = template.format_map(facts)
    return re.sub(r" +", " ", text.replace(" ()", "")).strip()


def _facts(launch: LaunchFacts, groups: Mapping[str, str], when: str) -> dict[str, str]:
    quotes = {name: value.strip()[:_MAX_QUOTE_CHARS] for name, value in groups.items()}
    flag = quotes.get("flag", "")
    facts = {
        "model": launch.model_path,
        "engine": launch.engine_path or "llama-server",
        "context": _context(launch),
        "when": when,
        "n_gpu_layers": str(launch.n_gpu_layers),
        "memory_advice": _memory_advice(launch),
        "gpu_advice": _gpu_advice(launch),
        "flag_advice": _flag_advice(flag, launch),
        "value_advice": _value_advice(flag, launch),
    }
    return {name: clean_line(text) for name, text in (facts | quotes).items()}


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


def _context_advice(launch: LaunchFacts) -> str:
    """What is reserved, and a concrete proposal; without a full stop."""
    ctx_size, parallel = launch.ctx_size, launch.parallel
    if ctx_size <= 0:
        return "ctx_size=0 reserves the model's full window; try ctx_size=4096"
    proposals = [f"parallel={parallel // 4 or 1}"] if parallel > 1 else []
    if ctx_size > _SMALLEST_CONTEXT:
        less = min(ctx_size // 2, _LARGEST_PROPOSAL)
        proposals.append(f"ctx_size={max(less, _SMALLEST_CONTEXT)}")
    reserved = f"ctx_size={ctx_size} with parallel={parallel} reserves {ctx_size * parallel} tokens"
    return f"{reserved}; try {' or '.join(proposals)}" if proposals else reserved


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


def _value_advice(flag: str, launch: LaunchFacts) -> str:
    engine = launch.engine_path or "llama-server"
    is_ours = flag in PARAMETERS and not _names(flag, launch.extra_args)
    what = PARAMETERS[flag] if is_ours else f"{flag} in extra_args"
    return f"Correct {what}; `{engine} --help` lists what it takes."


def _names(flag: str, arguments: Iterable[str]) -> bool:
    return any(argument.split("=", 1)[0] == flag for argument in arguments)
