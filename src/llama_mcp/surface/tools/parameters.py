"""Parameter types that more than one tool takes."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WrapValidator

# A plain string, empty when it is left out: for `str | None` the SDK would take a text that happens
# to be JSON (a system prompt, say) for data. Some models pass null for what they leave out.
OptionalText = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
# The same where an empty text means something: left out it is None.
KeptText = Annotated[
    str, WrapValidator(lambda value, check: None if value is None else check(value))
]
LEFT_OUT: Any = None
SessionId = Annotated[str, Field(description="The session_id that chat returned.")]
