"""Train the networks; stop and start it as you like.

    .venv/bin/python -m engines.training.train joint   DATA RUN --minutes 12
    .venv/bin/python -m engines.training.train streams DATA RUN --minutes 60 --metrics METRICS

`joint` trains TinyAE's encoder and the viewer's half together through the carrier's proxy, and
every --real-every steps through x265 itself, whose gradient is the proxy's;
`streams` trains the viewer's half alone on real x265 streams, with a perceptual term when
--metrics names the folder of its weights. RUN/<stage>.pt is written every few minutes with
optimiser, averages and step; the same command goes on from there. RUN/<stage>.csv is the curve.

Several processes share a run under `torchrun --nproc-per-node N -m engines.training.train ...`:
each draws its own batches, and every AVERAGE_STEPS steps the weights are averaged (local SGD). On
a CPU, N processes of one thread do more steps than one process of N threads. A GPU, where there is
one, holds clips and streams as well.
"""

from __future__ import annotations

import argparse
import csv
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn
from tqdm import tqdm

from engines.errors import WeightsError
from engines.networks.guidance import LUMA_PHASES
from engines.networks.pipeline import StreamerHalf, ViewerHalf, source_on_half
from engines.networks.presets import PRESETS, build_streamer, build_viewer
from engines.training.batches import TOGETHER, Batch, ClipBatches, StreamBatches
from engines.training.checkpoint import load_part, read_checkpoint, stored_state
from engines.training.graphed import Ahead, GraphedStep, Step
from engines.training.joint import joint_loss
from engines.training.losses import PerceptualLoss, autocast, looks, relative_error
from engines.training.processes import average, over_for_any, rank
from engines.training.real_carrier import RealCarrier

WARM_UP_STEPS = 300
CHECKPOINT_SECONDS = 180
CURVE_STEPS = 50
CURVE_FIGURES = {
    "joint": ("loss", "error", "bits", "natural", "structure", "lpips_sq"),
    "streams": ("loss", "error", "structure", "lpips_sq"),
}
AVERAGE_STEPS = 10
SEED_STRIDE = 1_000_003  # between the processes of a run
EMA_DECAY = 0.999
GRADIENT_NORM_MAX = 0.5


@dataclass(frozen=True)
class Settings:
    """One run; the command line sets these."""

    preset: str = "lite"
    crop: int = 192  # pixels, a multiple of 48
    batch: int = 8
    rate: float = 1e-3  # learning rate after the warm-up
    total_steps: int = 30_000  # of the cosine schedule, which ends with the time at the latest
    structure: float = 0.6  # weight of SSIM beside the squared error, at fidelity 1
    perceptual: float = 0.0  # weight of LPIPS-sq beside them, likewise
    guided: float = 0.75  # share of the streams whose sender guides the restorer
    frames: int = 3  # of the joint stage's clips
    part: str = ""  # of the viewer's half, which learns alone: such as `guidance`
    real_every: int = 8  # steps of the joint stage, of which one meets real x265; 0: none does
    seed: int = 1


