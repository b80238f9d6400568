"""When a llama-server that crashed is started again, and when that has become a loop; pure."""

from llama_mcp.llama_server.runs.records import Launch

MAX_RESTARTS = 3
WINDOW_SECONDS = 300.0


def next_restart(crashed: Launch, failure: str, now: float) -> Launch | None:
    """Return the launch that follows a crash; None when it has crashed too often of late.

    Args:
        crashed: what ended by itself.
        failure: why, in words; the first one of a row is kept, since later ones may follow from it.
        now: seconds since 1970.
    """
    recent = [at for at in crashed.restarts if now - at < WINDOW_SECONDS]
    if len(recent) >= MAX_RESTARTS:
        return None
    first = crashed.first_failure if recent and crashed.first_failure else failure
    return crashed.model_copy(
        update={"at": now, "restarts": [*recent, now], "first_failure": first}
    )
