"""How findings look at a terminal: how it stands, the topic, what was seen, what to do."""

import json
import textwrap
from collections.abc import Sequence

from llama_mcp.cli.doctor.findings import Finding, Level
from llama_mcp.cli.terminal import Colour, Terminal
from llama_mcp.visible_text import visible
from llama_mcp.wording import counted

_COLOURS = {Level.OK: Colour.GREEN, Level.WARNING: Colour.YELLOW, Level.FAULT: Colour.RED}
_LEVEL_WIDTH, _TOPIC_WIDTH = 8, 9
_INDENT = " " * (_LEVEL_WIDTH + _TOPIC_WIDTH + 1)


def write_findings(terminal: Terminal, topic: str, findings: Sequence[Finding]) -> None:
    """Write the lines of one check, at once."""
    for finding in findings:
        level = terminal.coloured(f"{finding.level:<{_LEVEL_WIDTH}}", _COLOURS[finding.level])
        text = textwrap.indent(_shown(finding), _INDENT).lstrip()
        terminal.write(f"{level}{topic:<{_TOPIC_WIDTH}} {text}\n")


def _shown(finding: Finding) -> str:
    """Return what was seen, made harmless, and below it what to do."""
    text = visible(finding.text)
    return f"{text}\nnext: {visible(finding.next_step)}" if finding.next_step else text


def summary_of(findings: Sequence[Finding]) -> str:
    """Return how many faults and warnings there are."""
    faults = sum(finding.level is Level.FAULT for finding in findings)
    warnings = sum(finding.level is Level.WARNING for finding in findings)
    found = counted(faults, "fault") if faults else "no fault"
    return f"{found}, {counted(warnings, 'warning')}"


def as_json(found: Sequence[tuple[str, Finding]]) -> str:
    """Return all findings, each with its topic, as one JSON document."""
    is_healthy = not any(finding.level is Level.FAULT for _, finding in found)
    rows = [{"topic": topic, **_row(finding)} for topic, finding in found]
    return json.dumps({"is_healthy": is_healthy, "findings": rows}, indent=2)


def _row(finding: Finding) -> dict[str, str]:
    row = {"level": finding.level.value, "text": finding.text}
    return {**row, "next_step": finding.next_step} if finding.next_step else row
