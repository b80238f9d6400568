"""The client is killed: llama-mcp notices by its closed pipes and takes everything with it."""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import anyio

from tests.faults.victims import until_nothing_is_left
from tests.support.client_process import COMMAND, LlamaMCP
from tests.support.processes import PATIENCE_SECONDS

PROGRAM = Path(__file__).with_name("dead_parent_program.py")


async def test_a_client_that_is_killed_in_mid_reply_takes_llama_mcp_and_all_below_with_it(
    llama_mcp: LlamaMCP,
) -> None:
    having = llama_mcp.having(CTX_SIZE="8192", FINISH_SECONDS="0")
    # Those that say what to test with are no settings, and llama-mcp would say so on stderr.
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("LLAMA_")}
    with anyio.fail_after(2 * PATIENCE_SECONDS):
        done = await anyio.run_process(
            [sys.executable, str(PROGRAM), COMMAND], env={**inherited, **having.environment}
        )
    assert done.stderr.decode() == ""
    assert done.stdout == b"0\n"
    await until_nothing_is_left(llama_mcp.home)
    with closing(sqlite3.connect(llama_mcp.home / "sessions.db")) as archive, archive:
        turns = archive.execute("SELECT status, length(reply) > 0 FROM turns").fetchall()
    archive.close()
    assert turns == [("interrupted", 1)]
