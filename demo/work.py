"""The nine jobs: posted one after the other, each drawing fetched, each result in figures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vectrahub_client import Client, ClientError, Event, JobResult, VectorizeRequest, vectorize_graph

from .samples import Sample

TIMEOUT = 300.0  # s for one picture; the slowest takes a few


@dataclass(frozen=True)
class Outcome:
    """What became of a sample: the drawing and its figures, or the problem."""

    sample: Sample
    svg: Path | None = None
    figures: "Figures | None" = None
    problem: str = ""


@dataclass(frozen=True)
class Figures:
    """From the reports of the run. mean_de: mean CIEDE2000 to the input picture, over white, as the gate measured
    it (at no more than 448 px); the rest as SVGSave counted it. seconds: from post to result."""

    route: str
    engine: str
    mean_de: float
    shapes: int
    segments: int
    bytes: int
    seconds: float


def vectorize(client: Client, sample: Sample, folder: Path, on_event: Callable[[Event], None]) -> Outcome:
    """Run one sample through the shipped workflow; a job that fails becomes an outcome, not an error."""
    try:
        graph = vectorize_graph(VectorizeRequest(draft=sample.draft), client.upload(sample.path))
        result = client.run(graph, on_event=on_event, timeout=TIMEOUT)
        drawing = next((file for file in result.files if file.filename.endswith(".svg")), None)
        if drawing is None:
            return Outcome(sample, problem="the workflow saved no SVG")
        svg = client.download(drawing, folder / f"{sample.path.stem}-{sample.path.suffix[1:]}.svg", replace=True)
        return Outcome(sample, svg, read_figures(result))
    except ClientError as error:
        if error.exit_code == 3:
            raise  # without a server the others would fail alike
        return Outcome(sample, problem=str(error))


def read_figures(result: JobResult) -> Figures:
    """The figures of a run of one picture, by the titles of the shipped workflow."""
    route, upscale, trace, gate, save = (
        _first(result.reports[title]) for title in ("Route", "Upscale", "Trace", "Gate", "Save")
    )
    verdict: Mapping[str, Any] = gate[gate["which"]]
    return Figures(
        route=route["route"],
        engine=f"{upscale['engine']}, {trace['engine']}",
        mean_de=verdict["mean_de"],
        shapes=save["shapes"],
        segments=save["segments"],
        bytes=save["bytes"],
        seconds=result.seconds,
    )


def _first(report: Any) -> Mapping[str, Any]:
    return report["images"][0]
