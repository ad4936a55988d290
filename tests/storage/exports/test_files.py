"""Files that cannot be written: one line that names them, and nothing half written."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from pipeline.errors import StoreError
from pipeline.types import EncodedTracklet, Link
from storage.exports import csv as csv_export
from storage.exports import mot as mot_export
from storage.exports.files import complete_file
from storage.store import Store, open_store

Limit = Callable[[int], AbstractContextManager[None]]


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(StoreError) as caught:
        action()
    return str(caught.value)


def write(path: Path, text: str = "all of it\n") -> None:
    with complete_file(path) as file:
        file.write(text)


def test_a_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file.txt"
    with complete_file(path) as file:
        file.write("first, ")
        file.flush()
        assert not path.exists()
        file.write("last\n")
    assert [entry.name for entry in path.parent.iterdir()] == ["file.txt"]
    assert path.read_bytes() == b"first, last\n"


def test_names_with_other_letters_and_without_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(Path("Straße.txt"), "größer\n")
    assert Path("Straße.txt").read_bytes() == "größer\n".encode()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_error_half_way_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "file.txt"
    write(path, "old\n")
    with pytest.raises(error), complete_file(path) as file:
        file.write("half of")
        raise error
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.txt"]
    assert path.read_text(encoding="utf-8") == "old\n"


def test_places_where_no_file_can_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    folder = tmp_path / "folder"
    folder.mkdir()
    for path, reason in (
        (folder, "expected the name of a file, found a folder"),
        (Path(), "expected the name of a file, found a folder"),
        (Path("/"), "expected the name of a file, found a folder"),
        (tmp_path / "file" / "x.txt", "cannot be written: File exists"),
        (tmp_path / "file" / "deeper" / "x.txt", "cannot be written: Not a directory"),
        (tmp_path / ("x" * 300), "cannot be written: File name too long"),
        (Path("/proc/x.txt"), "cannot be written: No such file or directory"),
    ):
        assert refusal(lambda path=path: write(path)) == f"{path}: {reason}"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "folder"]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("size_bytes", [100_000, 10])
def test_a_disk_that_is_full_half_way(tmp_path: Path, no_file_over: Limit, size_bytes: int) -> None:
    """Fails while it is written, or only when the last of it leaves the buffer."""
    path = tmp_path / "file.txt"
    write(path, "old\n")

    def write_much() -> None:
        with no_file_over(size_bytes), complete_file(path) as file:
            for _ in range(2 * size_bytes // 10):
                file.write("123456789\n")

    assert refusal(write_much) == f"{path}: cannot be written: File too large"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.txt"]
    assert path.read_text(encoding="utf-8") == "old\n"


@pytest.fixture
def long_run(
    tmp_path: Path,
    begin: Callable[..., int],
    make: Callable[..., EncodedTracklet],
    join: Callable[..., Link],
) -> tuple[str, int]:
    """URL and number of a run whose exports are longer than any buffer."""
    url = f"sqlite:///{tmp_path / 'tracking.db'}"
    with open_store(url, create=True) as store:
        run_id = begin(store)
        store.add_tracklets(run_id, [make("Dock", 1, frames=range(8000))])
        store.set_links(run_id, [join("Dock/1", 1)])
    return url, run_id


@pytest.mark.parametrize("export", [csv_export.export, mot_export.export])
def test_exports_on_a_full_disk(
    tmp_path: Path,
    long_run: tuple[str, int],
    no_file_over: Limit,
    export: Callable[[Store, int, Path], list[Path]],
) -> None:
    url, run_id = long_run
    output = tmp_path / "exports" / "out"
    with open_store(url, create=False) as store:

        def export_much() -> None:
            with no_file_over(100_000):
                export(store, run_id, output)

        named = output / "Dock.txt" if export is mot_export.export else output
        assert refusal(export_much) == f"{named}: cannot be written: File too large"
        found = sorted(entry.name for entry in output.parent.rglob("*") if entry.is_file())
        assert found == (["north.txt"] if export is mot_export.export else [])
        # The store is none the worse for it.
        assert len(export(store, run_id, output)) in (1, 3)


@pytest.mark.parametrize("export", [csv_export.export, mot_export.export])
def test_exports_to_where_nothing_can_be(
    tmp_path: Path,
    long_run: tuple[str, int],
    export: Callable[[Store, int, Path], list[Path]],
) -> None:
    url, run_id = long_run
    file = tmp_path / "file"
    file.write_text("kept\n", encoding="utf-8")
    with open_store(url, create=False) as store:
        message = refusal(lambda: export(store, run_id, file / "out"))
    assert message.startswith(f"{file}/out")
    assert "cannot be written" in message
    assert file.read_text(encoding="utf-8") == "kept\n"
