"""Texts ranked by how well they answer a query, within the time of a call."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from heapq import nlargest

import anyio
import anyio.to_thread

from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.rank_server import RankServer, RankServers
from llama_mcp.llama_server.ready_server import ModelLoad
from llama_mcp.ranking.errors import (
    NoScoresError,
    NothingToRankError,
    RankTookTooLongError,
    StillLoadingForRankError,
)
from llama_mcp.ranking.measuring import Measure, measure_by
from llama_mcp.ranking.passages import Passage, Passages
from llama_mcp.ranking.ranking import RankedRow, Ranking
from llama_mcp.ranking.vector_cache import VectorCache

# Told of how much is done: texts or pieces, of how many if that is known, and a line for a person.
Tell = Callable[[int, int | None, str], Awaitable[None]]
# Looked up together; what is not known of them is asked for in smaller batches.
LOOK_UP = 256
