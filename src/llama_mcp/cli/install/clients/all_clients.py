"""The list of clients, and which of them are on this machine; docs/clients.md has the same list."""

import shutil
from collections.abc import Sequence

from llama_mcp.cli.install.clients.claude_code import CLAUDE_CODE
from llama_mcp.cli.install.clients.claude_desktop import CLAUDE_DESKTOP
from llama_mcp.cli.install.clients.cline import CLINE
from llama_mcp.cli.install.clients.codex import CODEX
from llama_mcp.cli.install.clients.continue_dev import CONTINUE
from llama_mcp.cli.install.clients.copilot_cli import COPILOT_CLI
from llama_mcp.cli.install.clients.cursor import CURSOR
from llama_mcp.cli.install.clients.gemini_cli import GEMINI_CLI
from llama_mcp.cli.install.clients.goose import GOOSE
from llama_mcp.cli.install.clients.kiro import KIRO
from llama_mcp.cli.install.clients.lm_studio import LM_STUDIO
from llama_mcp.cli.install.clients.opencode import OPENCODE
from llama_mcp.cli.install.clients.qwen_code import QWEN_CODE
from llama_mcp.cli.install.clients.vscode import VSCODE
from llama_mcp.cli.install.clients.windsurf import WINDSURF
from llama_mcp.cli.install.clients.zed import ZED
from llama_mcp.cli.install.known.client import Client
from llama_mcp.cli.install.known.places import Places

CLIENTS = (
    CLAUDE_DESKTOP,
    CLAUDE_CODE,
    VSCODE,
    CURSOR,
    WINDSURF,
    CLINE,
    CODEX,
    GEMINI_CLI,
    QWEN_CODE,
    OPENCODE,
    COPILOT_CLI,
    ZED,
    CONTINUE,
    GOOSE,
    LM_STUDIO,
    KIRO,
)
BY_NAME = {client.name: client for client in CLIENTS}


def installed_clients(places: Places) -> Sequence[Client]:
    """Return the clients of which a folder of their own or a program on PATH is here."""
    return [client for client in CLIENTS if is_installed(client, places)]


def is_installed(client: Client, places: Places) -> bool:
    """Tell whether a client shows that it is on this machine."""
    search_path = places.environment.get("PATH", "")
    return any(folder.is_dir() for folder in client.folders(places)) or any(
        shutil.which(program, path=search_path) for program in client.programs
    )
