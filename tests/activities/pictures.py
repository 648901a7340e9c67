"""Pictures for the tests of evidence: what phones send, and what nobody should."""

import io
import random
import struct
import zipfile
import zlib
from typing import Any

from PIL import Image

GPS_IFD, ORIENTATION, MAKE = 0x8825, 0x0112, 0x010F


def photo(seed: int = 1, size: tuple[int, int] = (480, 360)) -> Image.Image:
    """Return a picture of coloured patches that no other seed's is like."""
    patches = random.Random(seed)  # noqa: S311 - a picture, not a secret
    small = Image.new("RGB", (12, 9))
    small.putdata([tuple(patches.randrange(256) for _ in range(3)) for _ in range(12 * 9)])
    return small.resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, form: str = "JPEG", **options: Any) -> bytes:
    """Return ``image`` as a file of that form."""
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def jpeg(seed: int = 1, **options: Any) -> bytes:
    """Return the photo of ``seed`` as a JPEG."""
    return encoded(photo(seed), "JPEG", **({"quality": 90} | options))


def opened(data: bytes) -> Image.Image:
    """Return the decoded picture in ``data``."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def zip_file() -> bytes:
    """Return a ZIP with one file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("hello.txt", "hello")
    return file.getvalue()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def huge_png(width: int, height: int) -> bytes:
    """Return a well-formed PNG of one grey, a few hundred kilobytes whatever its size."""
    packer = zlib.compressobj(9)
    row = b"\x00" * (1 + (width + 7) // 8)
    rows = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def exif_with_place(orientation: int = 1) -> Image.Exif:
    """Return EXIF that says by which phone and where a picture was taken."""
    exif = Image.Exif()
    exif[MAKE] = "Secretphone"
    exif[ORIENTATION] = orientation
    exif[GPS_IFD] = {1: "N", 2: (52.0, 31.0, 12.0), 3: "E", 4: (13.0, 24.0, 18.0)}
    return exif
