"""What a score is: its function, its name, and the convention it stands for."""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True)
class Score:
    """A score of images, ready for tables.

    Args:
        title: heading of its column, such as `"SSIM head"`.
        function: from (reference, result) to one value per image, `(batch,)`. Fusion: sources
            `(batch, height, width, 2)` and fused images `(batch, height, width, 1)`; translation:
            targets and outputs `(batch, height, width, 1)`; all in 0..255. Two tables differ: those
            of `PHANTOM_SCORES` take the labels `(batch, height, width)` as a third argument; those
            of `SYNTHESIS_SCORES` take features `(images, features)` of both sets and return one
            scalar.
        convention: one sentence that says which of the literature's variants this is.
        source: author and year.
        better: `"higher"`, `"lower"`, or None where neither is better.
        decimals: digits after the point in a table.
        smallest_side: images with a shorter side cannot be scored.
        main: whether it has a column on the terminal; every score is in files and reports.
    """

    title: str
    function: Callable
    convention: str
    source: str
    better: str | None = "higher"
    decimals: int = 3
    smallest_side: int = 2
    main: bool = False
