"""LM Studio: Cursor's form; some versions keep the file in a cache folder."""

from llama_mcp.cli.install.known.client import Client
from llama_mcp.cli.install.known.links import with_base64

LM_STUDIO = Client(
    name="lm-studio",
    title="LM Studio",
    user_files=lambda places: [
        places.home / ".lmstudio" / "mcp.json",
        places.home / ".cache" / "lm-studio" / "mcp.json",
    ],
    folders=lambda places: [places.home / ".lmstudio", places.home / ".cache" / "lm-studio"],
    programs=("lms",),
    to_do="Turn llama-mcp on in a chat, in the list of integrations.",
    link=lambda entry: with_base64("lmstudio://add_mcp", entry),
)
