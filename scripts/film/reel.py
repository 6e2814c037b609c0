"""What is filmed: scenes of still frames, each shown for a while below one sentence. It is kept as files and a list."""

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from scripts.film.tools import FilmError

WIDTH, HEIGHT = 1280, 720
CAPTION_HEIGHT = 80
PICTURE_HEIGHT = HEIGHT - CAPTION_HEIGHT
FRAMES_PER_SECOND = 12
LIST = "scenes.json"


@dataclass(frozen=True, slots=True)
class Frame:
    """A picture of WIDTH x PICTURE_HEIGHT pixels, and how long it is shown."""

    picture: str
    seconds: float


@dataclass(slots=True)
class Scene:
    """`title` is where we are; `caption` is one sentence on what is seen and why it matters."""

    name: str
    title: str
    caption: str
    frames: list[Frame] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return sum(frame.seconds for frame in self.frames)


@dataclass(slots=True)
class Reel:
    """The scenes below `directory`, in the order in which they are shown."""

    directory: Path
    part: str = ""
    scenes: list[Scene] = field(default_factory=list)

    @classmethod
    def empty(cls, directory: Path, *, part: str) -> "Reel":
        """Begin a part anew; what was recorded of it before is thrown away."""
        shutil.rmtree(directory / part, ignore_errors=True)
        (directory / part).mkdir(parents=True)
        return cls(directory=directory, part=part)

    def scene(self, name: str, title: str, caption: str) -> Scene:
        """Begin a scene; what is filmed next belongs to it."""
        scene = Scene(name=f"{self.part}/{name}", title=title, caption=caption)
        self.scenes.append(scene)
        (self.directory / scene.name).mkdir()
        return scene

    def new_file(self, scene: Scene) -> Path:
        return self.directory / scene.name / f"{len(scene.frames):04}.png"

    def add(self, scene: Scene, picture: Path, seconds: float) -> None:
        scene.frames.append(Frame(picture=str(picture.relative_to(self.directory)), seconds=seconds))

    def hold(self, scene: Scene, seconds: float) -> None:
        """Show the last frame for longer."""
        last = scene.frames[-1]
        scene.frames[-1] = Frame(picture=last.picture, seconds=last.seconds + seconds)

    def save(self) -> None:
        text = json.dumps([asdict(scene) for scene in self.scenes], indent=1)
        (self.directory / self.part / LIST).write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, directory: Path, *, parts: Sequence[str]) -> "Reel":
        """Return what was recorded, one part after another. Raises FilmError where one was not."""
        scenes: list[Scene] = []
        for part in parts:
            listed = directory / part / LIST
            if not listed.is_file():
                raise FilmError(f"{listed} is not there: record that part first")
            scenes += _scenes(json.loads(listed.read_text(encoding="utf-8")))
        return cls(directory=directory, scenes=scenes)


def _scenes(told: list[dict[str, object]]) -> Iterator[Scene]:
    for each in told:
        frames = [Frame(**frame) for frame in each.pop("frames")]
        yield Scene(**each, frames=frames)
