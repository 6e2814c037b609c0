"""The film's parts without a browser or a run: what is missing is said, and what was recorded is read again."""

import pytest

from scripts.film.camera import path
from scripts.film.demo_run import DemoRun
from scripts.film.reel import LIST, Reel
from scripts.film.terminal import marked
from scripts.film.tools import FilmError, find_tools


def test_what_a_film_needs_and_is_not_there_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "curl").touch(mode=0o755)
    with pytest.raises(FilmError, match=r"needs Chromium and ffmpeg, which"):
        find_tools()


def test_a_recorded_part_is_read_again_in_its_order(tmp_path):
    reel = Reel.empty(tmp_path, part="play")
    for name in ("first", "second"):
        scene = reel.scene(name, "where", "what is seen")
        reel.add(scene, reel.new_file(scene), 2.0)
        reel.hold(scene, 0.5)
    reel.save()
    read = Reel.load(tmp_path, parts=("play",))
    assert [(scene.name, scene.seconds) for scene in read.scenes] == [("play/first", 2.5), ("play/second", 2.5)]
    assert read.scenes == reel.scenes


def test_a_part_begun_anew_forgets_what_it_had(tmp_path):
    Reel.empty(tmp_path, part="play").save()
    Reel.empty(tmp_path, part="play")
    assert not (tmp_path / "play" / LIST).exists()
    with pytest.raises(FilmError, match="record that part first"):
        Reel.load(tmp_path, parts=("play",))


def test_without_a_run_there_is_nothing_to_look_at(tmp_path):
    with pytest.raises(FilmError, match="keeps no run"):
        DemoRun.kept(tmp_path)


def test_what_a_command_printed_is_shown_and_not_drawn():
    assert marked("3 s  PROMOTE <b>") == "3 s  <b>PROMOTE</b> &lt;b&gt;"


def test_the_camera_moves_only_forward_and_stays_between_its_stops():
    heights = path(0, 400)
    assert heights == sorted(heights)
    assert (heights[0] > 0, heights[-1] < 400) == (True, True)
    assert path(70, 70) == []
