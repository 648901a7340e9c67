"""Read an uploaded picture and make it anew: what is kept is pixels alone. Pure.

1. Only JPEG, PNG and WebP are looked at, whatever the upload calls itself, and of an animation the first frame.
2. The size is taken from the header, before anything of the picture is decoded.
3. All of it is decoded: what is cut short or broken is refused.
4. It is turned as its EXIF says, made smaller where it is large, laid on white, and written as a JPEG that has neither
   EXIF (where it was taken, by which phone), nor a colour profile, nor anything that stood around the pixels.

A file that is a ZIP or a PDF as well is refused, although none of that would be kept.
"""

import hashlib
import io
import zipfile
from dataclasses import dataclass
from threading import BoundedSemaphore

from PIL import Image, ImageOps

from app.activities.evidence_errors import ImageTooLarge, NotAnImage

PIXELS_MAX = 40_000_000
SIDE_MAX = 2048
MEDIA_TYPE = "image/jpeg"
# 3 of 64: pictures that were scaled or compressed anew stay within it, and with four bands none of these is overlooked
DISTANCE_MAX = 3
BANDS = 4
_FORMATS = ("JPEG", "PNG", "WEBP")
_QUALITY = 85
# a progressive JPEG comes in some ten scans; each costs a pass over all of the picture, however little is in it
_SCANS_MAX = 200
_PNG_END = b"IEND\xae\x42\x60\x82"
_PDF_WITHIN = 1024
_HASH_SIDE = 8
_places = BoundedSemaphore(2)  # a decoded picture takes up to 160 MB: uploads at once must not take all memory


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is kept, the SHA-256 of what was uploaded, and the hash of what it shows."""

    data: bytes
    width: int
    height: int
    sha256: bytes
    dhash: int


def read_picture(raw: bytes) -> Picture:
    """Return the picture in ``raw``, made anew; raise NotAnImage or ImageTooLarge."""
    if _is_something_else(raw):
        raise NotAnImage
    with _places:
        try:
            image = _pixels(raw)
            data = io.BytesIO()
            image.save(data, "JPEG", quality=_QUALITY)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise ImageTooLarge from error
        except ImageTooLarge:
            raise
        except Exception as error:  # whatever a decoder makes of bytes that a stranger chose
            raise NotAnImage from error
    return Picture(data.getvalue(), image.width, image.height, hashlib.sha256(raw).digest(), difference_hash(image))


def _is_something_else(raw: bytes) -> bool:
    """Return whether the file is a ZIP or a PDF, whatever else it is, or a JPEG that is made to take long."""
    if b"%PDF-" in raw[:_PDF_WITHIN] or raw.count(b"\xff\xda") > _SCANS_MAX:
        return True
    try:
        zipfile.ZipFile(io.BytesIO(raw)).close()
    except Exception:  # the directory may be broken in any way: then nothing opens it as a ZIP
        return False
    return True


def _pixels(raw: bytes) -> Image.Image:
    """Return the decoded picture upright, in RGB, at most ``SIDE_MAX`` wide and high, with nothing attached to it."""
    image = Image.open(io.BytesIO(raw), formats=_FORMATS)
    if image.width * image.height > PIXELS_MAX:
        raise ImageTooLarge
    if image.format == "PNG" and _PNG_END not in raw:  # decoding stops once it has all rows
        raise NotAnImage
    image.draft("RGB", (SIDE_MAX, SIDE_MAX))  # a JPEG can be decoded at a half, a quarter or an eighth
    image.load()
    turned = ImageOps.exif_transpose(image)
    turned.thumbnail((SIDE_MAX, SIDE_MAX))
    if turned.mode.startswith("I"):  # 16 bits a pixel, of which a conversion would keep the lower ones
        turned = turned.point(lambda value: value / 256).convert("L")
    flat = Image.new("RGB", turned.size, "white")
    if turned.has_transparency_data:
        turned = turned.convert("RGBA")
        flat.paste(turned, mask=turned.getchannel("A"))
    else:
        flat.paste(turned.convert("RGB"))
    return flat


def difference_hash(image: Image.Image) -> int:
    """Return the 64-bit difference hash of ``image``, as a signed number.

    The picture is shrunk to 9 × 8 greys; each bit says whether a grey is lighter than its left neighbour. After Neal
    Krawetz, "Kind of Like That" (https://www.hackerfactor.com/blog/index.php?/archives/529-Kind-of-Like-That.html). It
    stands scaling, compression and small changes of colour, not turning, mirroring or cropping.
    """
    greys = image.convert("L").resize((_HASH_SIDE + 1, _HASH_SIDE), Image.Resampling.LANCZOS).tobytes()
    bits = 0
    for row in range(_HASH_SIDE):
        start = row * (_HASH_SIDE + 1)
        for left in range(start, start + _HASH_SIDE):
            bits = bits << 1 | (greys[left + 1] > greys[left])
    return int.from_bytes(bits.to_bytes(8, "big"), "big", signed=True)


def bands_of(dhash: int, live: bool) -> list[int]:
    """Return the keys by which pictures like this one are found: each quarter of the hash, numbered by its place.

    Two hashes that differ in at most ``DISTANCE_MAX`` of their bits have one of their four quarters in common.
    """
    bits = dhash & (1 << 64) - 1
    quarter = 64 // BANDS
    return [((BANDS * live + band) << quarter) | (bits >> band * quarter) & (1 << quarter) - 1 for band in range(BANDS)]
