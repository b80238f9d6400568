"""How the weights of a file are quantized, by its name and by what its header says."""

import re

# enum llama_ftype of llama.h. With 1024 added, llama.cpp has guessed it.
_FILE_TYPES = (
    "F32 F16 Q4_0 Q4_1 - - - Q8_0 Q5_0 Q5_1 Q2_K Q3_K_S Q3_K_M Q3_K_L Q4_K_S Q4_K_M Q5_K_S Q5_K_M "
    "Q6_K IQ2_XXS IQ2_XS Q2_K_S IQ3_XS IQ3_XXS IQ1_S IQ4_NL IQ3_S IQ3_M IQ2_S IQ2_M IQ4_XS IQ1_M "
    "BF16 - - - TQ1_0 TQ2_0 MXFP4_MOE NVFP4 Q1_0 Q2_0"
)
_NOT_GIVEN = "-"
_GUESSED = 1024
_IN_NAME = re.compile(
    r"(?<![A-Z0-9])((?:UD-)?(?:I?Q\d_(?:K_(?:XXL|XL|[SML])|K|XXS|XS|NL|[SML]|[01])(?:_XL|_L)?"
    r"|TQ[12]_0|MXFP4(?:_MOE)?|NVFP4|BF16|F16|FP16|F32|FP32))(?![A-Z0-9])",
    re.IGNORECASE | re.ASCII,
)


def quant_of(file_name: str, file_type: int | None) -> str | None:
    """Return the quant that a file's name has, else that of its type; None where neither says."""
    if found := _IN_NAME.findall(file_name):
        quant = str(found[-1]).upper()
        return quant[0] + quant[2:] if quant in ("FP16", "FP32") else quant
    return None if file_type is None else _named(file_type % _GUESSED)


def _named(file_type: int) -> str | None:
    names = _FILE_TYPES.split()
    name = names[file_type] if file_type < len(names) else _NOT_GIVEN
    return None if name == _NOT_GIVEN else name
