"""llama-server's command line: refuses what its era's --help does not list."""

import os
import sys
from dataclasses import dataclass
from typing import NoReturn

from .faults import Era
from .help_texts import Flag, entry, flags_of, help_of
from .log import raw_line

VERSIONS: dict[Era, str] = {
    "2024": "version: 2899 (b2c3d4e5)",
    "2025": "version: 4719 (d80be897)",
    "2026": "version: 0.6.0-dev (build 0, commit unknown)",
}
DEVICES = "Available devices:\n  CUDA0: Stand-in (8192 MiB, 8000 MiB free)\n"
BUILT_WITH = "built with GNU 12.2.0 for Linux x86_64"
MAX_SLOTS = 4096  # more take a real one more memory than there is
DEFAULT_CONTEXT: dict[Era, int] = {"2024": 512, "2025": 4096, "2026": 4096}

Options = dict[str, str]  # a flag's first long name (or its --no- form), and its value


@dataclass(frozen=True)
class Launch:
    era: Era
    model: str  # "" is router mode
    alias: str
    tags: list[str]
    host: str
    port: int
    slots: int
    slot_context: int  # tokens
    metrics: bool
    slots_endpoint: bool
    api_keys: frozenset[str]


def parse(argv: list[str], era: Era) -> Launch:
    """Read the command line; --help, --list-devices, --version and errors end the process."""
    given = _read_flags(argv, era)
    if "--help" in given:
        sys.stdout.write(help_of(era))
        _leave(0)
    if "--list-devices" in given:
        sys.stdout.write(DEVICES)
        _leave(0)
    if "--version" in given:
        raw_line(VERSIONS[era])
        raw_line(BUILT_WITH)
        _leave(0)
    model = given.get("--model", "")
    slots, slot_context = _sizes(given, era)
    if slots > MAX_SLOTS:
        raw_line("failed to allocate buffer for kv cache")
        _leave(1)
    return Launch(
        era=era,
        model=model,
        alias=sorted(given.get("--alias", model).split(","))[0],
        tags=given["--tags"].split(",") if "--tags" in given else [],
        host=given.get("--host", "127.0.0.1"),
        port=int(given.get("--port", "8080")),
        slots=slots,
        slot_context=slot_context,
        metrics="--metrics" in given,
        slots_endpoint=_slots_endpoint(given, era),
        api_keys=_api_keys(given),
    )


def _read_flags(argv: list[str], era: Era) -> Options:
    known = {name: flag for flag in flags_of(era) for name in flag.names}
    given: Options = {}
    arguments = iter(argv)
    for argument in arguments:
        name = argument.replace("_", "-") if argument.startswith("--") else argument
        flag = known.get(name)
        if flag is None:
            raw_line(f"error: invalid argument: {argument}")
            _leave(1)
        values = [next(arguments, None) for _ in flag.value.split()]
        given[_key(name, flag)] = _checked(argument, flag, values, era)
    return given


def _key(name: str, flag: Flag) -> str:
    if name.startswith("--no-"):
        return name
    return next(long for long in flag.names if long.startswith("--"))


def _checked(argument: str, flag: Flag, values: list[str | None], era: Era) -> str:
    if flag.removed:
        _refuse(argument, flag, " ".join(flag.description))
    text = " ".join(value for value in values if value is not None)
    if None in values:
        _refuse(argument, flag, "expected value for argument")
    if "-fa" in flag.names and flag.value and text not in ("on", "off", "auto"):
        _refuse(argument, flag, f"error: unknown value for --flash-attn: '{text}'")
    if flag.value in ("N", "PORT") and not _is_number(text) and not _is_layer_word(flag, text, era):
        _refuse(argument, flag, "stoi")
    return text


def _is_number(text: str) -> bool:
    digits = text.lstrip("-").replace(".", "", 1)
    return digits.isdigit() and len(digits) <= 10 and int(digits) < 2**31


def _is_layer_word(flag: Flag, text: str, era: Era) -> bool:
    return era == "2026" and "-ngl" in flag.names and text in ("auto", "all")


def _sizes(given: Options, era: Era) -> tuple[int, int]:
    """Slots and tokens per slot; automatic slots share one pool, others have their part of it."""
    context = int(given.get("--ctx-size", "0")) or DEFAULT_CONTEXT[era]
    slots = int(given.get("--parallel", "-1"))
    if slots < 1:
        return (4, context) if era == "2026" else (1, context)
    step = 256 if era == "2026" else 1
    return slots, -(-(context // slots) // step) * step


def _slots_endpoint(given: Options, era: Era) -> bool:
    if era == "2025":
        return "--slots" in given
    return not given.keys() & {"--no-slots", "--slots-endpoint-disable"}


def _api_keys(given: Options) -> frozenset[str]:
    keys = given.get("--api-key", "").split(",") + os.environ.get("LLAMA_API_KEY", "").split(",")
    if path := given.get("--api-key-file"):
        with open(path, encoding="utf-8") as file:
            keys += [line.strip() for line in file if not line.startswith("#")]
    return frozenset(key for key in keys if key)


def _refuse(argument: str, flag: Flag, reason: str) -> NoReturn:
    raw_line(f'error while handling argument "{argument}": {reason}\n\nusage:\n{entry(flag)}\n')
    raw_line("to show complete usage, run with -h")
    _leave(1)


def _leave(code: int) -> NoReturn:
    sys.stdout.flush()
    sys.exit(code)
