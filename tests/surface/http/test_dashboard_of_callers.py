"""What the dashboard tells callers over HTTP: of themselves all, of others figures."""

import json
from pathlib import Path

from llama_mcp.tokens.writing import add_token
from tests.support.client_process import LlamaMCP
from tests.support.http_process import serving


async def test_one_s_own_turns_are_named_and_those_of_others_counted(
    llama_mcp: LlamaMCP, tmp_path: Path
) -> None:
    # A reply that has so much room lasts for seconds.
    roomy = llama_mcp.having(CTX_SIZE="32768")
    async with serving(roomy, tmp_path / "http", ("ann",), scope="chat") as server:
        server.tokens["ada"] = add_token(server.tokens_file, "ada", "admin")
        async with server.connect("ann") as ann:
            ended = await ann.call("chat", message="my secret", max_tokens=1)
            open_one = await ann.call("chat", message="go on", max_tokens=20_000, wait_seconds=0)
            of_ann = await ann.call("dashboard_snapshot")
            async with server.connect("ada") as ada:
                of_ada = await ada.call("dashboard_snapshot")
            await ann.call("cancel_reply", session_id=open_one["session_id"])
    (under_way,), last = of_ann["turns"], of_ann["ended"][0]
    assert under_way["session_id"] == open_one["session_id"] and under_way["title"]
    assert "pid" not in under_way, "she is no admin"
    assert last["session_id"] == ended["session_id"] and last["title"]
    assert of_ada["turns"] and of_ada["ended"]
    for secret in (ended["session_id"], open_one["session_id"], "secret"):
        assert secret not in json.dumps(of_ada)
