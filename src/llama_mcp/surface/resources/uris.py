"""The URIs of all resources, and which of them tell of what."""

STATUS = "llama://server/status"
CONFIG = "llama://server/config"
METRICS = "llama://server/metrics"
PROMETHEUS = "llama://server/metrics.prom"
SLOTS = "llama://server/slots"
LOG = "llama://server/log"
MODELS = "llama://models"
# What changes while replies are generated.
FIGURES = (METRICS, PROMETHEUS, SLOTS)
# Of the models, which one runs.
LLAMA_SERVER = (STATUS, CONFIG, *FIGURES, LOG, MODELS)

MODEL_TEMPLATE = "llama://models/{name}"

SESSIONS = "llama://sessions"
# Registered in this order: the Markdown template would take ".json" for part of the id.
SESSION_DATA_TEMPLATE = "llama://sessions/{session_id}.json"
SESSION_TEMPLATE = "llama://sessions/{session_id}"
# What a long session's first page links to.
SESSION_DATA_PAGE_TEMPLATE = "llama://sessions/{session_id}.json{?offset}"
SESSION_PAGE_TEMPLATE = "llama://sessions/{session_id}{?offset}"


def session_uris(session_id: str) -> tuple[str, str]:
    """Return the resources of one session: as Markdown and as JSON."""
    return (
        SESSION_TEMPLATE.format(session_id=session_id),
        SESSION_DATA_TEMPLATE.format(session_id=session_id),
    )


def session_id_of(uri: str) -> str | None:
    """Return the id in the URI of a session's resource; None for every other URI."""
    prefix = SESSIONS + "/"
    if not uri.startswith(prefix):
        return None
    return uri.removeprefix(prefix).partition("?")[0].removesuffix(".json")
