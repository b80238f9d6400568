"""Check: one real start, one token and one stop, in a home of its own and on a free port."""

from collections.abc import Sequence

from llama_mcp.cli.doctor.checks.elsewhere import answers_elsewhere
from llama_mcp.cli.doctor.checks.installation import own_command
from llama_mcp.cli.doctor.findings import Circumstances, Finding, fault, fine, warning
from llama_mcp.cli.proof.launch import PASSES_ALL, Launch
from llama_mcp.cli.proof.proving import Proof, prove
from llama_mcp.early.messages import MODERN_VERSION
from llama_mcp.errors import LlamaMCPError
from llama_mcp.llama_server.rehearsing import rehearse_start

# What most clients wait.
_FIRST_ANSWER_SECONDS = 30.0
_SEE_ABOVE = warning("No model was started: see the faults above.", "Mend those first.")


async def make_a_trial(circumstances: Circumstances) -> Sequence[Finding]:
    """Start llama-mcp as a client would that has this environment, and use it once."""
    launch = Launch(
        argv=own_command(circumstances.environment),
        env={},
        passes=PASSES_ALL,
        era="2026-07-28",
        protocol_version=MODERN_VERSION,
        first_answer_seconds=_FIRST_ANSWER_SECONDS,
    )
    why_not = await _why_no_model(circumstances)
    lines = findings_of(await prove(launch, is_quick=why_not is not None))
    return [*lines, why_not] if why_not else lines


def findings_of(proof: Proof) -> list[Finding]:
    """Return what a proof has shown."""
    lines = [fine(line) for line in proof.lines]
    if proof.problem is None:
        return lines
    return [*lines, fault(proof.problem, proof.next_step or "See docs/troubleshooting.md.")]


async def _why_no_model(circumstances: Circumstances) -> Finding | None:
    """Return why no model is started; one that does not fit would take memory from what runs."""
    if await answers_elsewhere(circumstances) is not None:
        return None
    try:
        start = await rehearse_start(circumstances.apart, circumstances.environment)
    except LlamaMCPError:
        return _SEE_ABOVE
    if start.problem:
        return _SEE_ABOVE
    if start.unfit is None:
        return None
    return warning(
        f"No model was started: {start.unfit}", "Stop what runs, then run `llama-mcp doctor` again."
    )
