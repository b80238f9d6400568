"""The table of symptoms as a whole, with the rows about the machine, the signals and exit codes.

The rows are made as in input_symptoms.py, whose docstring names what may stand in braces.
"""

import sys

from llama_mcp.llama_server.diagnosis.executable_symptoms import EXECUTABLE
from llama_mcp.llama_server.diagnosis.input_symptoms import (
    WHAT_IT_WAS_GIVEN,
    Ending,
    Symptom,
)

# The numbers of Linux and macOS; Python on Windows has no names for most of them.
SIGHUP = 1
SIGINT = 2
SIGILL = 4
SIGABRT = 6
SIGFPE = 8
SIGKILL = 9
SIGSEGV = 11
SIGTERM = 15
SIGBUS = 10 if sys.platform == "darwin" else 7

_GPU_DRIVER = (
    "Pass n_gpu_layers=0 to run on the CPU, or ask the user to check the GPU and its driver "
    "(nvidia-smi or its like)."
)
_BUG = (
    "Start it again; if it comes back, try extra_args=[], another llama.cpp release "
    "(llama_cpp_path) or another GGUF of this model."
)
_AGAIN = "Start it again if it is still wanted."

# A context that the GPU has no room for is a matter of the GPU, so those rows come first.
MEMORY = (
    Symptom(
        r"(?:cuda|hip)Malloc failed: out of memory|(?:CUDA|ROCm|HIP) error: out of memory|"
        r"unable to allocate (?:CUDA|ROCm|HIP)\w* buffer|CUBLAS_STATUS_ALLOC_FAILED",
        "the GPU's memory (CUDA or ROCm) is too small",
        "{gpu_advice}",
    ),
    Symptom(
        r"ErrorOutOfDeviceMemory|unable to allocate Vulkan\w* buffer|"
        r"Requested buffer size exceeds device",
        "the GPU's memory (Vulkan) is too small",
        "{gpu_advice}",
    ),
    Symptom(
        r"kIOGPUCommandBufferCallbackErrorOutOfMemory|Insufficient Memory|"
        r"unable to allocate (?:Metal|MTL)\w* buffer",
        "the GPU's memory (Metal) is too small",
        "{gpu_advice}",
    ),
    Symptom(
        r"OUT_OF_DEVICE_MEMORY|unable to allocate (?!CPU)(?P<device>\w+) buffer",
        "the memory of the device {device} is too small",
        "{gpu_advice}",
    ),
    Symptom(
        r"failed to allocate buffer for (?:kv|rs) cache|"
        r"failed to initialize the context: (?:failed to allocate|std::bad_alloc)|"
        r"failed to allocate compute (?:pp |tg |graph )?buffers",
        "there is not enough memory for {context}",
        "{memory_advice}",
    ),
    Symptom(
        r"insufficient memory \(attempted to allocate\s+(?P<size>[\d.]+) MB\)",
        "there is not enough memory: {size} MB more could not be had",
        "{memory_advice}",
    ),
    Symptom(
        r"std::bad_alloc|[Cc]annot allocate memory|GGML_ASSERT\(ctx->mem_buffer != NULL\)|"
        r"failed to allocate|unable to allocate CPU",
        "there is not enough memory",
        "{memory_advice}",
    ),
)

_FILES = (
    Symptom(
        r"No space left on device",
        "the disk is full",
        "Ask the user to free some space on the disk that holds llama-mcp's home, and on the one "
        "of any file named in extra_args.",
    ),
    Symptom(
        r"failed to open(?: GGUF)?(?: file)? '?(?P<file>[^']+?)'?[: (]+No such file",
        "the file {file} does not exist",
        "Check the path for a typing error; an absolute path is safest.",
    ),
    Symptom(
        r"failed to open(?: GGUF)?(?: file)? '?(?P<file>[^']+?)'?[: (]+Permission denied",
        "there is no permission to read {file}",
        "Ask the user to give who runs llama-mcp the right to read it and its folders (chmod).",
    ),
    Symptom(
        r"failed to open GGUF file '(?P<file>[^']*)'",
        "the file {file} cannot be opened",
        "Check that it exists and may be read.",
    ),
    Symptom(
        r"[Pp]ermission denied:? ?(?P<file>[^)]*)",
        "permission was denied ({file})",
        "Ask the user to give who runs llama-mcp the right to it; llama-server must be executable "
        "(chmod +x).",
    ),
    Symptom(
        r"Too many open files",
        "there are too many open files",
        "Ask the user to raise the limit (ulimit -n) for llama-mcp.",
    ),
    Symptom(
        r"Input/output error|read error: (?P<problem>.+)",
        "a file could not be read to its end ({problem})",
        "Check the disk or the network share that the model lies on.",
    ),
    Symptom(
        r"Resource temporarily unavailable",
        "the system refused it another thread",
        'Put a smaller "--threads" into extra_args, or ask the user to raise the limit of '
        "processes (ulimit -u).",
    ),
)

