"""Quantizations as the names of files spell them: Q4_K_M, IQ2_XXS, UD-Q4_K_XL, F16, FP16, bf16."""

import re

QUANT = re.compile(
    r"(?<![A-Z0-9])(?:UD[-_])?(?:I?Q\d+(?:_[A-Z0-9]+)*|TQ\d_\d|B?FP?\d{2}|MXFP4(?:_MOE)?|NVFP4)"
    r"(?![A-Z0-9])",
    re.IGNORECASE,
)
_DIGITS = re.compile(r"\d+")


def bits_of(quant: str) -> int:
    """Return how many bits a weight has, about; 0 of what says none."""
    digits = _DIGITS.search(quant)
    return int(digits[0]) if digits else 0
