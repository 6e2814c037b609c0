"""The keys file: several keys a source, re-read when it changes, and never a key in a message."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from autoretrain.adapters.key_file import BadKeysFile
from autoretrain.serving.api_keys import ApiKeys

OLD, NEW = "old-key-of-16-chars", "new-key-of-16-chars"


def write(path: Path, text: str) -> None:
    """Replace the file as a mounted Secret is replaced: by another one in its place."""
    other = path.with_suffix(".new")
    other.write_text(text)
    other.replace(path)


def test_a_source_may_have_several_keys(tmp_path: Path):
    write(tmp_path / "keys", f"# rotation\n\nbank: {OLD}\nbank: {NEW}\nshop: {OLD}x\n")
    keys = ApiKeys(tmp_path / "keys")
    assert [keys.source_of(key) for key in (OLD, NEW, f"{OLD}x", "", OLD[:-1], "ключ")] == [
        *("bank", "bank", "shop"),
        *(None, None, None),
    ]


def test_a_changed_file_is_read_again(tmp_path: Path):
    path = tmp_path / "keys"
    write(path, f"bank: {OLD}\n")
    keys = ApiKeys(path)
    assert keys.source_of(OLD) == "bank"
    write(path, f"bank: {NEW}\n")
    assert (keys.source_of(OLD), keys.source_of(NEW)) == (None, "bank")


@pytest.mark.parametrize("broken", ["bank\n", "bank: short\n", f"anonymous: {OLD}\n", f": {OLD}\n", None])
def test_keys_stay_in_force_where_the_new_file_is_broken_and_the_log_names_no_key(tmp_path: Path, broken: str | None):
    path = tmp_path / "keys"
    write(path, f"bank: {OLD}\n")
    keys = ApiKeys(path)
    if broken is None:
        path.unlink()
    else:
        write(path, broken)
    with capture_logs() as logs:
        assert keys.source_of(OLD) == "bank"
    assert len(logs) == 1
    assert OLD not in str(logs)


def test_a_broken_file_at_start_is_an_error_with_file_and_line(tmp_path: Path):
    write(tmp_path / "keys", f"bank: {OLD}\nnonsense\n")
    with pytest.raises(BadKeysFile, match=r"keys, line 2: not `source: key`"):
        ApiKeys(tmp_path / "keys")


def test_an_empty_file_means_that_no_key_is_good(tmp_path: Path):
    write(tmp_path / "keys", "")
    keys = ApiKeys(tmp_path / "keys")
    assert (keys.configured, keys.source_of("")) == (True, None)
    assert not ApiKeys(None).configured


def test_a_mounted_secret_has_a_file_for_each_source_and_changes_as_a_whole(tmp_path: Path):
    first, second = tmp_path / "..1", tmp_path / "..2"
    for directory, key in ((first, "a-key-of-16-characters"), (second, "another-of-16-characters")):
        directory.mkdir()
        (directory / "gateway").write_text(f"{key}\n")
    (tmp_path / "..data").symlink_to(first)
    (tmp_path / "gateway").symlink_to("..data/gateway")
    keys = ApiKeys(tmp_path)
    assert keys.source_of("a-key-of-16-characters") == "gateway"
    (tmp_path / "..new").symlink_to(second)
    (tmp_path / "..new").rename(tmp_path / "..data")
    assert keys.source_of("a-key-of-16-characters") is None
    assert keys.source_of("another-of-16-characters") == "gateway"
