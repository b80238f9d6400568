"""Every client program that is tried; docs/clients.md has the same, in the same order."""

from clients.programs.claude_code import CLAUDE_CODE
from clients.programs.cline_cli import CLINE_CLI
from clients.programs.codex import CODEX
from clients.programs.continue_cli import CONTINUE_CLI
from clients.programs.copilot_cli import COPILOT_CLI
from clients.programs.frameworks import FRAMEWORKS, MORE_FRAMEWORKS
from clients.programs.gemini_cli import GEMINI_CLI
from clients.programs.opencode import OPENCODE
from clients.programs.qwen_code import QWEN_CODE

PROGRAMS = (
    CLAUDE_CODE,
    CODEX,
    GEMINI_CLI,
    OPENCODE,
    *FRAMEWORKS,
    QWEN_CODE,
    COPILOT_CLI,
    CLINE_CLI,
    CONTINUE_CLI,
    *MORE_FRAMEWORKS,
)
