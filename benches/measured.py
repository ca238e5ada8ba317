"""The measures of a point: what they are called, in which direction they are better."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Measure:
    """One measure; its name is its key in results.json."""

    name: str
    label: str  # with its unit
    lower_is_better: bool = False

    @property
    def sign(self) -> int:
        """What makes a higher number better."""
        return -1 if self.lower_is_better else 1

    @property
    def title(self) -> str:
        """For the head of a plot."""
        return f"{self.label} (lower is better)" if self.lower_is_better else self.label


MEASURES = {
    measure.name: measure
    for measure in (
        Measure("psnr_y", "PSNR-Y, dB"),
        Measure("psnr_yuv", "PSNR-YUV 6:1:1, dB"),
        Measure("ssim", "SSIM"),
        Measure("ms_ssim", "MS-SSIM"),
        Measure("uiqi", "UIQI"),
        Measure("vmaf", "VMAF"),
        Measure("vmaf_neg", "VMAF-NEG"),
        Measure("xpsnr_y", "XPSNR-Y, dB"),
        Measure("lpips_sq", "LPIPS-sq", lower_is_better=True),
        Measure("dists_vgg", "DISTS-vgg", lower_is_better=True),
        Measure("flicker", "flicker, levels", lower_is_better=True),
        Measure("lpips", "LPIPS", lower_is_better=True),
        Measure("dists", "DISTS", lower_is_better=True),
        Measure("musiq", "MUSIQ"),
        Measure("clipiqa", "CLIP-IQA"),
    )
}
OFFICIAL = ("lpips", "dists", "musiq", "clipiqa")  # through pyiqa
STRUCTURE = ("ssim", "ms_ssim", "uiqi")  # on `measures.STRUCTURE_FRAMES` frames


def shown(names: Iterable[str]) -> list[Measure]:
    """Those measures, each once, in the order of MEASURES."""
    wanted = set(names)
    return [measure for name, measure in MEASURES.items() if name in wanted]
