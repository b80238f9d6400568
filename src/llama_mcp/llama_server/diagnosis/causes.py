"""Why llama-server ended, and what to do about it; pure: an ending and log lines in, words out.

The knowledge is in the tables (executable_symptoms.py, input_symptoms.py, machine_symptoms.py,
windows_endings.py). Here they are applied: which line decides, and which lines are shown. advice.py
fills in what depends on the launch.
"""

import re
import signal as signals
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from llama_mcp.llama_server.diagnosis import windows_endings
from llama_mcp.llama_server.diagnosis.advice import LaunchFacts, advice_for
from llama_mcp.llama_server.diagnosis.executable_symptoms import KILLED_AS_IT_STARTED
from llama_mcp.llama_server.diagnosis.input_symptoms import Ending
from llama_mcp.llama_server.diagnosis.log import (
    clean_line,
    level_of,
    without_prefix,
    without_variables,
)
from llama_mcp.llama_server.diagnosis.machine_symptoms import (
    EXIT_CODES,
    FAILURES,
    FROM_OUTSIDE,
    MEMORY,
    SIGKILL,
    SIGNALS,
    TOLD_TO_END,
)
from llama_mcp.llama_server.diagnosis.notices import WARNINGS
from llama_mcp.llama_server.diagnosis.windows_endings import describe_exit_code, unsigned
from llama_mcp.wording import shortened

MAX_EVIDENCE = 6
MAX_EVIDENCE_CHARS = 300
_MAX_QUOTE_CHARS = 160
_MAX_LINES = 1000
_MAX_LINE_CHARS = 600
_MAX_USAGE_CHARS = 300

_READY = re.compile(r"\bmodel loaded$|listening on (?:http|/)")
# What llama-server prints of a flag whose value it refuses (common/arg.cpp).
_USAGE = re.compile(r"usage:\s*$")
_USAGE_END = re.compile(r"to show complete usage")
_CLEANING_UP = re.compile(r"cleaning up before exit")
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
    "Its log has the rest. Try again with extra_args=[], ctx_size=2048, "
    "parallel=1 and n_gpu_layers=0, and add back one at a time."
)


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
    exit_code: int | None,
    signal: int | None,
    log_lines: Sequence[str],
    launch: LaunchFacts,
    platform: str = sys.platform,
) -> Diagnosis:
    """Say why llama-server ended.

    Args:
        exit_code: Its exit code, -N or 128+N counting as signal N; None when it is not known.
        signal: The signal that ended it, if one did.
        log_lines: The end of its log, oldest first, in any state.
        launch: How it was launched.
        platform: Where it ran, as sys.platform says it.
    """
    lines, usage = _without_usage(_clean(log_lines))
    number = signal or _signal_in(exit_code)
    code = None if number else exit_code
    recent = _since_ready(lines)
    status = unsigned(code) if code is not None else None
    from_outside = (
        _from_table(_killed_as_it_started(lines, platform), number)
        or _from_table(FROM_OUTSIDE, number)
        or _from_table(windows_endings.ENDED_FROM_OUTSIDE, status)
        or (status == 0 and _told_to_end(lines))
    )
    finding = (
        from_outside
        or _in_log(recent)
        or _from_table(SIGNALS, number)
        or _from_table(windows_endings.STATUSES, status)
        or (platform == "win32" and _from_table(windows_endings.EXIT_CODES, code))
        or _from_table(EXIT_CODES, code)
        or _Finding(_unknown(code, number), _UNKNOWN_ADVICE)
    )
    facts = _facts(launch, finding.groups or {}, _when(lines, recent), usage)
    cause = _fill(finding.cause, facts).rstrip(" .")
    # What a healthy llama-server was doing is no evidence of who ended it.
    last_lines = 0 if from_outside else MAX_EVIDENCE
    evidence = _evidence(recent, finding.line, last_lines)
    return Diagnosis(cause, _fill(finding.advice, facts), evidence)


def diagnose_refusal(
    exit_code: int, output: Sequence[str], engine_path: str, platform: str = sys.platform
) -> Diagnosis | None:
    """Say why the system did not let a program run that was only asked about itself.

    Args:
        exit_code: How it ended, -N being signal N.
        output: What it printed, line by line.
        engine_path: The program.
        platform: Where it ran, as sys.platform says it.

    Returns:
        None when its ending does not tell.
    """
    is_known = unsigned(exit_code) in windows_endings.STATUSES or -exit_code in (
        _killed_as_it_started(output, platform)
    )
    nothing = LaunchFacts("", 0, 0, 1, None, (), engine_path=engine_path)
    return diagnose(exit_code, None, output, nothing, platform) if is_known else None