class Trainer:
    """Networks, optimiser, averages and curve of one stage."""

    def __init__(self, stage: str, run: Path, settings: Settings, device: torch.device) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.device, self.step = settings, device, 0
        self.time_used = 0.0  # share of the time that this call has
        self._stage = stage
        self._checkpoint = run / f"{stage}.pt"
        self._curve = run / f"{stage}.csv"
        self.streamer: StreamerHalf = build_streamer().to(device)
        self.viewer: ViewerHalf = build_viewer(settings.preset).to(device)
        self.networks = nn.ModuleDict({"streamer": self.streamer, "viewer": self.viewer})
        if stage == "streams":
            self.streamer.requires_grad_(False)
        if settings.part:
            self.networks.requires_grad_(False)
            self.viewer.get_submodule(settings.part).requires_grad_(True)
        for parameter in self.networks.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        trained = [p for p in self.networks.parameters() if p.requires_grad]
        on_gpu = device.type == "cuda"
        self.optimiser = torch.optim.Adam(
            trained,
            lr=torch.tensor(settings.rate, device=device) if on_gpu else settings.rate,
            betas=(0.9, 0.99),
            fused=on_gpu,
            capturable=on_gpu,
        )
        self.average = {k: v.detach().clone() for k, v in self.networks.state_dict().items()}

    def start_from(self, checkpoint: Path) -> None:
        """Take the averaged weights of another stage, or a folder's installed weights.

        Raises WeightsError where they are of another network.
        """
        state = stored_state(checkpoint, self.settings.preset, self.device)
        load_part(self.streamer, state, "streamer", checkpoint)
        load_part(self.viewer, state, "viewer", checkpoint)
        self.average = {k: v.detach().clone() for k, v in self.networks.state_dict().items()}

    def resume(self) -> bool:
        """Go on from this stage's own checkpoint, if there is one.

        Raises WeightsError where it is of another network.
        """
        if not self._checkpoint.exists():
            return False
        state = read_checkpoint(self._checkpoint, self.device)
        load_part(self.networks, state, "networks", self._checkpoint)
        self.optimiser.load_state_dict(state["optimiser"])
        self.average, self.step = state["average"], state["step"]
        return True

    def save(self) -> None:
        """Write the checkpoint, whole or not at all. `streamer` and `viewer` are averages."""
        if rank() > 0:
            return
        parts: dict[str, dict[str, Tensor]] = {"streamer": {}, "viewer": {}}
        for name, value in self.average.items():
            half, _, rest = name.partition(".")
            parts[half][rest] = value
        state = {
            **parts,
            "networks": self.networks.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "average": self.average,
            "step": self.step,
            "preset": self.settings.preset,
        }
        unfinished = self._checkpoint.with_suffix(".part")
        torch.save(state, unfinished)
        unfinished.rename(self._checkpoint)

    def learn(self, loss: Tensor) -> None:
        """One whole step."""
        self.prepare()
        self.follow(loss)
        self.conclude()

    def follow(self, loss: Tensor) -> None:
        """Down the loss' gradient, at the rate that `prepare` has set."""
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self._trained(), GRADIENT_NORM_MAX)
        self.optimiser.step()

    def prepare(self) -> None:
        """Before a step: the schedule's rate."""
        rate = self.settings.rate * self._schedule()
        for group in self.optimiser.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def conclude(self) -> None:
        """After a step: counts it, and takes its weights into the averages."""
        self.step += 1
        if dist.is_initialized() and self.step % AVERAGE_STEPS == 0:
            for parameter in self._trained():
                average(parameter.data)
        decay = min(EMA_DECAY, self.step / (self.step + 20))
        now = self.networks.state_dict()
        mean = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        mean(list(self.average.values()), list(now.values()), self.step)

    def _trained(self) -> list[nn.Parameter]:
        return [p for p in self.networks.parameters() if p.requires_grad]

    def _schedule(self) -> float:
        warm = min(1.0, (self.step + 1) / WARM_UP_STEPS)
        done = min(1.0, max(self.step / self.settings.total_steps, self.time_used))
        return warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))

    def note(self, figures: Mapping[str, float | Tensor]) -> None:
        """Append a line to the curve; a figure that the run does not have stays empty."""
        if rank() > 0:
            return
        new = not self._curve.exists()
        with self._curve.open("a", newline="") as file:
            writer = csv.DictWriter(file, ["step", *CURVE_FIGURES[self._stage]])
            if new:
                writer.writeheader()
            values = {name: f"{float(value):.6f}" for name, value in figures.items()}
            writer.writerow({"step": self.step, **values})


def _joint(
    trainer: Trainer, batch: Batch, perceptual: PerceptualLoss | None, real: RealCarrier
) -> dict[str, Tensor]:
    every = trainer.settings.real_every
    now = every > 0 and trainer.step % every == every - 1
    return joint_loss(trainer, batch, perceptual, real if now else None)


def streams_loss(
    trainer: Trainer, batch: Batch, perceptual: PerceptualLoss | None
) -> dict[str, Tensor]:
    """Decoded latents of real streams -> restorer."""
    assert batch.latent is not None
    assert batch.condition is not None
    assert batch.fidelity is not None
    assert batch.plain is not None
    source = source_on_half(*batch.source)
    y, u, v = batch.latent
    with autocast(trainer.device):
        restored, features = trainer.viewer.unguided(y, u, v, batch.condition, batch.scale)
    restored = restored.float()
    if trainer.settings.guided:
        guide = _guide(trainer, features, (source - restored)[:, :LUMA_PHASES])
        restored = trainer.viewer.guided(restored, features.float(), guide)
    error = relative_error(restored, source, batch.plain)
    settings = trainer.settings
    look, figures = looks(
        restored, source, batch.fidelity, settings.structure, settings.perceptual, perceptual
    )
    return {"loss": (error + look).mean(), "error": error.mean(), **figures}


def _guide(trainer: Trainer, features: Tensor, error: Tensor) -> Tensor:
    """What senders would send for these streams; some of them send nothing: (N, GUIDE_SIZE).

    The least squares need no gradient: at their end the error does not change with the guide.
    """
    with torch.no_grad():
        guide = trainer.viewer.guidance.fit(features, error, TOGETHER)
        streams = len(guide) // TOGETHER
        sent = torch.rand(streams, 1, device=guide.device) < trainer.settings.guided
        return guide * sent.repeat_interleave(TOGETHER, 0)


def _step(trainer: Trainer, losses: Callable[[Batch], dict[str, Tensor]]) -> Step:
    """One that learns, and returns the figures."""

    def step(batch: Batch) -> dict[str, Tensor]:
        figures = losses(batch)
        trainer.follow(figures["loss"])
        return {name: value.detach() for name, value in figures.items()}

    return step


