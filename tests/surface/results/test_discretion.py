"""What a text of ours is told as to who may not see the machine."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llama_mcp.callers import LOCAL, Caller
from llama_mcp.errors import LlamaMCPError
from llama_mcp.settings import Settings
from llama_mcp.surface.failures import TOOL_WORDS
from llama_mcp.surface.results.discretion import Discretion

ANN = Caller("ann", file_dirs=(Path("/srv/team/ann"),), save_dirs=())
MODELS = "/srv/big disk/models"
TOLD = Discretion(sees_machine=False, hidden=[MODELS, "/srv"], own=["/srv/team/ann"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("no file /etc/passwd.", "no file …/passwd."),
        ("(/usr/bin/x, /usr/lib)", "(…/x, …/lib)"),
        (f"it lies in {MODELS}/a/b.gguf", "it lies in …/b.gguf"),
        (f"in {MODELS}: none", "in …: none"),
        ("C:\\Users\\me\\x.gguf is gone", "…/x.gguf is gone"),
        ("\\\\nas\\share\\x.gguf", "…/x.gguf"),
        ("~/x/y.toml", "…/y.toml"),
        ("model_path=/srv/x.gguf", "model_path=…/x.gguf"),
        ("/srv/team/ann/notes.md is yours", "/srv/team/ann/notes.md is yours"),
        ("/srv/team/anna/notes.md is not", "…/notes.md is not"),
        (f"in {MODELS}.", "in …."),
        ("12 tokens/s and/or llama://server/log", "12 tokens/s and/or llama://server/log"),
        ("see https://example.com/a/b", "see https://example.com/a/b"),
        ("x is ready at http://127.0.0.1:8080 (4096 tokens).", "x is ready (4096 tokens)."),
        ("x has been loading for 3 s. Last log line: /a: b", "x has been loading for 3 s."),
        ("The process of x (pid 71) lives.", "The process of x lives."),
        ("llama-mcp process 71, which", "llama-mcp process, which"),
        ("runs elsewhere (host box, in another container): x on port 80.", "runs elsewhere: x."),
        ("it ended\nFrom its log:\n  secret", "it ended"),
    ],
)
def test_of_a_path_the_last_part_is_left_and_of_processes_nothing(text: str, told: str) -> None:
    assert TOLD.text(text) == told


@given(st.text("ab /\\.…~:C", max_size=40))
def test_what_is_told_is_told_again_as_it_is(text: str) -> None:
    assert TOLD.text(TOLD.text(text)) == TOLD.text(text)


def test_who_sees_the_machine_is_told_all() -> None:
    told = Discretion.towards(LOCAL, Settings())
    assert told.text("/etc/passwd (pid 7)") == "/etc/passwd (pid 7)"


def test_an_error_is_told_without_its_log(tmp_path: Path) -> None:
    error = LlamaMCPError("It broke at /a/b.", evidence=["a line"], next_step="{Status}.")
    told = Discretion.towards(ANN, Settings(home=tmp_path)).error(error, TOOL_WORDS)
    assert told == "It broke at …/b. Call status."
