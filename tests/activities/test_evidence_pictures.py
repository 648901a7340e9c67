"""What is kept of an uploaded picture: the pixels alone, upright and not too large; and what is no picture at all."""

import io
import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter

from app.activities.evidence_errors import ImageTooLarge, NotAnImage
from app.activities.evidence_pictures import DISTANCE_MAX, SIDE_MAX, bands_of, difference_hash, read_picture
from tests.activities.pictures import encoded, exif_with_place, huge_png, jpeg, opened, photo, zip_file

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>'


def distance(one: int, other: int) -> int:
    return ((one ^ other) & (1 << 64) - 1).bit_count()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_each_form_is_read_whole_and_written_as_a_jpeg(form):
    kept = read_picture(encoded(photo(), form))
    image = opened(kept.data)
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (480, 360))
    assert (kept.width, kept.height) == image.size
    assert distance(kept.dhash, difference_hash(photo())) <= DISTANCE_MAX


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_nothing_of_where_and_by_what_it_was_taken_is_kept(form):
    profile = b"a colour profile " * 20
    raw = encoded(photo(), form, exif=exif_with_place().tobytes(), icc_profile=profile)
    assert b"Secretphone" in raw
    kept = read_picture(raw).data
    image = opened(kept)
    assert dict(image.getexif()) == {}
    assert image.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    for secret in (b"Secretphone", b"Exif", b"ICC_PROFILE", profile[:17]):
        assert secret not in kept


def test_comments_and_what_stands_behind_the_picture_are_not_kept():
    kept = read_picture(encoded(photo(), "JPEG", comment=b"<script>") + b"a film that the phone took with it")
    assert b"<script>" not in kept.data
    assert b"film" not in kept.data


def test_it_is_turned_as_its_exif_says():
    lying = encoded(photo(), "JPEG", exif=exif_with_place(orientation=6).tobytes())
    kept = opened(read_picture(lying).data)
    assert kept.size == (360, 480)
    upright = photo().rotate(-90, expand=True)
    assert distance(difference_hash(kept), difference_hash(upright)) <= DISTANCE_MAX


@pytest.mark.parametrize(
    ("size", "kept"), [((4096, 1024), (2048, 512)), ((1000, 5000), (410, 2048)), ((2048, 100), (2048, 100))]
)
def test_a_large_picture_gets_smaller_and_a_small_one_stays(size, kept):
    assert read_picture(encoded(photo(size=size), "JPEG")).width == kept[0]
    assert opened(read_picture(encoded(photo(size=size), "PNG", compress_level=1)).data).size == kept
    assert max(kept) <= SIDE_MAX


def test_of_an_animation_the_first_picture_is_kept():
    for form in ("WEBP", "PNG"):
        moving = encoded(photo(1), form, save_all=True, append_images=[photo(2), photo(3)])
        assert distance(read_picture(moving).dhash, difference_hash(photo(1))) <= DISTANCE_MAX


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "LA", "CMYK", "1", "I;16"])
def test_every_kind_of_pixel_is_read(mode):
    image = photo().convert("L").point(lambda value: value * 256, "I").convert("I;16") if mode == "I;16" else (
        photo().convert(mode)
    )  # fmt: skip
    kept = read_picture(encoded(image, "JPEG" if mode == "CMYK" else "PNG"))
    greys = opened(kept.data).convert("L").getextrema()
    assert greys[1] - greys[0] > 100, "it shows something"


def test_what_is_transparent_is_white():
    image = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    ImageDraw.Draw(image).rectangle((0, 0, 31, 63), fill=(0, 0, 0, 255))
    kept = opened(read_picture(encoded(image, "PNG")).data).convert("L")
    assert kept.getpixel((60, 32)) > 250
    assert kept.getpixel((4, 32)) < 5


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"x", b"\xff\xd8\xff", zip_file(), SVG, b"%PDF-1.7\n", encoded(photo(), "GIF"), encoded(photo(), "BMP"),
        encoded(photo(), "TIFF"), jpeg() + zip_file(), encoded(photo(), "PNG") + zip_file(),
        encoded(photo(), "JPEG", comment=b"%PDF-1.4"), jpeg()[:20] + zip_file(),
    ],
    ids=[
        "nothing", "a byte", "a beginning", "ZIP", "SVG", "PDF", "GIF", "BMP", "TIFF", "JPEG and ZIP", "PNG and ZIP",
        "JPEG and PDF", "a JPEG's beginning and a ZIP",
    ],
)  # fmt: skip
def test_what_is_no_picture_or_something_else_besides_is_refused(raw):
    with pytest.raises(NotAnImage):
        read_picture(raw)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("missing", [1, 2, 13, 200, 0.5, 0.99])
