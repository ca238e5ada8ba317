"""Arithmetic of GF(2^8) on whole byte strings: what a linear code over packets is made of.

The field of RFC 8681, section 3.4 (polynomial x^8 + x^4 + x^3 + x^2 + 1). A product of a string
and a coefficient is one table look-up a byte, which `bytes.translate` does in C.
"""

_POLYNOMIAL = 0x11D
_ORDER = 255  # of the multiplicative group


def _powers() -> list[int]:
    values = [1]
    while len(values) < _ORDER:
        value = values[-1] << 1
        values.append(value ^ _POLYNOMIAL if value > _ORDER else value)
    return values


_POWERS = _powers()
_LOGARITHMS = {value: exponent for exponent, value in enumerate(_POWERS)}


def product(a: int, b: int) -> int:
    """Of two elements."""
    if not a or not b:
        return 0
    return _POWERS[(_LOGARITHMS[a] + _LOGARITHMS[b]) % _ORDER]


def inverse(a: int) -> int:
    """Of an element that is not 0."""
    return _POWERS[-_LOGARITHMS[a] % _ORDER]


_TABLES = [bytes(product(a, b) for b in range(256)) for a in range(256)]


def scaled(data: bytes, coefficient: int) -> bytes:
    """Every byte times the coefficient."""
    return data if coefficient == 1 else data.translate(_TABLES[coefficient])


def added(a: bytes, b: bytes) -> bytes:
    """Sum (and difference) of two strings, the shorter one filled up with zeros."""
    total = int.from_bytes(a, "little") ^ int.from_bytes(b, "little")
    return total.to_bytes(max(len(a), len(b)), "little")
