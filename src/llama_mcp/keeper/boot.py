"""Which boot of the machine this is."""

from functools import cache


@cache
def boot_id() -> str:
    """Return what names the time since the machine was switched on; empty where nothing does."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip()
    except OSError:  # not on Linux, or hidden by a sandbox
        return ""
