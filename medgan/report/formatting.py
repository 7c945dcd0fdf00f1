"""How numbers, places and lists of words are written on the page."""

import html
import math

MINUS = "\N{MINUS SIGN}"
UNDEFINED = '<span role="img" aria-label="not defined" title="not defined">\N{EN DASH}</span>'
DIRECTIONS = {"higher": "↑", "lower": "↓"}


def escape(value):
    """Text that is safe in HTML, inside an element or a quoted attribute."""
    return html.escape(str(value), quote=True)


def is_number(value):
    """Whether there is a finite number to show."""
    return value is not None and math.isfinite(value)


def number(value, decimals, signed=False):
    """Writes a number with a real minus sign, and never a negative zero.

    Args:
        value: a finite number.
        decimals: digits after the point.
        signed: whether positive numbers get a plus sign.

    Returns:
        Plain text.

    Example:
        >>> from medgan.report.formatting import number
        >>> number(-0.0001, 3), number(0.25, 2, signed=True)
        ('0.000', '+0.25')
    """
    text = f"{abs(value):.{decimals}f}"
    if float(text) == 0:
        return text
    return (MINUS if value < 0 else "+" if signed else "") + text


def interval(bounds, decimals, signed=False):
    """Writes an interval as `low to high`.

    Example:
        >>> from medgan.report.formatting import interval
        >>> interval([0.1, 0.25], 2)
        '0.10 to 0.25'
    """
    return " to ".join(number(bound, decimals, signed) for bound in bounds)


def probability(value):
    """Writes a p-value; below a thousandth the digits say nothing.

    Example:
        >>> from medgan.report.formatting import probability
        >>> probability(0.0312), probability(1e-9)
        ('p = 0.031', 'p < 0.001')
    """
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def quantity(value):
    """Writes a large count with a prefix, three digits.

    Example:
        >>> from medgan.report.formatting import quantity
        >>> quantity(0), quantity(53719), quantity(3.52e9)
        ('0', '53.7 k', '3.52 G')
    """
    power = 0
    while abs(value) >= 999.5 and power < 4:
        value, power = value / 1000, power + 1
    if power == 0:
        return f"{value:.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(abs(value))))}f} {' kMGT'[power]}"


def milliseconds(value):
    """Writes a duration with about two telling digits.

    Example:
        >>> from medgan.report.formatting import milliseconds
        >>> milliseconds(0.021), milliseconds(2.13), milliseconds(147.4)
        ('0.02', '2.1', '147')
    """
    return f"{value:.{2 if value < 1 else 1 if value < 10 else 0}f}"


def counted(count, singular, plural=None):
    """Writes a count with its noun.

    Example:
        >>> from medgan.report.formatting import counted
        >>> counted(1, "image"), counted(130, "image")
        ('1 image', '130 images')
    """
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def listed(words):
    """Joins words as a sentence does.

    Example:
        >>> from medgan.report.formatting import listed
        >>> listed(["a", "b", "c"])
        'a, b and c'
    """
    words = list(words)
    return " and ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)


def places(values, better, decimals):
    """Finds best and second among the values as they are printed, so that equal digits tie.

    Args:
        values: name to value; None and NaN take no place.
        better: `"higher"`, `"lower"`, or None: then nobody has a place.
        decimals: digits that are printed.

    Returns:
        Name to 1 (best) or 2 (second), for those that have a place; empty where all are equal.

    Example:
        >>> from medgan.report.formatting import places
        >>> places({"a": 0.7661, "b": 0.7658, "c": 0.5, "d": None, "e": 0.1}, "higher", 3)
        {'a': 1, 'b': 1, 'c': 2}
    """
    printed = {name: round(v, decimals) for name, v in values.items() if is_number(v)}
    ranked = sorted(set(printed.values()), reverse=better == "higher")
    if better is None or len(ranked) < 2:
        return {}
    return {name: ranked.index(value) + 1 for name, value in printed.items() if value in ranked[:2]}
