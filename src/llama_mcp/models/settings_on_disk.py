"""What of the operator's settings is not on disk, or wrong there: folders, the file of models."""

from llama_mcp.models.named_models import notes_on_file
from llama_mcp.reading_settings import all_missing_folders
from llama_mcp.settings import LlamaServerSettings


def notes_on_disk(settings: LlamaServerSettings) -> tuple[str, ...]:
    """Return what the operator should know; folders on a network may take long."""
    return (*all_missing_folders(settings), *notes_on_file(settings.models))
