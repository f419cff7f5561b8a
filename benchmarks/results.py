"""What a run leaves: machine, versions, command, and the distribution of every sample. One JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.measure import Figure, Samples

RESULTS = Path(__file__).with_name("results.json")
VERSION = 1


@dataclass(frozen=True, slots=True)
class Results:
    """One run."""

    command: str
    machine: Mapping[str, str]
    packages: Mapping[str, str]
    effort: Mapping[str, str]
    """For each subject, its processes and rounds."""
    seconds: float
    figures: Mapping[str, Figure]

    def to_json(self) -> str:
        """The file, with figures to five digits: more is noise."""
        figures = {name: _rounded(figure) for name, figure in self.figures.items()}
        document = {
            "version": VERSION,
            "command": self.command,
            "machine": dict(self.machine),
            "packages": dict(self.packages),
            "effort": dict(self.effort),
            "seconds": round(self.seconds),
            "figures": figures,
        }
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Results:
        """Read a file. Raises `ValueError` when it is of another version."""
        document = json.loads(text)
        if document["version"] != VERSION:
            raise ValueError(f"results of version {document['version']}: run the benchmarks again")
        return cls(
            document["command"],
            document["machine"],
            document["packages"],
            document["effort"],
            document["seconds"],
            {name: Figure(**figure) for name, figure in document["figures"].items()},
        )


def figures_of(samples: Samples) -> dict[str, Figure]:
    """The distribution of each sample."""
    return {name: Figure.of(values) for name, values in samples.items()}


def _rounded(figure: Figure) -> dict[str, float]:
    return {name: float(f"{value:.5g}") if name != "count" else value for name, value in asdict(figure).items()}
