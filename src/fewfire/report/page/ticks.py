"""Where an axis has its ticks, and what they say."""

import math

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
FEW_DECADES = 2.5


def linear_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten in low .. high, at most so many; low < high."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [count * step for count in range(first, last + 1)]


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Powers of ten in low .. high, or 1, 2 and 5 times them where there are few; 0 < low < high."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    if math.log10(high / low) < FEW_DECADES:
        ticks = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
    else:
        apart = math.ceil((len(powers) - 2) / most)
        ticks = [10.0**power for power in powers if power % apart == 0]
    return [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]


def tick_label(value: float) -> str:
    """A number as short as it goes: 0.05, 1,000, 2×10⁻⁶."""
    if value and not 1e-3 <= abs(value) < 1e5:
        digits, power = f"{value:.3e}".split("e")
        digits = digits.rstrip("0").rstrip(".")
        ten = "10" + str(int(power)).translate(SUPERSCRIPTS)
        return ten if digits == "1" else f"{digits}×{ten}"
    return f"{value:,.6g}"
