"""`llama-mcp serve`: the real server over stdin and stdout, after the early answers."""

import logging
from collections.abc import Callable

from llama_mcp.early.handover import Handover
from llama_mcp.file_modes import keep_private
from llama_mcp.reading_settings import findings_in, read_settings
from llama_mcp.settings import Settings, forget_inherited, inherited_environment
from llama_mcp.surface.stdio.stderr import free_stderr, log_to_stderr

logger = logging.getLogger(__name__)

# opentelemetry-api raises at its import, or at every span, when they name what is not installed.
_TELEMETRY = ("OTEL_PROPAGATORS", "OTEL_PYTHON_TRACER_PROVIDER")


def serve(end_early_answers: Callable[[], Handover]) -> int:
    """Serve until the client leaves or the process is asked to end; return the exit code.

    Args:
        end_early_answers: called once all is imported, for where the early answers have ended.
    """
    free_stderr()
    settings = settle()

    import anyio

    # Archive, logs, locks and sockets: nothing that we write is for other users.
    keep_private()
    _check_telemetry()

    from llama_mcp.callers import LOCAL_OWNER
    from llama_mcp.sessions.changes import SessionMark
    from llama_mcp.surface.server import build_server
    from llama_mcp.surface.stdio.serving import serve_stdio

    handover = end_early_answers()
    list_told = (
        SessionMark.of_owner(LOCAL_OWNER, *handover.list_told) if handover.list_told else None
    )
    server = build_server(settings, list_told=list_told)
    anyio.run(serve_stdio, server, server.announce_shutdown, server.tell_rest, handover)
    return 0


def settle() -> Settings:
    """Read the settings, begin to log, and say what is wrong with the settings."""
    settings = read_settings(inherited_environment())
    log_to_stderr(settings.log_level)
    # At INFO it writes the text of every refused call, which may quote a conversation.
    logging.getLogger("mcp.server.mcpserver.server").setLevel(logging.WARNING)
    for finding in findings_in(settings):
        logger.warning("%s", finding)
    return settings


def _check_telemetry() -> None:
    """Serve without spans rather than not at all, when variables for them cannot be followed."""
    named = [name for name in _TELEMETRY if name in inherited_environment()]
    if not named:
        return
    try:
        from opentelemetry.trace import get_tracer

        get_tracer(__name__)
    except Exception as error:  # each cause has another type
        for name in named:
            forget_inherited(name)
        logger.warning("No spans are made: %s cannot be followed (%r).", ", ".join(named), error)
