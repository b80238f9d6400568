"""What an exit code says on Windows, where a crash is an exit code too: a value of NTSTATUS.

The values and their names are those of ntstatus.h. Python gives them as unsigned numbers, other
programs as negative ones; both are understood. No other system has exit codes of this size.
"""

from llama_mcp.llama_server.diagnosis.executable_symptoms import RIGHT_BUILD
from llama_mcp.llama_server.diagnosis.input_symptoms import Ending

_LARGEST_PLAIN_CODE = 0xFFFF
_AGAIN = "Start it again if it is still wanted."
_BUG = (
    "Start it again; if it comes back, try n_gpu_layers=0, another llama.cpp release "
    "(llama_cpp_path) or another GGUF of this model."
)
_MISSING_DLL = (
    "Keep llama-server.exe in the folder it came in, with all its .dll files. A CUDA build needs "
    "cudart and cublas beside it (llama.cpp offers them as a download of their own). Most builds "
    "need the Microsoft Visual C++ Redistributable (x64): ask the user for it."
)
_PAGE_FILE = "{memory_advice} A larger page file helps where the model would fit into memory."


def describe_exit_code(code: int) -> str:
    """Return an exit code as it is looked up: a value of NTSTATUS in hexadecimal."""
    return str(code) if 0 <= code <= _LARGEST_PLAIN_CODE else f"0x{unsigned(code):08X}"


def unsigned(code: int) -> int:
    """Return the code as an unsigned number of 32 bits."""
    return code & 0xFFFF_FFFF


# The sender decides, and llama-server's own last words are not the reason.
ENDED_FROM_OUTSIDE: dict[int, Ending] = {
    0xC000013A: Ending("somebody interrupted it (Ctrl-C, 0xC000013A){when}", _AGAIN),
    0x40010004: Ending("somebody ended it (0x40010004){when}", _AGAIN),
    0x40010005: Ending("somebody interrupted it (Ctrl-C, 0x40010005){when}", _AGAIN),
}

STATUSES: dict[int, Ending] = {
    0xC0000005: Ending(
        "llama-server crashed (0xC0000005, access violation){when}; a GPU driver, a damaged model "
        "or a bug does this",
        _BUG,
    ),
    0xC0000006: Ending(
        "llama-server crashed (0xC0000006, in-page error){when}; the model file was cut short or "
        "its disk went away while it was in use",
        "Check that {model} is complete and its disk works, then start again.",
    ),
    0xC0000017: Ending("there is not enough memory (0xC0000017){when}", _PAGE_FILE),
    0xC000001D: Ending(
        "llama-server was built for another processor (0xC000001D, illegal instruction)",
        RIGHT_BUILD,
    ),
    0xC0000022: Ending(
        "the system denied llama-server.exe or one of its DLLs access (0xC0000022)",
        "See whether a virus scanner has blocked it, and whether this user may read its folder.",
    ),
    0xC000007B: Ending(
        "llama-server.exe or one of its DLLs is damaged or for another processor (0xC000007B, "
        "invalid image)",
        RIGHT_BUILD,
    ),
    0xC0000094: Ending("llama-server crashed (0xC0000094, integer division by zero){when}", _BUG),
    0xC000009A: Ending("the system has not enough resources (0xC000009A){when}", _PAGE_FILE),
    0xC00000FD: Ending("llama-server crashed (0xC00000FD, stack overflow){when}", _BUG),
    0xC000012D: Ending(
        "memory and page file together are too small (0xC000012D){when}", _PAGE_FILE
    ),
    0xC0000135: Ending(
        "a DLL that llama-server.exe needs was not found (0xC0000135)", _MISSING_DLL
    ),
    0xC0000139: Ending(
        "a DLL that llama-server.exe needs is of another version (0xC0000139, entry point not "
        "found)",
        _MISSING_DLL,
    ),
    0xC0000142: Ending(
        "a DLL of llama-server.exe failed as it was loaded (0xC0000142)",
        "A GPU driver or a session that is just ending does this: start again, or ask the user to "
        "update the driver.",
    ),
    0xC0000374: Ending("llama-server crashed (0xC0000374, heap corruption){when}", _BUG),
    0xC0000409: Ending("llama-server aborted itself (0xC0000409, fail fast){when}", _BUG),
    0xC0000428: Ending(
        "Windows does not accept the signature of llama-server.exe or one of its DLLs (0xC0000428)",
        "Ask the user to download llama.cpp's release again, or who manages the machine to allow "
        "it.",
    ),
    0x40000015: Ending("llama-server aborted itself (0x40000015){when}", _BUG),
    0xC06D007E: Ending(
        "a DLL that llama-server.exe loads late was not found (0xC06D007E)", _MISSING_DLL
    ),
    0xE06D7363: Ending(
        "llama-server ended on a C++ exception that it did not handle (0xE06D7363){when}", _BUG
    ),
}

# The last resort: only Windows has these meanings.
EXIT_CODES: dict[int, Ending] = {
    1: Ending(
        "exit code 1{when}, and it wrote no error; a program that is ended by the Task Manager or "
        "taskkill has this code",
        _AGAIN,
    ),
    3: Ending("llama-server aborted itself (exit code 3){when}", _BUG),
}

WANT_OF_MEMORY = frozenset(code for code, ending in STATUSES.items() if ending.advice == _PAGE_FILE)
