"""The URIs of all resources, and which of them tell of what."""

from urllib.parse import quote, unquote

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
# What llama://server tells of one model, told of that which is named.
STATUS_OF_MODEL = f"{MODEL_TEMPLATE}/status"
CONFIG_OF_MODEL = f"{MODEL_TEMPLATE}/config"
METRICS_OF_MODEL = f"{MODEL_TEMPLATE}/metrics"
SLOTS_OF_MODEL = f"{MODEL_TEMPLATE}/slots"
LOG_OF_MODEL = f"{MODEL_TEMPLATE}/log"
FIGURES_OF_MODEL = (METRICS_OF_MODEL, SLOTS_OF_MODEL)
OF_MODEL = (STATUS_OF_MODEL, CONFIG_OF_MODEL, *FIGURES_OF_MODEL, LOG_OF_MODEL)

# For clients that show MCP Apps.
PAGE = "ui://llama-mcp/dashboard.html"
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


def model_uri(template: str, name: str) -> str:
    """Return the URI of a model's resource; all in a name that a URI could not hold is encoded."""
    return template.replace("{name}", quote(name, safe=""))


def template_of(uri: str) -> tuple[str, str] | None:
    """Return which template a model's URI is made by, and the model's name; None for no such URI.

    A client may encode less of the name than is needed, or more.
    """
    prefix = MODELS + "/"
    if not uri.startswith(prefix):
        return None
    name, slash, what = uri.removeprefix(prefix).partition("/")
    template = f"{MODEL_TEMPLATE}{slash}{what}"
    return (template, unquote(name)) if name and template in (MODEL_TEMPLATE, *OF_MODEL) else None
