"""Axes with round numbers, linear or logarithmic, for drawings in SVG."""

import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Axis:
    """From values to places in a drawing.

    Args:
        ticks: values that get a label, ascending; the first and the last bound the axis.
        start: place of the first tick, in units of the drawing.
        end: place of the last tick.
        logarithmic: whether equal distances are equal ratios.
    """

    ticks: tuple
    start: float
    end: float
    logarithmic: bool = False

    @classmethod
    def linear(cls, values, start, end, count=4):
        """Makes an axis over all values, about `count` steps of 1, 2 or 5 times a power of ten.

        Example:
            >>> from medgan.report.axis import Axis
            >>> axis = Axis.linear([1.0, 4.0, 5.0], start=0, end=100)
            >>> axis.ticks, axis.place(3.0)
            ((1, 2, 3, 4, 5), 50.0)
        """
        low, high = min(values), max(values)
        if low == high:
            margin = abs(low) / 2 or 0.5
            low, high = low - margin, high + margin
        raw = (high - low) / count
        power = math.floor(math.log10(raw))
        factor = next(f for f in (1, 2, 5, 10) if f * 10.0**power >= raw * (1 - 1e-9))
        # Whole multiples keep the ticks free of rounding: 3 / 10 is 0.3, 3 * 0.1 is not.
        scale = (
            (lambda n: n * factor * 10**power)
            if power >= 0
            else (lambda n: n * factor / 10**-power)
        )
        step = scale(1)
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        return cls(tuple(scale(n) for n in range(first, last + 1)), start, end)

    @classmethod
    def logarithm(cls, values, start, end):
        """Makes an axis over all positive values, with up to six ticks.

        Ticks are 1, 2 and 5 times powers of ten, or powers alone where those would be many.

        Example:
            >>> from medgan.report.axis import Axis
            >>> axis = Axis.logarithm([0.1, 8.0], start=0, end=100)
            >>> axis.ticks, axis.place(1.0)
            ((0.1, 1.0, 10.0), 50.0)
        """
        lowest, highest = min(values), max(values)
        bottom, top = math.floor(math.log10(lowest)), math.ceil(math.log10(highest))
        for factors, stride in (((1, 2, 5), 1), *(((1,), stride) for stride in range(1, 700))):
            powers = range((bottom // stride - 1) * stride, top + 2 * stride, stride)
            steps = [float(f"{factor}e{power}") for power in powers for factor in factors]
            first = max(step for step in steps if step <= lowest)
            last = min(step for step in steps if step >= highest and step > first)
            ticks = tuple(step for step in steps if first <= step <= last)
            if len(ticks) <= 6:
                break
        return cls(ticks, start, end, logarithmic=True)

    def place(self, value):
        """Where a value lies."""
        shape = math.log10 if self.logarithmic else float
        low, high = shape(self.ticks[0]), shape(self.ticks[-1])
        return self.start + (shape(value) - low) / (high - low) * (self.end - self.start)

    def label(self, tick):
        """Text of a tick, with the digits that tell the ticks apart."""
        if self.logarithmic:
            return f"{tick:g}"
        step = self.ticks[1] - self.ticks[0]
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        return f"{tick:.{decimals}f}".replace("-", "\N{MINUS SIGN}")
