"""`llama-mcp serve`: the real server over stdin and stdout, or over HTTP to many."""

import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

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


def serve_over_http(
    at: str, tokens: Path, hosts: Sequence[str], audit: Path | None, grace_seconds: float
) -> int:
    """Serve over HTTP until the process is asked to end; return the exit code.

    Args:
        at: the address, HOST:PORT.
        tokens: the absolute path of the file of tokens.
        hosts: names by which we may be called beside that of the address.
        audit: the absolute path of the file in which calls are noted; None logs them.
        grace_seconds: how long replies may go on after we were asked to end.

    Raises:
        LlamaMCPError: we cannot serve there, or with these tokens, or with this home.
    """
    free_stderr()
    settings = settle()
    keep_private()
    _check_telemetry()

    from llama_mcp.surface.http.address import Hosts, address_in, listening_at
    from llama_mcp.surface.http.one_process import only_process, this_process
    from llama_mcp.tokens.known_tokens import KnownTokens

    address = address_in(at)
    names = Hosts(address, hosts)
    known = KnownTokens(tokens)
    with listening_at(address) as bound:
        url = f"http://{address.with_port(bound.getsockname()[1])}"
        with only_process(settings.state_dir, this_process(url, tokens)):
            # What is wrong was said before anybody waited for these.
            import anyio

            from llama_mcp.surface.http.app import HttpApp
            from llama_mcp.surface.http.audit import Audit
            from llama_mcp.surface.http.serving import serve_http
            from llama_mcp.surface.server import build_server

            server = build_server(settings)
            app = HttpApp(server, known.caller_of, names, Audit(audit))
            if not address.is_loopback:
                print(
                    "llama-mcp: others can read what goes over the network: put TLS in front "
                    "(docs/http.md).",
                    file=sys.stderr,
                )
            print(f"llama-mcp serves MCP at {url}/mcp", file=sys.stderr)
            anyio.run(serve_http, app, server, bound, known, grace_seconds)
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
