"""Refining tiles by the host's own nodes: the graph that TileRefine becomes when it runs.

Constants of that graph are objects (pictures, jobs), which the host's cache never finds again. That is meant:
finished tiles are found by their keys before the graph is made, so what is done is not even in it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from comfy_execution.graph_utils import GraphBuilder
from torch import Tensor

from ..engine.errors import BadInput
from ..engine.raster.tiles.crop import split
from ..engine.raster.tiles.kept import Levels
from ..engine.raster.tiles.plan import TilePlan
from .lineage import Link, embeddings
from .progress import TileProgress
from .report import StageReport
from .tile_jobs import TileJob, calls, tile_jobs
from .tile_memory import TileMemory
from .tile_sampling import Sampling


@dataclass(frozen=True, repr=False, eq=False)
class Control:
    """A ControlNet over every tile: its link, how strong and from when to when (shares of the steps, 0..1)."""

    net: Link
    image: Tensor | None  # (1, H, W, 3), as large as the picture; None: the picture itself
    strength: float
    start: float
    end: float


@dataclass(frozen=True, repr=False, eq=False)
class Seams:
    """A second pass over the seams of the first: its plan, and how far (px) it fades out beside the overlaps."""

    plan: TilePlan
    feather: int


@dataclass(frozen=True, repr=False, eq=False)
class Refinement:
    """What TileRefine was asked for, and where its results go."""

    model: Link
    clip: Link
    vae: Link
    control: Control | None
    seams: Seams | None
    sampling: Sampling
    seed: int
    batch: int
    guidance: float  # 0 = the model's own
    match: str
    memory: TileMemory
    progress: TileProgress
    report: StageReport
    passes: list[dict[str, object]] = field(default_factory=list)  # the figures of each
    made: set[TileJob] = field(default_factory=set)  # what came back

    def told(self) -> str:
        """The report, when all is done."""
        for figures in self.passes:
            self.report.add(**figures, not_kept=self.memory.why_not)
        return self.report.json()


@dataclass(frozen=True, repr=False, eq=False)
class Gathering:
    """Where each tile of a pass comes from."""

    sources: list[Tensor]
    made: dict[str, list[int]]  # name of an input: the tiles that arrive over it
    found: Mapping[int, Levels]  # tiles that were kept


@dataclass(frozen=True, repr=False, eq=False)
class FirstPass:
    """What the second pass is laid over, around the seams of its plan's grid and `feather` px beyond the overlaps."""

    image: Tensor  # (1, H, W, 3)
    plan: TilePlan
    feather: int


def refined(graph: GraphBuilder, run: Refinement, plan: TilePlan, image: Tensor) -> tuple[Link, Link]:
    """Put the whole work on `image` (1, H, W, 3) into the graph; returns the links of the result and its report.

    Raises BadInput when the image or the control image is not as large as the plan's grid says.
    """
    shown = run.control.image if run.control else None
    if shown is not None and shown.shape != image.shape:
        raise BadInput(
            "control_image is not as large as the image",
            value=f"shape {tuple(shown.shape)}",
            limit=f"{tuple(image.shape)}",
            remedy="Make it from the 'image' output of Tile Split, or leave it unconnected.",
        )
    blended = _pass(graph, run, plan, image, run.seed)
    if run.seams is None:
        return _finished(graph, run, blended, None)
    again = graph.node("VectraHub_TileSeams", id="seams", image=blended, plan=plan, seams=run.seams, run=run)
    return again.out(0), again.out(1)


def refined_seams(graph: GraphBuilder, run: Refinement, plan: TilePlan, first: FirstPass) -> tuple[Link, Link]:
    """Put the second pass into the graph; returns the links of the result and its report."""
    blended = _pass(graph, run, plan, first.image, run.seed + first.plan.grid.count)
    return _finished(graph, run, blended, first)


def _finished(graph: GraphBuilder, run: Refinement, image: Link, first: FirstPass | None) -> tuple[Link, Link]:
    end = graph.node("VectraHub_TileFinish", id="finish", image=image, run=run, first=first)
    return end.out(0), end.out(1)


