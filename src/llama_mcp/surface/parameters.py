"""Parameter types that more than one tool takes."""

from typing import Annotated

from pydantic import BeforeValidator, Field

# A plain string, empty when it is left out: for `str | None` the SDK would take a text that happens
# to be JSON (a system prompt, say) for data. Some models pass null for what they leave out.
OptionalText = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
SessionId = Annotated[str, Field(description="The session_id that chat returned.")]
