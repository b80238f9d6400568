"""What somebody writes who uses the `openai` package: a streamed chat, and when what came.

    python benchmarks/peer_programs/openai_client.py PORT

Reads requests from stdin, a body a line; prints a line once it is ready, and for each request the
moments of time.perf_counter() when it began, had its first text and was done. Runs in an
environment of its own, which has the package.
"""

import json
import sys
import time

from openai import OpenAI


def main() -> None:
    """Answer requests until stdin ends."""
    client = OpenAI(base_url=f"http://127.0.0.1:{sys.argv[1]}/v1", api_key="none")
    print("{}", flush=True)
    for line in sys.stdin:
        body = json.loads(line)
        first_text_at = None
        text = ""
        begun_at = time.perf_counter()
        for chunk in client.chat.completions.create(model="any", stream=True, **body):
            if chunk.choices and (piece := chunk.choices[0].delta.content):
                first_text_at = first_text_at or time.perf_counter()
                text += piece
        ended_at = time.perf_counter()
        moments = {"begun_at": begun_at, "first_text_at": first_text_at, "ended_at": ended_at}
        print(json.dumps(moments), flush=True)


if __name__ == "__main__":
    main()