_DEVICES = (
    Symptom(
        r"CUDA driver version is insufficient|no kernel image is available",
        "the GPU or its driver does not fit this llama-server's CUDA",
        "Pass n_gpu_layers=0, or a build for this GPU as llama_cpp_path, or ask the user to update "
        "the driver.",
    ),
    Symptom(
        r"(?:CUDA|ROCm|HIP|MUSA) error(?:: (?P<text>.*))?",
        "the GPU failed: {text}",
        _GPU_DRIVER,
    ),
    Symptom(
        r"(?P<text>ErrorDeviceLost|vk::\w+Error.*|kIOGPUCommandBufferCallbackError\w+)",
        "the GPU failed: {text}",
        _GPU_DRIVER,
    ),
)

# Last of all: rows that only repeat what llama-server says.
_ITS_OWN_WORDS = (
    Symptom(
        r"(?<![\w.-])(?P<file>[\w.-]+\.(?:cpp|cuh?|cc?|hp?p?|mm?)):(?P<line>\d+): "
        r"(?!internal-error)(?P<text>.+)",
        "llama-server found a fault in itself and aborted ({file}:{line}: {text})",
        _BUG,
    ),
    Symptom(
        r"what\(\): *(?P<text>.+)",
        "llama-server ended on an error it did not handle ({text})",
        _BUG,
    ),
    Symptom(
        r"error loading model: (?P<text>.+)",
        "the model could not be loaded ({text})",
        "Pass another model or a newer llama.cpp (llama_cpp_path), or ask the user to download the "
        "model again.",
    ),
    Symptom(
        r"^error: (?P<text>.+)",
        "llama-server gave up: {text}",
        "Correct it if it comes from extra_args; its log has more.",
    ),
    Symptom(
        r"^(?P<text>\w+(?:Error|Exception): .+)",
        "the engine ended on an error it did not handle ({text})",
        _BUG,
    ),
)

FAILURES: tuple[Symptom, ...] = (
    *EXECUTABLE,
    *WHAT_IT_WAS_GIVEN,
    *MEMORY,
    *_FILES,
    *_DEVICES,
    *_ITS_OWN_WORDS,
)

# The sender decides, and llama-server's own last words are not the reason.
FROM_OUTSIDE: dict[int, Ending] = {
    SIGKILL: Ending("it was killed (SIGKILL){when}{killer}", "{kill_advice}"),
    SIGTERM: Ending("somebody told it to end (SIGTERM){when}", _AGAIN),
    SIGINT: Ending("somebody interrupted it (SIGINT){when}", _AGAIN),
    SIGHUP: Ending("its terminal or session was closed (SIGHUP){when}", _AGAIN),
}

# llama-server ends in order, with exit code 0, when it is told to: it says so in its log.
TOLD_TO_END = Ending("somebody told it to end (exit code 0, as after SIGTERM or Ctrl-C)", _AGAIN)

SIGNALS: dict[int, Ending] = {
    SIGILL: Ending(
        "llama-server was built for another processor (SIGILL, illegal instruction)",
        "Pass as llama_cpp_path a llama.cpp release for this machine, or one built on it.",
    ),
    SIGABRT: Ending("llama-server aborted itself (SIGABRT){when}", _BUG),
    SIGSEGV: Ending(
        "llama-server crashed (SIGSEGV, a bad memory access){when}; a GPU driver, a damaged "
        "model or a bug does this",
        _BUG,
    ),
    SIGBUS: Ending(
        "llama-server crashed (SIGBUS){when}; the model file was cut short or its disk went away "
        "while it was in use",
        "Check that {model} is complete and its disk works, then start again.",
    ),
    SIGFPE: Ending("llama-server crashed (SIGFPE, a bad calculation){when}", _BUG),
}

EXIT_CODES: dict[int, Ending] = {
    0: Ending(
        "the program ended{when} without an error (exit code 0), and llama-server does so only "
        "when it is told to; a wrapper that puts it into the background ends so too, and one with "
        "a pipe (`llama-server | tee`) hides how it ended",
        "Pass llama-server itself as llama_cpp_path; a wrapper has to stay until llama-server "
        "ends, and to end as it does (`exec llama-server ...`).",
    ),
    126: Ending(
        "{engine} could not be executed (exit code 126)",
        "Make it executable (chmod +x), and pass a llama_cpp_path for this machine.",
    ),
    127: Ending(
        "llama-server or one of its shared libraries was not found (exit code 127)",
        "Keep llama-server in the folder it came in, with its libraries.",
    ),
}

# What our own parameters become on llama-server's command line (command_line.py).
PARAMETERS = {
    "-m": "model_path",
    "-c": "ctx_size",
    "-np": "parallel",
    "--n-gpu-layers": "n_gpu_layers",
    "--gpu-layers": "n_gpu_layers",
    "-ngl": "n_gpu_layers",
    "--port": "port",
}
