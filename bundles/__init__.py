"""Makes what people and directories install llama-mcp from; `sh scripts/bundles` runs it.

The metadata of the project and its settings come in; files in dist/ go out: a wheel and an sdist, a
bundle for Claude Desktop, plugins for Claude Code, Gemini CLI and Codex, the entry of the MCP
registry, and completions for shells. Each plugin carries the wheel, so that nothing has to be
published before it works. It knows the command line and the settings, and no other room.
"""