def test_a_picture_that_is_cut_short_is_refused(form, missing):
    raw = encoded(photo(), form)
    cut = raw[:-missing] if isinstance(missing, int) else raw[: round(len(raw) * (1 - missing))]
    with pytest.raises(NotAnImage):
        read_picture(cut)


def test_a_progressive_jpeg_that_was_cut_short_is_refused():
    raw = jpeg(progressive=True)
    read_picture(raw)
    with pytest.raises(NotAnImage):
        read_picture(raw[: len(raw) // 2])


def test_a_picture_with_a_wrong_byte_is_refused_or_read_and_nothing_else():
    for form, place in itertools.product(("JPEG", "PNG", "WEBP"), range(0, 400, 23)):
        raw = bytearray(encoded(photo(), form))
        raw[place] ^= 0x5A
        try:
            assert opened(read_picture(bytes(raw)).data).format == "JPEG"
        except (NotAnImage, ImageTooLarge):
            continue


@pytest.mark.parametrize("size", [(20_000, 10_000), (10_000, 4_001), (60_000, 60_000)])
def test_too_many_pixels_are_refused_by_the_header_alone(size):
    bomb = huge_png(*size)
    assert len(bomb) < 600_000
    start = time.process_time()
    with pytest.raises(ImageTooLarge):
        read_picture(bomb)
    assert time.process_time() - start < 0.5


def test_forty_megapixels_are_just_few_enough():
    assert read_picture(huge_png(10_000, 4_000)).width == SIDE_MAX


def test_a_webp_that_says_it_is_huge_is_refused():
    raw = bytearray(encoded(photo(), "WEBP", exif=exif_with_place().tobytes()))
    assert raw[12:16] == b"VP8X"
    raw[24:30] = (16_000).to_bytes(3, "little") * 2
    with pytest.raises((ImageTooLarge, NotAnImage)):
        read_picture(bytes(raw))


def test_a_jpeg_of_very_many_scans_is_refused():
    raw = jpeg(progressive=True)
    last = raw.rindex(b"\xff\xda")
    with pytest.raises(NotAnImage):
        read_picture(raw[:last] + raw[last:-2] * 300 + raw[-2:])


@pytest.mark.parametrize(
    "change",
    [
        lambda image: encoded(image, "JPEG", quality=40),
        lambda image: encoded(image.resize((240, 180)), "PNG"),
        lambda image: encoded(image.resize((960, 720)), "WEBP", quality=60),
        lambda image: encoded(image.filter(ImageFilter.GaussianBlur(1)), "JPEG"),
        lambda image: encoded(image.convert("L"), "JPEG"),
    ],
    ids=["compressed", "smaller", "larger", "blurred", "grey"],
)
def test_a_picture_made_anew_is_found_to_be_the_same(change):
    for seed in range(20):
        assert distance(read_picture(change(photo(seed))).dhash, read_picture(jpeg(seed)).dhash) <= DISTANCE_MAX


def test_other_pictures_are_far_off():
    hashes = [difference_hash(photo(seed)) for seed in range(60)]
    nearest = min(distance(one, other) for one, other in itertools.combinations(hashes, 2))
    assert nearest > 2 * DISTANCE_MAX


def test_the_hash_is_of_neighbours_that_get_lighter():
    """Against the definition: of a picture of 9 × 8 pixels nothing is lost by shrinking it."""
    image = Image.new("L", (9, 8))
    image.putdata([(7 * column * column + 31 * row) % 251 for row in range(8) for column in range(9)])
    expected = 0
    for row in range(8):
        for column in range(8):
            left, right = image.getpixel((column, row)), image.getpixel((column + 1, row))
            expected = expected * 2 + (right > left)
    assert difference_hash(image) & (1 << 64) - 1 == expected
    assert difference_hash(Image.new("L", (100, 100), 200)) == 0


@given(
    st.integers(min_value=-(2**63), max_value=2**63 - 1),
    st.lists(st.integers(min_value=0, max_value=63), max_size=DISTANCE_MAX),
    st.booleans(),
)
def test_hashes_within_the_distance_share_a_band(dhash, flipped, live):
    """Three wrong bits touch three of four quarters at most."""
    bits = dhash & (1 << 64) - 1
    for place in flipped:
        bits ^= 1 << place
    other = int.from_bytes(bits.to_bytes(8, "big"), "big", signed=True)
    mine = bands_of(dhash, live)
    assert len(set(mine)) == 4
    assert set(mine) & set(bands_of(other, live))
    assert not set(mine) & set(bands_of(other, not live))
    assert all(0 <= band < 2**31 for band in mine)


def test_what_is_kept_is_a_picture_that_can_be_read_again():
    kept = read_picture(jpeg(4))
    again = read_picture(kept.data)
    assert (again.width, again.height) == (kept.width, kept.height)
    assert distance(again.dhash, kept.dhash) <= DISTANCE_MAX
    assert Image.open(io.BytesIO(kept.data)).format == "JPEG"
