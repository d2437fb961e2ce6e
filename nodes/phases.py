"""Phases: parts of a long workflow that can be turned off, and what each of them took."""

from typing import Any

from comfy_api.latest import io
from comfy_execution.graph_utils import ExecutionBlocker

from ..host.palette import PALETTE, Palettes
from ..host.phases import figures_with, phase_figures, phase_made, phase_table, watch, watched
from ..host.report import StageReport, report_ui

_PICTURE = io.MatchType.Template("phase")
_ABSENT: Any = object()  # not connected; the host gives None for what is connected and has not run


class Phase(io.ComfyNode):
    """Gives what a phase made, or, where it is off or missing, what came before it."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_Phase",
            display_name="Phase",
            category="VectraHub/vehicle",
            description=(
                "The end of a phase of a workflow. Turned off, or with its nodes bypassed, it gives what came before "
                "the phase, and nothing of the phase runs."
            ),
            search_aliases=["switch", "toggle", "bypass", "stage", "skip"],
            hidden=[io.Hidden.unique_id, io.Hidden.dynprompt],
            inputs=[
                io.String.Input("name", default="phase", tooltip="What the phase is called in the report."),
                io.Boolean.Input("enabled", default=True, tooltip="Off: the phase does not run."),
                io.MatchType.Input(
                    "before",
                    template=_PICTURE,
                    optional=True,
                    lazy=True,
                    tooltip="What the phase begins with. Given when off.",
                ),
                io.MatchType.Input(
                    "result", template=_PICTURE, optional=True, lazy=True, tooltip="What the phase makes of it."
                ),
                PALETTE.Input("palette", optional=True, lazy=True, tooltip="The palette, of a phase that makes one."),
                io.String.Input(
                    "figures", optional=True, force_input=True, tooltip="From the phase before; for Phase Report."
                ),
                io.String.Input(
                    "report", optional=True, lazy=True, force_input=True, tooltip="Report of the phase's main node."
                ),
            ],
            outputs=[
                io.MatchType.Output(
                    template=_PICTURE,
                    display_name="output",
                    tooltip="The result, or what came before. Off with nothing before: nodes behind do not run.",
                ),
                PALETTE.Output(display_name="palette", tooltip="Nothing when the phase is off."),
                io.String.Output(display_name="figures", tooltip="For the next Phase, or Phase Report."),
            ],
        )

    @classmethod
    def check_lazy_status(cls, enabled: bool, **connected: object) -> list[str]:
        made = phase_made(cls.hidden.dynprompt, cls.hidden.unique_id, enabled)
        asked = ("result", "palette", "report") if made else ("before",)
        return [name for name in asked if connected.get(name, _ABSENT) is None]

    @classmethod
    def execute(
        cls,
        name: str,
        enabled: bool,
        before: object = None,
        result: object = None,
        palette: Palettes | None = None,
        figures: str = "",
        report: str | None = None,
    ) -> io.NodeOutput:
        made = phase_made(cls.hidden.dynprompt, cls.hidden.unique_id, enabled)
        output = result if made else before
        text = figures_with(figures, cls.hidden.unique_id, name, made, report if made else None)
        return io.NodeOutput(ExecutionBlocker(None) if output is None else output, palette if made else None, text)


class PhaseReport(io.ComfyNode):
    """Time, memory and figures of all phases behind it, of this run."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="VectraHub_PhaseReport",
            display_name="Phase Report",
            category="VectraHub/vehicle",
            description=(
                "One report for a workflow of phases: how long each took in this run, its memory, how many of its "
                "nodes ran rather than being cached, and its own figures."
            ),
            search_aliases=["timing", "profile", "memory", "metrics", "report"],
            is_output_node=True,
            hidden=[io.Hidden.dynprompt],
            inputs=[io.String.Input("figures", force_input=True, tooltip="From the last Phase.")],
            outputs=[
                io.String.Output(display_name="table", tooltip="For reading: a line per phase."),
                io.String.Output(display_name="report", tooltip="JSON: the same with every phase's own report."),
            ],
        )

    @classmethod
    def fingerprint_inputs(cls, **_inputs: object) -> float:
        watch()
        return float("nan")  # every run is reported

    @classmethod
    def execute(cls, figures: str) -> io.NodeOutput:
        seen = watched()
        report = StageReport("phases", None if seen is None else seen.began)
        phases = phase_figures(cls.hidden.dynprompt, figures)
        report.add(phases=phases)
        text = report.json()
        return io.NodeOutput(phase_table(phases), text, ui=report_ui(text))
