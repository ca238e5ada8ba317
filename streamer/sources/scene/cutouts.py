"""Things cut out of the photographs, with their masks."""

from __future__ import annotations

import numpy as np

from streamer.sources.scene.pictures import (
    Grey,
    Rgb,
    blurred,
    disparity,
    photograph,
    polygon_mask,
)

# outline of the woman in astronaut.png (512 x 512), drawn along a random-walker segmentation
ASTRONAUT = [
    (512, 512), (25, 512), (18, 500), (24, 484), (22, 462), (24, 433), (18, 409), (18, 391),
    (24, 371), (28, 337), (34, 315), (44, 283), (56, 261), (66, 244), (76, 234), (90, 226),
    (106, 211), (114, 195), (120, 191), (120, 183), (126, 172), (138, 158), (148, 152),
    (167, 148), (182, 147), (182, 132), (172, 126), (170, 117), (156, 104), (154, 82), (152, 70),
    (156, 57), (169, 46), (188, 36), (202, 22), (212, 22), (231, 16), (250, 20), (275, 30),
    (288, 43), (294, 54), (300, 73), (300, 97), (296, 107), (288, 119), (280, 126), (276, 134),
    (266, 137), (264, 149), (258, 160), (256, 173), (276, 188), (290, 203), (300, 219),
    (304, 233), (312, 240), (322, 244), (340, 261), (346, 272), (352, 286), (358, 324),
    (362, 331), (360, 343), (366, 348), (388, 344), (419, 344), (435, 350), (458, 362),
    (476, 380), (486, 398), (492, 416), (496, 443), (502, 456), (508, 470), (512, 471),
]  # fmt: skip
# parts of motorcycle_left.png (741 x 500) that its disparity does not tell from what is behind
FRONT_TYRE = [
    (517, 315), (514, 332), (520, 355), (535, 385), (555, 410), (572, 427), (592, 440),
    (615, 449), (635, 451), (655, 445), (652, 432), (630, 434), (605, 426), (580, 412),
    (555, 390), (537, 365), (529, 340), (529, 315),
]  # fmt: skip
MIRROR = [
    (517, 16), (503, 36), (500, 50), (505, 47), (509, 41), (512, 42), (507, 63), (502, 78),
    (507, 78), (511, 62), (518, 40), (514, 35), (516, 23),
]  # fmt: skip
BIKE_NEARER_THAN = 33.0  # pixels of disparity: the shelves behind have less
BIKE_ABOVE_GROUND = 1.2  # pixels of disparity over the garage floor's
FLOOR_FROM_ROW = 240


def astronaut() -> tuple[Rgb, Grey]:
    """The woman in the orange suit (512, 512), cut off by the lower border."""
    image = photograph("astronaut.png")
    mask = polygon_mask(ASTRONAUT, image.shape[1], image.shape[0])
    return image, _soft(mask)


def motorcycle() -> tuple[Rgb, Grey]:
    """The motorcycle (500, 741), cut out by its measured distance from the camera."""
    near = _filled(disparity("motorcycle_disp.npz"))
    floor = np.full(near.shape[0], BIKE_NEARER_THAN, np.float32)
    rows = np.arange(FLOOR_FROM_ROW, near.shape[0])
    edge = np.median(near[FLOOR_FROM_ROW:, :30], axis=1)
    slope, level = np.polyfit(rows[60:], edge[60:], 1)
    floor[FLOOR_FROM_ROW:] = np.maximum(slope * rows + level, 0) + BIKE_ABOVE_GROUND
    mask = (near > np.maximum(floor, 30.0)[:, None]).astype(np.float32)
    mask[:, :85] = mask[:, 690:] = mask[455:] = 0
    for part in (FRONT_TYRE, MIRROR):
        mask = np.maximum(mask, polygon_mask(part, mask.shape[1], mask.shape[0]))
    return photograph("motorcycle_left.png"), _soft(mask)


def _filled(values: Grey) -> Grey:
    """Unmeasured pixels take the smaller of their neighbours to the left and right."""
    known = values > 0
    columns = np.arange(values.shape[1])
    left = np.maximum.accumulate(np.where(known, columns, 0), axis=1)
    right = np.minimum.accumulate(np.where(known, columns, columns[-1])[:, ::-1], axis=1)[:, ::-1]
    rows = np.arange(values.shape[0])[:, None]
    return np.minimum(values[rows, left], values[rows, right])


def _soft(mask: Grey) -> Grey:
    """A soft edge that lies inside of the outline, so that no background shines through."""
    edge: Grey = np.clip(blurred(mask, 1) * 2.4 - 1.4, 0, 1)
    return edge
