"""Links in results: whoever keeps a long reply out of its context can open it as a resource."""

from mcp.types import CallToolResult, ResourceLink

from llama_mcp.surface.resources.listing import MARKDOWN
from llama_mcp.surface.resources.uris import session_uris
from llama_mcp.turns.replies.reply import ChatReply

# A reply that is longer comes with a link to its session.
LINKED_CHARACTERS = 8000
# The first version of MCP that has links in results; clients of older ones may refuse the result.
_FIRST_VERSION = "2025-06-18"


def with_link(result: CallToolResult, reply: ChatReply, version: str | None) -> CallToolResult:
    """Return a reply's result, with a link to the session if it has the end of a long reply.

    Args:
        result: What is told of the reply.
        reply: The reply.
        version: Of MCP, as it was agreed with the client.
    """
    news = result.structured_content or {}
    is_told = any(news.get(name) for name in ("reply", "parsed", "results"))
    is_long = reply.is_over and len(reply.reply) > LINKED_CHARACTERS
    if not (is_told and is_long) or (version or "") < _FIRST_VERSION:
        return result
    uri, _ = session_uris(reply.session_id)
    name = f"session-{reply.session_id}"
    link = ResourceLink(type="resource_link", uri=uri, name=name, mime_type=MARKDOWN)
    return result.model_copy(update={"content": [*result.content, link]})
