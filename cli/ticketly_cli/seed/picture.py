"""Cover pictures: a small PNG with two colours running into each other. Pure; no image library needed."""

from __future__ import annotations

import struct
import zlib

WIDTH, HEIGHT = 320, 180
_STRIPES = 12


def cover(colors: tuple[str, str]) -> bytes:
    """A PNG of 320 x 180 pixels from two `#RRGGBB` colours."""
    upper, lower = (_rgb(color) for color in colors)
    rows = bytearray()
    for y in range(HEIGHT):
        share = y / (HEIGHT - 1)
        mixed = bytes(round(a + (b - a) * share) for a, b in zip(upper, lower, strict=True))
        dimmed = bytes(value * 7 // 8 for value in mixed)
        stripe = WIDTH // _STRIPES
        rows.append(0)  # filter type "none"
        for number in range(_STRIPES + 1):
            pixels = min(stripe, WIDTH - number * stripe)
            rows += (mixed if (number + y // stripe) % 2 else dimmed) * max(pixels, 0)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(bytes(rows), 9))
        + _chunk(b"IEND", b"")
    )


def _rgb(color: str) -> tuple[int, int, int]:
    value = int(color.lstrip("#"), 16)
    return value >> 16 & 255, value >> 8 & 255, value & 255


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
