"""What a stream of ours says about its colours: BT.709, limited range, as the pipeline has them."""

from __future__ import annotations

import av
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc


def tell_colours(context: av.VideoCodecContext) -> None:
    """Without it a player guesses from the size of the picture."""
    context.color_primaries = ColorPrimaries.BT709
    context.color_trc = ColorTrc.BT709
    context.colorspace = Colorspace.ITU709
    context.color_range = ColorRange.MPEG
