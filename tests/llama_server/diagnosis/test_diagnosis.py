"""Every row of the tables, with log lines as llama-server writes them (failure_lines.txt)."""

import signal
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.llama_server.diagnosis.advice import LaunchFacts
from llama_mcp.llama_server.diagnosis.causes import (
    MAX_EVIDENCE,
    MAX_EVIDENCE_CHARS,
    diagnose,
    diagnose_refusal,
    warnings_in_log,
    was_short_of_memory,
)
from llama_mcp.llama_server.diagnosis.log import without_prefix
from llama_mcp.llama_server.diagnosis.machine_symptoms import (
    EXIT_CODES,
    FAILURES,
    FROM_OUTSIDE,
    SIGKILL,
    SIGNALS,
)
from llama_mcp.llama_server.diagnosis.notices import WARNINGS
from llama_mcp.llama_server.diagnosis.windows_endings import (
    ENDED_FROM_OUTSIDE,
    STATUSES,
    describe_exit_code,
)
from llama_mcp.llama_server.diagnosis.windows_endings import EXIT_CODES as WINDOWS_EXIT_CODES
from tests.llama_server.diagnosis.launch import LAUNCH

UNKNOWN = "not one we know"

START = [
    "0.00.001.406 I srv  llama_server: initializing ...",
    "0.00.024.794 W srv  llama_server: security: no API key is set and CORS allows all origins",
    "0.00.030.573 I srv    load_model: loading model '/models/m.gguf'",
]
END = [
    "0.00.030.996 E common_fit_params: encountered an error while trying to fit params to free "
    "device memory: failed to load model",
    "0.00.031.024 E srv    load_model: failed to load model, '/models/m.gguf'",
    "0.00.031.658 E srv  llama_server: exiting due to model loading error",
]


def _failure_lines() -> list[tuple[str, str]]:
    text = (Path(__file__).parent / "failure_lines.txt").read_text()
    kept = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [
        (line, words.removeprefix("    => "))
        for line, words in zip(kept[::2], kept[1::2], strict=True)
    ]


LINES = _failure_lines()


@pytest.mark.parametrize(("line", "words"), LINES)
def test_a_line_that_explains_the_failure_names_the_cause(line: str, words: str) -> None:
    diagnosis = diagnose(1, None, [*START, line, *END], LAUNCH)

    assert words in diagnosis.cause
    assert line.endswith(diagnosis.evidence[0])
    assert not diagnosis.cause.endswith(".")
    assert diagnosis.advice.endswith(".")
    assert "{" not in diagnosis.advice


def test_every_row_of_the_table_is_shown_by_a_line_of_this_file() -> None:
    shown = [
        next(row for row in FAILURES if row.pattern.search(without_prefix(line)))
        for line, _ in LINES
    ]

    assert [row.pattern.pattern for row in FAILURES if row not in shown] == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("SIGILL", "another processor"),
        ("SIGABRT", "aborted itself"),
        ("SIGSEGV", "bad memory access"),
        ("SIGBUS", "model file was cut short"),
        ("SIGFPE", "bad calculation"),
        ("SIGKILL", "memory runs out"),
        ("SIGTERM", "told it to end (SIGTERM) while it was loading the model"),
        ("SIGINT", "interrupted it"),
        ("SIGHUP", "session was closed"),
    ],
)
@pytest.mark.posix
def test_a_signal_names_the_cause_however_it_is_reported(name: str, words: str) -> None:
    number = signal.Signals[name]
    for exit_code, reported in ((None, number), (-number, None), (128 + number, None)):
        assert words in diagnose(exit_code, reported, START, LAUNCH).cause


def test_a_signal_from_outside_outweighs_earlier_errors_in_the_log() -> None:
    log = [*START, "0.00.013.485 E srv    load_model: failed to load model, ''"]

    assert "SIGTERM" in diagnose(None, signal.SIGTERM, log, LAUNCH).cause


@pytest.mark.parametrize("exit_code", sorted(EXIT_CODES))
def test_an_exit_code_with_a_meaning_names_the_cause(exit_code: int) -> None:
    diagnosis = diagnose(exit_code, None, [], LAUNCH)

    assert str(exit_code) in diagnosis.cause
    assert UNKNOWN not in diagnosis.cause


@pytest.mark.parametrize("status", sorted(STATUSES | ENDED_FROM_OUTSIDE))
def test_a_status_of_windows_is_named_in_words_however_its_number_is_given(status: int) -> None:
    for number in (status, status - 2**32):
        diagnosis = diagnose(number, None, [], LAUNCH)

        assert f"0x{status:08X}" in diagnosis.cause
        assert UNKNOWN not in diagnosis.cause
        assert diagnosis.advice.endswith(".")
        assert "{" not in diagnosis.cause + diagnosis.advice


