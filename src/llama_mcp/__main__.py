"""Run llama-mcp with `python -m llama_mcp`."""

from llama_mcp.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