def _pass(graph: GraphBuilder, run: Refinement, plan: TilePlan, image: Tensor, first_seed: int) -> Link:
    shown = run.control.image if run.control else None
    jobs = tile_jobs(plan, image, shown, run.sampling, first_seed, _recipe(run, plan))
    found = run.memory.found(jobs)
    run.progress.done(len(found))
    run.passes.append(
        {
            "rows": plan.grid.rows,
            "columns": plan.grid.columns,
            "refined": len(jobs) - len(found),
            "kept": len(found),
            "left_out": plan.grid.count - len(jobs),
        }
    )
    made: dict[str, list[int]] = {}
    links: dict[str, Link] = {}
    for group in calls([job for job in jobs if job.index not in found], run.batch):
        name = group[0].name("kept")
        sampled = _one(graph, run, group[0], plan) if len(group) == 1 else _together(graph, run, group, plan)
        images = graph.node("VAEDecode", id=group[0].name("decode"), samples=sampled, vae=run.vae).out(0)
        links[name] = graph.node("VectraHub_TileKeep", id=name, images=images, jobs=group, run=run).out(0)
        made[name] = [job.index for job in group]
    gathering = Gathering(split(image, plan.grid), made, found)
    # The host begins with what stands last: the words of all tiles, while the text encoder is loaded, then tile 1.
    wanted = dict(reversed(links.items())) | _all_words(graph)
    tiles = graph.node("VectraHub_TileGather", id="gather", gathering=gathering, **wanted).out(0)
    blend = graph.node("VectraHub_TileBlend", id="blend", tiles=tiles, grid=plan.grid, match=run.match, source=image)
    return blend.out(0)


def _recipe(run: Refinement, plan: TilePlan) -> dict[str, object]:
    """What decides the result of every tile, beside its own job."""
    recipe: dict[str, object] = {**run.memory.recipe, "negative": plan.negative, "guidance": run.guidance}
    recipe["negative_embeddings"] = embeddings(plan.negative)
    if run.control:
        recipe["control"] = [run.control.strength, run.control.start, run.control.end]
    return recipe


def _one(graph: GraphBuilder, run: Refinement, job: TileJob, plan: TilePlan) -> Link:
    """A tile by itself: nothing but core nodes."""
    positive, negative = _words(graph, run, job.text), _words(graph, run, plan.negative)
    if run.control:
        applied = graph.node(
            "ControlNetApplyAdvanced",
            id=job.name("control"),
            positive=positive,
            negative=negative,
            control_net=run.control.net,
            image=job.shown,
            strength=run.control.strength,
            start_percent=run.control.start,
            end_percent=run.control.end,
            vae=run.vae,
        )
        positive, negative = applied.out(0), applied.out(1)
    sampler = graph.node(
        "KSampler",
        id=job.name("sample"),
        model=run.model,
        positive=positive,
        negative=negative,
        latent_image=_latent(graph, run, job),
        seed=job.seed,
        **asdict(job.sampling),
    )
    return sampler.out(0)


def _together(graph: GraphBuilder, run: Refinement, group: list[TileJob], plan: TilePlan) -> Link:
    """Several tiles in one call of the sampler: no core node takes a prompt and a seed per image."""
    links = {}
    for number, job in enumerate(group):
        links[f"latent_{number}"] = _latent(graph, run, job)
        links[f"positive_{number}"] = _words(graph, run, job.text)
    if run.control:
        links["control_net"] = run.control.net
        links["vae"] = run.vae
    sampler = graph.node(
        "VectraHub_TileSample",
        id=group[0].name("sample"),
        model=run.model,
        negative=_words(graph, run, plan.negative),
        jobs=group,
        run=run,
        **links,
    )
    return sampler.out(0)


def _latent(graph: GraphBuilder, run: Refinement, job: TileJob) -> Link:
    return graph.node("VAEEncode", id=job.name("encode"), pixels=job.pixels, vae=run.vae).out(0)


def _all_words(graph: GraphBuilder) -> dict[str, Link]:
    kinds = [node.class_type for node in graph.nodes.values()]
    last = "FluxGuidance" if "FluxGuidance" in kinds else "CLIPTextEncode"
    words = [node for node in graph.nodes.values() if node.class_type == last]
    return {f"words_{number}": node.out(0) for number, node in enumerate(words)}


def _words(graph: GraphBuilder, run: Refinement, text: str) -> Link:
    """The conditioning of a text; equal texts are encoded once."""
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    words = graph.node("CLIPTextEncode", id=f"words_{name}", text=text, clip=run.clip).out(0)
    if run.guidance:
        words = graph.node("FluxGuidance", id=f"guided_{name}", conditioning=words, guidance=run.guidance).out(0)
    return words
