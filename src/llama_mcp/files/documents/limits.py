"""How much of the machine the reading of one document may take."""

import sys

PROGRAM = "llama_mcp.files.documents"
UNREADABLE = 3
MAX_DOCUMENT_BYTES = 256 * 2**20
# What the parts of a ZIP have unpacked, all together.
MAX_UNPACKED_BYTES = 512 * 2**20
MAX_MEMORY_BYTES = 4 * 2**30
# Of the processor, not of the clock: a machine under load is no fault of the document.
MAX_CPU_SECONDS = 120
# By the clock, for systems that count no processor time.
MAX_SECONDS = 900.0

if sys.platform == "win32":

    def limit_process() -> None:
        """Limit nothing: here whoever started this process ends it by the clock."""

else:

    def limit_process() -> None:
        """Limit this process's memory and processor time."""
        import resource

        for what, most in (
            (resource.RLIMIT_AS, MAX_MEMORY_BYTES),
            (resource.RLIMIT_CPU, MAX_CPU_SECONDS),
        ):
            _, hard = resource.getrlimit(what)
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            # macOS refuses a limit of memory.
            if what == resource.RLIMIT_CPU or sys.platform != "darwin":
                resource.setrlimit(what, (most, hard))
