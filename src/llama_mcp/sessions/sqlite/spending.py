"""How many tokens an owner's turns took lately."""

from llama_mcp.sessions.spent import SpentTokens
from llama_mcp.sessions.sqlite.store import Store

_SINCE = """
SELECT ended_at_utc, tokens FROM spent WHERE owner = ? AND ended_at_utc > ? ORDER BY ended_at_utc
"""


def spent_since(store: Store, owner: str, moment_utc: str) -> SpentTokens:
    """Return what the owner's turns took that ended since then; an index alone is read."""
    rows = store.connection.execute(_SINCE, (owner, moment_utc))
    return SpentTokens(tuple((row["ended_at_utc"], row["tokens"]) for row in rows))
