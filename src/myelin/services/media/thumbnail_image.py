"""Make one thumbnail with Pillow; runs in the image worker only."""

from pathlib import Path
from typing import Any

from PIL import AvifImagePlugin, GifImagePlugin, Image, ImageSequence, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from myelin.services.media.image_job import Job, Outcome
from myelin.services.media.image_types import JPEG, PNG, SNIFFED_BYTES, WEBP, ImageType, image_type

MAX_FRAMES = 400
"""An animation with more frames gets a thumbnail that stands still."""
JPEG_QUALITY = 82
WEBP_QUALITY = 75
MAX_COLOR_PROFILE_BYTES = 32 * 1024
DEFAULT_FRAME_MS = 100

_EXIF_ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
DECODERS = (AvifImagePlugin, GifImagePlugin, JpegImagePlugin, PngImagePlugin, WebPImagePlugin)
"""Each registers itself on import; `Image.open` is told one of them and never tries another."""
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # the worker may not start threads
Image.MAX_IMAGE_PIXELS = None  # the job says how many; Pillow's own figure would only warn

Box = tuple[float, float, float, float]


def make_thumbnail(job: Job) -> Outcome:
    """Write the thumbnail. Raises whatever the decoder does."""
    with Path(job.source).open("rb") as file:
        kind = image_type(file.read(SNIFFED_BYTES))
        if kind is None:
            return Outcome(problem="not decodable", detail="not an image of a known format")
        file.seek(0)
        with Image.open(file, formats=(kind.decoder,)) as image:
            if image.width * image.height > job.max_pixels:
                return Outcome(problem="too large")
            return _make(job, kind, image)


def _make(job: Job, kind: ImageType, image: Image.Image) -> Outcome:
    moves = kind is not JPEG and getattr(image, "is_animated", False)
    animate = moves and job.animated and _may_move(image, job.max_pixels)
    orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
    width, height = (job.height, job.width) if orientation in (5, 6, 7, 8) else (job.width, job.height)
    box, size = crop(image.size, width, height) if job.method == "crop" else scale(image.size, width, height)
    if size == image.size and kind.serves_as_thumbnail and animate == moves:
        image.load()  # only what decodes is served as an image
        return Outcome(content_type=kind.content_type, is_original=True)
    if animate:
        return _write_animation(job.target, image, box, size)
    still = _upright(_resized(image, box, size), orientation)
    return _write_still(job.target, still, image.info.get("icc_profile") if image.mode == "RGB" else None)


def scale(size: tuple[int, int], width: int, height: int) -> tuple[Box, tuple[int, int]]:
    """The whole image as large as fits into the wish, never larger than it is."""
    factor = min(1.0, width / size[0], height / size[1])
    whole = (0.0, 0.0, float(size[0]), float(size[1]))
    return whole, (max(1, round(size[0] * factor)), max(1, round(size[1] * factor)))


def crop(size: tuple[int, int], width: int, height: int) -> tuple[Box, tuple[int, int]]:
    """The middle of the image in the shape of the wish; smaller in the same shape where the image is too small."""
    factor = min(size[0] / width, size[1] / height)
    cut_width, cut_height = min(size[0], width * factor), min(size[1], height * factor)
    left, top = (size[0] - cut_width) / 2, (size[1] - cut_height) / 2
    shrink = min(1.0, factor)
    target = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    return (left, top, left + cut_width, top + cut_height), target


def _may_move(image: Image.Image, max_pixels: int) -> bool:
    frames: int = getattr(image, "n_frames", 1)
    return 1 < frames <= MAX_FRAMES and frames * image.width * image.height <= max_pixels


def _resized(image: Image.Image, box: Box, size: tuple[int, int]) -> Image.Image:
    """The part of the image in the size; a JPEG is decoded no larger than it must be."""
    width, height = image.size
    # draft() keeps at least the size it is given, of the whole image.
    image.draft(None, (round(width * size[0] / (box[2] - box[0])), round(height * size[1] / (box[3] - box[1]))))
    x, y = image.width / width, image.height / height
    drafted = (box[0] * x, box[1] * y, min(box[2] * x, image.width), min(box[3] * y, image.height))
    return _plain(image).resize(size, Image.Resampling.LANCZOS, box=drafted, reducing_gap=2.0)


def _plain(image: Image.Image) -> Image.Image:
    """The image in a mode that can be resized well: gray, RGB or RGBA."""
    if image.mode in ("L", "RGB", "RGBA"):
        return image
    if image.mode.startswith("I"):  # 16 bits of gray; converting alone would clip them
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image.convert("L" if image.mode == "1" else "RGB")


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    turn = _UPRIGHT.get(orientation)
    return image if turn is None else image.transpose(turn)


def _write_still(target: str, image: Image.Image, color_profile: Any) -> Outcome:
    options: dict[str, Any] = {}
    if color_profile and len(color_profile) <= MAX_COLOR_PROFILE_BYTES:
        options["icc_profile"] = color_profile
    if image.mode == "RGBA" and _is_opaque(image):
        image = image.convert("RGB")
    with Path(target).open("xb") as out:
        if image.mode == "RGBA":
            image.info.clear()  # what the original said of itself (place, camera) stays out
            image.save(out, PNG.decoder, **options)
            return Outcome(content_type=PNG.content_type)
        image.save(out, JPEG.decoder, quality=JPEG_QUALITY, **options)
        return Outcome(content_type=JPEG.content_type)


def _is_opaque(image: Image.Image) -> bool:
    low, _ = image.getchannel("A").getextrema()
    return low == 255


def _write_animation(target: str, image: Image.Image, box: Box, size: tuple[int, int]) -> Outcome:
    frames: list[Image.Image] = []
    durations: list[int] = []
    for frame in ImageSequence.Iterator(image):
        frames.append(frame.convert("RGBA").resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=2.0))
        frames[-1].info.clear()
        durations.append(int(frame.info.get("duration") or DEFAULT_FRAME_MS))
    with Path(target).open("xb") as out:
        frames[0].save(
            out,
            WEBP.decoder,
            save_all=True,
            append_images=frames[1:],
            duration=durations,
            loop=int(image.info.get("loop", 1)),
            quality=WEBP_QUALITY,
            method=2,
        )
    return Outcome(content_type=WEBP.content_type)
