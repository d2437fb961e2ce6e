"""What a designer sees: one file per stage, schema and execute, no algorithm."""

from comfy_api.latest import ComfyExtension, io
from typing_extensions import override

from ..host.captioner import register_captioner_folder
from ..host.inpaint import register_inpaint_folder
from ..host.old_names import accept_bare_names
from ..host.omnisvg import register_folder
from .caption import QwenCaption
from .color import PaletteSnap
from .deshine import DeShine
from .finish import SVGFinish
from .gate import SVGQualityGate
from .ground import BackgroundToAlpha
from .inpaint import FirstMask, LaMaInpaint
from .logo import LogoCanvas, LogoPrompt, LogoSizes
from .omnisvg import OmniSVGGenerate
from .outline import SVGOutline
from .phases import Phase, PhaseReport
from .plan import TilePlan
from .refine import TileRefine
from .refine_parts import PARTS
from .route import ClipRouter
from .silhouette import SILHOUETTE_PARTS, SilhouetteGate, SilhouetteStrengths
from .svg_io import SVGLoad, SVGRender, SVGSave
from .tiles import TileBlend, TileSplit
from .trace import VTracerTrace
from .training import TrainingSet, TrainLoRAStages
from .training_parts import TRAINING_PARTS
from .tryon import VTONPrepare, VTONTryOn
from .tryon_parts import TRYON_PARTS
from .upscale import ESRGAN12MP

NODES: list[type[io.ComfyNode]] = [
    ClipRouter,
    ESRGAN12MP,
    PaletteSnap,
    VTracerTrace,
    OmniSVGGenerate,
    SVGQualityGate,
    SVGFinish,
    SVGRender,
    SVGLoad,
    SVGSave,
    TileSplit,
    QwenCaption,
    TilePlan,
    TileRefine,
    TileBlend,
    LogoPrompt,
    LogoCanvas,
    LogoSizes,
    VTONPrepare,
    VTONTryOn,
    BackgroundToAlpha,
    LaMaInpaint,
    FirstMask,
    SilhouetteStrengths,
    SilhouetteGate,
    DeShine,
    SVGOutline,
    Phase,
    PhaseReport,
    TrainingSet,
    TrainLoRAStages,
]


class VectraHubExtension(ComfyExtension):
    """The pack as the host sees it."""

    @override
    async def on_load(self) -> None:
        register_folder()
        register_captioner_folder()
        register_inpaint_folder()
        await accept_bare_names(NODES)

    @override
    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        return NODES + PARTS + TRYON_PARTS + SILHOUETTE_PARTS + TRAINING_PARTS