@pytest.mark.parametrize(
    ("status", "cause", "advice"),
    [
        (0xC0000005, "access violation", "another GGUF"),
        (0xC000001D, "another processor", "for this machine"),
        (0xC0000135, "a DLL that llama-server.exe needs was not found", "Visual C++"),
        (0xC0000135, "not found", "cudart"),
        (0xC0000139, "entry point not found", "folder it came in"),
        (0xC0000017, "not enough memory", "ctx_size"),
        (0xC0000409, "aborted itself", "Start it again"),
        (0xC000013A, "Ctrl-C", "Start it again"),
    ],
)
def test_a_status_of_windows_has_its_usual_cause_and_a_next_step(
    status: int, cause: str, advice: str
) -> None:
    diagnosis = diagnose(status, None, [], LAUNCH)

    assert cause in diagnosis.cause
    assert advice in diagnosis.advice


def test_a_status_of_windows_that_is_not_known_is_shown_as_it_is_looked_up() -> None:
    cause = "exit code 0xC0001234; the cause is not one we know"
    assert diagnose(0xC0001234, None, [], LAUNCH).cause == cause
    assert describe_exit_code(-1073741819) == "0xC0000005"
    assert describe_exit_code(7) == "7"


def test_what_the_log_says_outweighs_a_crash_that_follows_from_it() -> None:
    log = [*START, "CUDA error: out of memory"]
    assert "the GPU's memory" in diagnose(0xC0000409, None, log, LAUNCH).cause
    assert "Ctrl-C" in diagnose(0xC000013A, None, log, LAUNCH).cause


@pytest.mark.parametrize("exit_code", sorted(WINDOWS_EXIT_CODES))
def test_an_exit_code_of_windows_has_its_meaning_only_there(exit_code: int) -> None:
    assert UNKNOWN not in diagnose(exit_code, None, [], LAUNCH, "win32").cause
    assert UNKNOWN in diagnose(exit_code, None, [], LAUNCH, "linux").cause


def test_a_program_that_macos_kills_before_it_says_a_word_is_taken_for_quarantined() -> None:
    diagnosis = diagnose(None, SIGKILL, ["", " "], LAUNCH, "darwin")

    assert "quarantined" in diagnosis.cause
    assert "xattr -dr com.apple.quarantine" in diagnosis.advice
    assert "memory runs out" in diagnose(None, SIGKILL, START, LAUNCH, "darwin").cause
    assert "memory runs out" in diagnose(None, SIGKILL, [], LAUNCH, "linux").cause


@pytest.mark.parametrize(
    ("exit_code", "platform", "words"),
    [(0xC0000135, "win32", "DLL"), (-SIGKILL, "darwin", "quarantined")],
)
def test_a_program_that_may_not_run_at_all_is_explained_when_it_is_asked_for_its_flags(
    exit_code: int, platform: str, words: str
) -> None:
    refusal = diagnose_refusal(exit_code, [], "/opt/llama-server", platform)

    assert refusal is not None
    assert words in refusal.cause
    assert diagnose_refusal(1, ["error: unknown argument"], "/opt/llama-server", platform) is None


def test_an_ending_without_explanation_is_admitted_and_shows_the_last_lines() -> None:
    diagnosis = diagnose(4, None, START, LAUNCH)

    assert diagnosis.cause == "exit code 4; the cause is not one we know"
    assert diagnosis.evidence[-1] == "srv    load_model: loading model '/models/m.gguf'"
    assert "extra_args=[]" in diagnosis.advice


def test_an_unknown_exit_code_is_admitted() -> None:
    assert "its exit code is not known" in diagnose(None, None, [], LAUNCH).cause


def test_errors_from_before_the_model_was_loaded_are_not_blamed_for_a_later_crash() -> None:
    log = [
        "0.00.013.485 E srv    load_model: failed to load model, ''",
        "0.00.027.815 I srv  llama_server: model loaded",
        "0.00.027.850 I srv  llama_server: listening on http://127.0.0.1:41795",
        "CUDA error: an illegal memory access was encountered",
    ]

    diagnosis = diagnose(None, signal.SIGABRT, log, LAUNCH)

    assert diagnosis.cause == "the GPU failed: an illegal memory access was encountered"
    assert diagnosis.evidence == ("CUDA error: an illegal memory access was encountered",)


def test_gdb_complaining_about_its_own_libraries_is_not_blamed() -> None:
    log = [
        *START,
        "gdb: error while loading shared libraries: libicudata.so.72: failed to map segment",
        "terminate called after throwing an instance of 'std::system_error'",
        "  what():  Resource temporarily unavailable",
    ]

    assert "another thread" in diagnose(-6, None, log, LAUNCH).cause


def test_evidence_is_told_once_although_llama_server_tries_twice() -> None:
    line = "E gguf_init_from_file: failed to open GGUF file '/m.gguf' (No such file or directory)"
    log = [*START, f"0.00.030.791 {line}", *END, f"0.00.031.006 {line}", *END]

    assert diagnose(1, None, log, LAUNCH).evidence == (line.removeprefix("E "),)


