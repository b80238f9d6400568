"""Rows of the table of symptoms about the program itself: whether it can be loaded and executed.

They are made as in input_symptoms.py. What a program that cannot be loaded leaves on Windows is no
line but an exit code (windows_endings.py), and on macOS often only a signal (KILLED_AS_IT_STARTED).
"""

from llama_mcp.embedded.presence import INSTALL_COMMAND
from llama_mcp.llama_server.diagnosis.input_symptoms import Ending, Symptom

RIGHT_BUILD = "Pass as llama_cpp_path a llama.cpp release for this machine, or one built on it."
# Apple: man xattr, man codesign. What a browser downloads is quarantined. Not tried on a Mac.
REMOVE_QUARANTINE = (
    "Ask the user, if they trust its source, to run `xattr -dr com.apple.quarantine FOLDER` on the "
    "folder of llama-server, or, if they have built it, `codesign --force --sign - FILE`."
)

EXECUTABLE = (
    Symptom(
        r"No module named '?xllamacpp",
        "the embedded engine is not installed",
        f"Pass llama_cpp_path, or ask the user to run `{INSTALL_COMMAND}`.",
    ),
    Symptom(
        r"xllamacpp cannot be imported: DLL load failed",
        "the embedded engine does not find a library, usually Microsoft's C++ runtime",
        "Ask the user to run `pip install msvc-runtime`, or to install the Microsoft Visual C++ "
        "Redistributable (x64).",
    ),
    # dyld gives the reason in a line below `Library not loaded`, so this row comes first.
    Symptom(
        r"code signature in <[^>]*> '(?P<library>[^']+)' not valid for use in process|"
        r"library load disallowed by system policy",
        "macOS does not let llama-server load its library {library}, which is quarantined or not "
        "validly signed",
        REMOVE_QUARANTINE,
    ),
    # gdb, which an abort forks unless GGML_NO_BACKTRACE is set, says this about itself as well.
    Symptom(
        r"^(?!gdb:).*(?:error while loading shared libraries|Library not loaded): "
        r"(?P<library>[^\s:]+)",
        "the shared library {library} of llama-server cannot be loaded",
        "Keep llama-server in the folder it came in, with its libraries; if {library} belongs to "
        "a GPU driver, take a CPU build or ask the user to install the driver.",
    ),
    Symptom(
        r"version [`'](?P<symbol>(?:GLIBC|GLIBCXX|CXXABI)_[\w.]+)' not found",
        "this llama-server needs {symbol}, which is newer than this system",
        "Pass as llama_cpp_path a build for this system, or one built on it.",
    ),
    Symptom(
        r"[Ee]xec format error|cannot execute binary file",
        "{engine} is not an executable for this processor or system",
        RIGHT_BUILD,
    ),
    Symptom(
        r"Illegal instruction|AMX is not ready to be used",
        "llama-server was built for another processor (illegal instruction)",
        RIGHT_BUILD,
    ),
    Symptom(
        r"no CPU backend found|no backends are loaded",
        "llama-server finds none of its own ggml libraries",
        "Keep llama-server in the folder it came in, with all its libggml files.",
    ),
)

# Gatekeeper, or the check of its signature, leaves no word in the log.
KILLED_AS_IT_STARTED = Ending(
    "macOS killed {engine} as it started (SIGKILL, and it wrote nothing), which it does to a "
    "program that is quarantined or not validly signed",
    REMOVE_QUARANTINE,
)