def was_short_of_memory(exit_code: int | None, log_lines: Sequence[str]) -> bool:
    """Tell whether a llama-server that was ready ended for want of memory, as far as it told.

    Args:
        exit_code: Its exit code.
        log_lines: The end of its log, oldest first.
    """
    lines = _since_ready(_clean(log_lines))
    is_said = any(row.pattern.search(line) for row in MEMORY for line in lines)
    status = unsigned(exit_code) if exit_code is not None else None
    return is_said or status in windows_endings.WANT_OF_MEMORY


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


def _clean(log_lines: Sequence[str]) -> list[str]:
    return [clean_line(line)[:_MAX_LINE_CHARS] for line in log_lines[-_MAX_LINES:]]


def _without_usage(lines: Sequence[str]) -> tuple[list[str], str]:
    """Part what llama-server prints of a flag's use from the lines; the second is empty without."""
    first = next((index for index, line in enumerate(lines) if _USAGE.match(line)), None)
    if first is None:
        return list(lines), ""
    rest = range(first + 1, len(lines))
    last = next((index for index in rest if _USAGE_END.search(lines[index])), len(lines))
    usage = " ".join(" ".join(lines[first + 1 : last]).split())
    usage = without_variables(usage).strip()
    return [*lines[:first], *lines[last + 1 :]], shortened(usage, _MAX_USAGE_CHARS)


def _told_to_end(lines: Sequence[str]) -> _Finding | None:
    is_told = any(map(_CLEANING_UP.search, lines)) and any(map(_READY.search, lines))
    return _Finding(TOLD_TO_END.cause, TOLD_TO_END.advice) if is_told else None


def _signal_in(exit_code: int | None) -> int | None:
    if exit_code is None:
        return None
    number = -exit_code if exit_code < 0 else exit_code - 128
    return number if 0 < number < signals.NSIG else None


def _killed_as_it_started(lines: Sequence[str], platform: str) -> Mapping[int, Ending]:
    is_silent = not any(line.strip() for line in lines)
    return {SIGKILL: KILLED_AS_IT_STARTED} if platform == "darwin" and is_silent else {}


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
        pattern = row.pattern
        for line in bare:
            if match := pattern.search(line):
                return _Finding(row.cause, row.advice, line, match.groupdict(""))
    return None


def _unknown(exit_code: int | None, number: int | None) -> str:
    if number:
        return f"signal {number} ended it; the cause is not one we know"
    if exit_code is None:
        return "it is gone, and its exit code is not known"
    return f"exit code {describe_exit_code(exit_code)}; the cause is not one we know"


def _evidence(lines: Sequence[str], deciding: str, last_lines: int) -> tuple[str, ...]:
    """The deciding line, then other errors; without any of those, so many of the last lines."""
    errors = [without_prefix(line) for line in lines if _is_error(line)]
    causes = [line for line in errors if not _CONSEQUENCE.search(line)]
    shown = [deciding, *causes] if deciding or causes else errors
    shown = shown or [without_prefix(line) for line in lines[len(lines) - last_lines :]]
    unique = tuple(dict.fromkeys(line[:MAX_EVIDENCE_CHARS] for line in shown if line))
    return unique[:MAX_EVIDENCE] if deciding else unique[-MAX_EVIDENCE:]


def _is_error(line: str) -> bool:
    level = level_of(line)
    return level == "E" or (level is None and bool(_ERROR.search(line)))


def _fill(template: str, facts: Mapping[str, str]) -> str:
    """Put the facts into a template; what an empty one leaves behind is tidied."""
    text = template.format_map(facts)
    return re.sub(r" +", " ", text.replace(" ()", "")).strip()


def _facts(
    launch: LaunchFacts, groups: Mapping[str, str], when: str, usage: str = ""
) -> dict[str, str]:
    quotes = {name: value.strip()[:_MAX_QUOTE_CHARS] for name, value in groups.items()}
    facts = advice_for(launch, quotes.get("flag", ""), usage) | {"when": when} | quotes
    return {name: clean_line(text) for name, text in facts.items()}