def train(
    trainer: Trainer,
    batches: Callable[[], Batch],
    step: Step,
    minutes: float,
) -> None:
    """Steps until the time is over or the schedule ends, with checkpoints on the way.

    The learning rate falls with steps or time, whichever is further.
    """
    started = saved = time.monotonic()
    sums: dict[str, float | Tensor] = {}
    with tqdm(
        initial=trainer.step, total=trainer.settings.total_steps, unit="step", disable=rank() > 0
    ) as bar:
        while trainer.step < trainer.settings.total_steps:
            trainer.prepare()
            for name, value in step(batches()).items():
                sums[name] = sums.get(name, 0.0) + value / CURVE_STEPS
            trainer.conclude()
            bar.update()
            if trainer.step % CURVE_STEPS == 0:
                trainer.note(sums)
                bar.set_postfix({name: f"{float(value):.4f}" for name, value in sums.items()})
                sums = {}
            now = time.monotonic()
            trainer.time_used = (now - started) / (minutes * 60)
            if now - saved > CHECKPOINT_SECONDS:
                trainer.save()
                saved = now
            if trainer.step % AVERAGE_STEPS == 0 and over_for_any(trainer.time_used > 1):
                break
    trainer.save()


def _device(asked: str) -> torch.device:
    """`auto` takes a GPU where torch has one; each process of a run its own."""
    if asked == "cpu" or (asked == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    torch.backends.cudnn.allow_tf32 = False  # what is not bf16 is not for good reason
    torch.backends.cudnn.benchmark = True
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("stage", choices=("joint", "streams"))
    parser.add_argument("data", type=Path)
    parser.add_argument("run", type=Path)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--preset", choices=tuple(PRESETS), default=Settings.preset)
    parser.add_argument("--crop", type=int, default=Settings.crop)
    parser.add_argument("--batch", type=int, default=Settings.batch)
    parser.add_argument("--rate", type=float, default=Settings.rate)
    parser.add_argument("--steps", type=int, default=Settings.total_steps)
    parser.add_argument("--structure", type=float, default=Settings.structure)
    parser.add_argument("--perceptual", type=float, default=Settings.perceptual)
    parser.add_argument("--guided", type=float, default=Settings.guided)
    parser.add_argument("--part", default=Settings.part, help="of the viewer: it learns alone")
    parser.add_argument("--frames", type=int, default=Settings.frames)
    parser.add_argument("--real-every", type=int, default=Settings.real_every)
    parser.add_argument("--metrics", type=Path, help="folder of the perceptual measures' weights")
    parser.add_argument(
        "--start-from", type=Path, help="checkpoint, or folder of weights, to start from"
    )
    parser.add_argument("--seed", type=int, default=Settings.seed)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    graphs = "CUDA graphs: streams, one process"
    parser.add_argument("--graphs", action="store_true", help=graphs)
    args = parser.parse_args()
    if args.stage == "streams" and args.batch % TOGETHER:
        parser.error(f"--batch must be a multiple of {TOGETHER}: so many crops share a stream")
    device = _device(args.device)
    if args.graphs and (
        args.stage != "streams" or device.type != "cuda" or dist.is_torchelastic_launched()
    ):
        parser.error("--graphs is for one process, a GPU, and the stage `streams`")
    torch.set_num_threads(args.threads)
    args.run.mkdir(parents=True, exist_ok=True)
    if dist.is_torchelastic_launched():
        dist.init_process_group("gloo")  # it averages what a GPU holds as well
    settings = Settings(
        preset=args.preset,
        crop=args.crop,
        batch=args.batch,
        rate=args.rate,
        total_steps=args.steps,
        structure=args.structure,
        perceptual=args.perceptual,
        guided=args.guided,
        part=args.part,
        frames=args.frames,
        real_every=args.real_every,
        seed=args.seed,
    )
    trainer = Trainer(args.stage, args.run, settings, device)
    try:
        if not trainer.resume() and args.start_from:
            trainer.start_from(args.start_from)
    except WeightsError as error:
        parser.error(str(error))
    seed = settings.seed + trainer.step + rank() * SEED_STRIDE
    perceptual = None
    if args.metrics and settings.perceptual:
        perceptual = PerceptualLoss(args.metrics).to(device)
    if args.stage == "joint":
        clips = ClipBatches(args.data, settings.crop, settings.batch, settings.frames, seed, device)
        real = RealCarrier(args.threads)
        joint = _step(trainer, lambda batch: _joint(trainer, batch, perceptual, real))
        train(trainer, clips.next, joint, args.minutes)
        return
    streams = StreamBatches(args.data, settings.crop, settings.batch, seed, device)
    step = _step(trainer, lambda batch: streams_loss(trainer, batch, perceptual))
    if not args.graphs:
        train(trainer, streams.next, step, args.minutes)
        return
    ahead = Ahead(streams.next)
    train(trainer, ahead.next, GraphedStep(step, ahead.quiet), args.minutes)


if __name__ == "__main__":
    main()
