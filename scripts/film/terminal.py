"""A terminal as the film shows it: a page with the text that real commands printed, line by line."""

import html
import re
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser

from scripts.film.camera import Camera
from scripts.film.reel import Reel, Scene

DECISIONS = re.compile(r"\b(RETRAIN|PROMOTE|ROLLBACK|HOLD|REJECT|ALERT|NO_ACTION)\b")
ANSWERS = re.compile(r"(&quot;prediction&quot;: ?&quot;\w+&quot;)")
CHARACTERS_A_SECOND = 45
LINE_SECONDS = 4.0
TYPED_A_SECOND = 24
COMMAND_SECONDS = 60.0
PAGE = """<!doctype html><meta charset="utf-8"><style>
body { margin: 0; background: #e3e9ef; font: 20px/1.42 "DejaVu Sans Mono", Menlo, Consolas, monospace; color: #1b2733 }
main { margin: 14px 22px; height: 612px; border-radius: 10px; overflow: hidden; background: #fff;
  box-shadow: 0 2px 9px #0003; display: flex; flex-direction: column }
header { background: #f2f5f8; padding: 6px 16px; font: 17px "DejaVu Sans", sans-serif; color: #52606d; flex: none }
#text { padding: 10px 18px; flex: 1; display: flex; flex-direction: column; overflow: hidden;
  justify-content: flex-end }
#text.short { justify-content: flex-start }
p { margin: 0; padding-left: 2ch; text-indent: -2ch; white-space: pre-wrap; overflow-wrap: anywhere; flex: none;
  min-height: 1.42em }
b { color: #0072B2 } p.typed { color: #1b2733; font-weight: bold } i { color: #009E73; font-style: normal }
mark { background: #fdecc8; color: inherit }
</style><main><header id="name"></header><div id="text" class="short"></div></main>"""
DRAW = """([name, lines]) => {
  document.getElementById('name').textContent = name
  const text = document.getElementById('text')
  text.innerHTML = lines.join('')
  text.className = 'short'
  if (text.scrollHeight > text.clientHeight) text.className = ''
}"""


@dataclass(slots=True)
class Terminal:
    """`name` stands in its title bar; `camera` films it."""

    name: str
    camera: Camera
    _shown: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, browser: Browser, reel: Reel, *, name: str) -> "Terminal":
        camera = Camera.of(browser, reel, zoom=1.0)
        camera.page.set_content(PAGE)
        return cls(name=name, camera=camera)

    def type(self, scene: Scene, command: str) -> None:
        """Show how a command is typed."""
        self._shown.append("")
        step = max(4, len(command) // 8)
        for end in (*range(step, len(command), step), len(command)):
            self._shown[-1] = f'<p class="typed"><i>$</i> {html.escape(command[:end])}</p>'
            self._snap(scene, step / TYPED_A_SECOND)
        self.camera.reel.hold(scene, 0.6)

    def print(self, scene: Scene, lines: Sequence[str], *, hold: float = 2.0) -> None:
        """Show lines one after another, each as long as it takes to read it."""
        for line in lines:
            self._shown.append(f"<p>{marked(line)}</p>")
            self._snap(scene, min(max(0.35, len(line.strip()) / CHARACTERS_A_SECOND), LINE_SECONDS))
        self.camera.reel.hold(scene, hold)

    def show(self, scene: Scene, command: Sequence[str], printed: str, *, hold: float = 2.5) -> None:
        """Show a command that was run with what it printed."""
        self.type(scene, shlex.join([Path(command[0]).name, *command[1:]]))
        self.print(scene, printed.splitlines(), hold=hold)

    def clear(self) -> None:
        self._shown = []

    def _snap(self, scene: Scene, seconds: float) -> None:
        self.camera.page.evaluate(DRAW, [self.name, self._shown])
        file = self.camera.reel.new_file(scene)
        self.camera.page.screenshot(path=file)
        self.camera.reel.add(scene, file, seconds)


def run(command: Sequence[str]) -> str:
    """Run a command for real; return what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=True)
    return done.stdout


def marked(line: str) -> str:
    """Return the line as HTML; decisions and predictions are easier to find in it."""
    return ANSWERS.sub(r"<mark>\1</mark>", DECISIONS.sub(r"<b>\1</b>", html.escape(line)))
