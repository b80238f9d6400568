"""A LiteLLM proxy: installed into a folder of its own, told its models, started and ended."""

import json
import subprocess
import sys
import time
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

from tests.fake_llama_server.running import free_port

PACKAGE = "litellm[proxy]"
KEY = "sk-only-of-this-trial"
# It imports for half a minute, on two busy processors longer.
START_SECONDS = 240.0


def install(folder: Path) -> Path:
    """Return LiteLLM's program, installed into a virtual environment in the folder."""
    program = folder / "bin" / "litellm"
    if not program.exists():
        venv.create(folder, with_pip=True)
        python = str(folder / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "--quiet", PACKAGE], check=True)
    return program


@contextmanager
def proxy(program: Path, models: Mapping[str, Sequence[str]], folder: Path) -> Iterator[str]:
    """Run it and give its URL.

    Args:
        program: LiteLLM's.
        models: for each name the URLs of the servers among which it chooses.
        folder: for its configuration and its log.
    """
    deployments = [
        {
            "model_name": name,
            "litellm_params": {
                "model": f"openai/{name}",
                "api_base": f"{url}/v1",
                "api_key": "none",
            },
        }
        for name, urls in models.items()
        for url in urls
    ]
    # JSON is YAML.
    config = folder / "litellm.yaml"
    settings = {"model_list": deployments, "general_settings": {"master_key": KEY}}
    config.write_text(json.dumps(settings), encoding="utf-8")
    port = free_port()
    command = [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "litellm.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        try:
            _wait_for(f"http://127.0.0.1:{port}/health/liveliness", process)
            # What it imports for its first list takes seconds.
            _wait_for(f"http://127.0.0.1:{port}/v1/models", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            with urlopen(Request(url, headers=headers), timeout=20):
                return
        except (URLError, OSError):
            time.sleep(0.3)
    sys.exit("LiteLLM did not start: see litellm.log beside its configuration.")