def test_evidence_is_short_and_free_of_terminal_codes() -> None:
    log = [f"\x1b[31merror: number {number} {'x' * 1000}\x1b[0m" for number in range(50)]

    evidence = diagnose(1, None, log, LAUNCH).evidence

    assert len(evidence) == MAX_EVIDENCE
    assert all(len(line) <= MAX_EVIDENCE_CHARS and "\x1b" not in line for line in evidence)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "warning: no usable GPU found, --gpu-layers option will be ignored",
            "n_gpu_layers=99 has no effect",
        ),
        ("load_tensors: offloaded 0/33 layers to GPU", "n_gpu_layers=99 has no effect"),
        (
            "ggml_cuda_init: failed to initialize CUDA: no CUDA-capable device is detected",
            "cannot be used (no CUDA-capable device is detected)",
        ),
        ("0.00.012.000 E Failed to connect to 127.0.0.1:19050", "RPC server 127.0.0.1:19050"),
        (
            "0.00.046.626 W srv    load_model: the slot context (8192) exceeds the training "
            "context of the model (4096) - capping",
            "gets 4096 tokens and not 8192",
        ),
        (
            "llama_context: n_ctx_per_seq (8192) > n_ctx_train (4096) -- possible training context "
            "overflow",
            "ctx_size=4096",
        ),
        ("warning: failed to mlock 1024-byte buffer: Cannot allocate memory", "locked into memory"),
        ("W load: GENERATION QUALITY WILL BE DEGRADED!", "replies may be poor"),
        (
            "srv load_model: cache_reuse is not supported by this context, it will be disabled",
            "cache_reuse is not supported",
        ),
    ],
)
def test_a_running_server_tells_what_its_user_should_know(line: str, words: str) -> None:
    (warning,) = warnings_in_log([*START, line, line], replace(LAUNCH, n_gpu_layers=99))

    assert words in warning


@pytest.mark.parametrize("n_gpu_layers", [None, 0])
def test_a_missing_gpu_is_no_news_to_who_did_not_ask_for_one(n_gpu_layers: int | None) -> None:
    log = ["warning: no usable GPU found, --gpu-layers option will be ignored"]

    assert warnings_in_log(log, replace(LAUNCH, n_gpu_layers=n_gpu_layers)) == ()


def test_an_ordinary_start_has_nothing_to_warn_of() -> None:
    assert warnings_in_log(START, replace(LAUNCH, n_gpu_layers=99)) == ()


# Any text, lone surrogates included, and among it the words that the patterns look for.
_ANY_TEXT = st.text(st.characters(exclude_categories=())) | st.sampled_from(
    [line for line, _ in LINES]
    + [row.pattern.pattern for row in FAILURES]
    + [notice.pattern.pattern for notice in WARNINGS]
)


@given(
    exit_code=st.none() | st.integers(),
    number=st.none() | st.integers(0, 64),
    log=st.lists(_ANY_TEXT, max_size=8),
    path=st.text(st.characters(exclude_categories=())),
    ctx_size=st.integers(-1, 2**31),
)
def test_any_log_at_all_gives_a_diagnosis_in_valid_unicode(
    exit_code: int | None, number: int | None, log: list[str], path: str, ctx_size: int
) -> None:
    launch = LaunchFacts(path, 1, ctx_size, 1, None, (path,), engine_path=path)

    diagnosis = diagnose(exit_code, number, log, launch)
    told = (diagnosis.cause, diagnosis.advice, *diagnosis.evidence, *warnings_in_log(log, launch))

    assert diagnosis.cause
    assert diagnosis.advice
    assert "\n" not in "".join(told)
    "".join(told).encode()


def test_every_ending_in_the_tables_has_a_text_without_gaps() -> None:
    for number in (*FROM_OUTSIDE, *SIGNALS):
        diagnosis = diagnose(None, number, [], LAUNCH)

        assert not set("{}") & set(diagnosis.cause + diagnosis.advice)


@pytest.mark.parametrize(
    ("exit_code", "lines", "is_short"),
    [
        (1, ["E ggml_backend_cuda: cudaMalloc failed: out of memory"], True),
        (-6, ["terminate called after throwing an instance of 'std::bad_alloc'"], True),
        (-1073741801, [], True),  # 0xC0000017 of Windows
        (-6, ["GGML_ASSERT(n_tokens > 0) failed"], False),
        (None, [], False),
        # Of a start that was tried again with less, and then went well.
        (1, ["E cudaMalloc failed: out of memory", "I srv: model loaded", "E abort"], False),
    ],
)
def test_want_of_memory_is_told_from_other_crashes(
    exit_code: int | None, lines: list[str], is_short: bool
) -> None:
    assert was_short_of_memory(exit_code, lines) is is_short
