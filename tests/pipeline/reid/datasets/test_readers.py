"""What each reader makes of its data set's layout: who, where, scored how, and what is missing."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from pipeline.errors import DatasetError, UserError
from pipeline.reid.datasets.reading import DATASETS, read_dataset
from pipeline.reid.datasets.records import DISTRACTOR, JUNK, ClipRecord

Make = Callable[[str], Path]


def people(clips: tuple[ClipRecord, ...]) -> list[tuple[int, int]]:
    """Identity and camera of each."""
    return [(clip.identity, clip.camera) for clip in clips]


def names(clip: ClipRecord) -> list[str]:
    return [frame.name for frame in clip.frames]


def test_every_data_set_has_a_fixture(made: Make) -> None:
    for name in DATASETS:
        data = read_dataset(name, made(name))
        assert data.train and data.query and data.gallery
        frames = {
            f for part in (data.train, data.query, data.gallery) for c in part for f in c.frames
        }
        assert [path for path in frames if not path.is_file()] == []


def test_market1501(made: Make) -> None:
    data = read_dataset("market1501", made("market1501"))
    assert people(data.train) == [(2, 1), (2, 2), (7, 3)]
    assert people(data.query) == [(3, 1), (3, 2), (9, 6)]
    # The junk comes first by name: - is before all digits.
    assert people(data.gallery) == [(JUNK, 4), (DISTRACTOR, 5), (3, 1), (3, 2), (9, 6)]
    assert (data.protocol.junk, data.protocol.distractors) == ({-1}, {0})
    assert data.protocol.ignore_same_camera
    assert not data.protocol.queries_in_gallery
    assert data.protocol.average_precision == "rectangular"


def test_market1501_as_its_authors_score_it(made: Make) -> None:
    data = read_dataset("market1501", made("market1501"), "single-trapezoidal")
    assert data.protocol.average_precision == "trapezoidal"


def test_market1501_with_several_images_a_query(made: Make) -> None:
    data = read_dataset("market1501", made("market1501"), "multi")
    assert people(data.query) == [(3, 1), (3, 2), (9, 6)]
    assert [len(clip.frames) for clip in data.query] == [2, 1, 1]
    assert {frame.parent.name for frame in data.query[0].frames} == {"gt_bbox"}
    assert data.query[2].frames[0].parent.name == "query"  # none was drawn by hand


def test_msmt17(made: Make) -> None:
    folder = made("msmt17")
    data = read_dataset("msmt17", folder)
    assert data.name == "MSMT17 V1"
    assert people(data.train) == [(0, 1), (1, 15)]
    assert people(data.query) == [(0, 2)]
    assert people(data.gallery) == [(0, 4), (1, 2)]
    assert data.protocol.junk | data.protocol.distractors == set()  # 0 is a person
    more = read_dataset("msmt17", folder, "with-validation")
    assert people(more.train) == [(0, 1), (1, 15), (0, 3)]


def test_msmt17_with_blurred_faces(msmt17_v2: Path) -> None:
    data = read_dataset("msmt17", msmt17_v2)
    assert data.name == "MSMT17 V2"
    assert data.train[0].frames[0].relative_to(msmt17_v2).parts[0] == "mask_train_v2"
    assert data.gallery[0].frames[0].relative_to(msmt17_v2).parts[0] == "mask_test_v2"


ALL_OF_MARS = [(JUNK, 1), (DISTRACTOR, 2), (2, 1), (2, 3), (6, 2), (2, 1)]
WITHOUT_QUERIES = [(JUNK, 1), (DISTRACTOR, 2), (2, 1)]


@pytest.mark.parametrize(
    ("split", "precision", "gallery"),
    [
        ("official", "trapezoidal", ALL_OF_MARS),
        ("python", "rectangular", ALL_OF_MARS),
        ("official-without-queries", "trapezoidal", WITHOUT_QUERIES),
        ("python-without-queries", "rectangular", WITHOUT_QUERIES),
    ],
)
def test_mars(made: Make, split: str, precision: str, gallery: list[tuple[int, int]]) -> None:
    data = read_dataset("mars", made("mars"), split)
    assert people(data.train) == [(1, 1), (3, 6)]
    assert people(data.query) == [(2, 1), (2, 3), (6, 2)]
    assert people(data.gallery) == gallery
    assert data.protocol.average_precision == precision
    assert data.protocol.queries_in_gallery == (gallery is ALL_OF_MARS)
    assert data.protocol.ignore_same_camera
    assert (data.protocol.junk, data.protocol.distractors) == ({-1}, {0})


def test_a_tracklet_of_mars_keeps_the_order_of_its_rows(made: Make) -> None:
    data = read_dataset("mars", made("mars"))
    assert names(data.gallery[0]) == ["00-1C1T0001F001.jpg", "00-1C1T0001F002.jpg"]
    assert names(data.gallery[3]) == ["0002C3T0004F001.jpg", "0002C3T0004F002.jpg"]


def test_the_four_protocols_of_mars_have_names_of_their_own(made: Make) -> None:
    folder = made("mars")
    protocols = [read_dataset("mars", folder, s).protocol for s in DATASETS["mars"].splits]
    assert len({protocol.name for protocol in protocols}) == 4


def test_ilids_vid(made: Make) -> None:
    folder = made("ilids-vid")
    data = read_dataset("ilids-vid", folder)  # row 4 1 | 3 2 of people 1, 2, 5, 319
    assert people(data.query) == [(1, 1), (319, 1)]
    assert people(data.gallery) == [(1, 2), (319, 2)]
    assert people(data.train) == [(2, 1), (5, 1), (2, 2), (5, 2)]
    assert names(data.query[1]) == ["cam1_person319_00317.png", "cam1_person319_00318.png"]
    assert people(read_dataset("ilids-vid", folder, "10").query) == [(1, 1), (2, 1)]
    assert len(DATASETS["ilids-vid"].splits) == 10


def test_prid2011(made: Make) -> None:
    data = read_dataset("prid2011", made("prid2011"), "10")
    assert people(data.train) == [(1, 1), (4, 1), (1, 2), (4, 2)]
    assert people(data.query) == [(2, 1), (3, 1)]
    assert people(data.gallery) == [(2, 2), (3, 2)]
    assert len(data.query[0].frames) == 21


def test_prid2011_draws_of_those_with_enough_frames_at_both_cameras(made: Make) -> None:
    folder = made("prid2011")
    data = read_dataset("prid2011", folder, "drawn-3")
    assert sorted({one.identity for one in data.train + data.query}) == [1, 2, 3, 4]
    assert {one.identity for one in data.train}.isdisjoint({one.identity for one in data.query})
    assert data == read_dataset("prid2011", folder, "drawn-3")
    drawn = {people(read_dataset("prid2011", folder, f"drawn-{n}").query)[0] for n in range(1, 11)}
    assert len(drawn) > 1


def test_ls_vid(made: Make) -> None:
    folder = made("ls-vid")
    data = read_dataset("ls-vid", folder)
    assert people(data.train) == [(0, 1)]
    assert people(data.query) == [(100, 15), (101, 5)]
    assert people(data.gallery) == [(100, 5)]
    assert names(data.gallery[0]) == [f"0100_001_05_{n:04d}.jpg" for n in (9, 10, 11)]
    assert not data.protocol.queries_in_gallery
    more = read_dataset("ls-vid", folder, "with-queries")
    assert people(more.gallery) == [(100, 5), (100, 15), (101, 5)]
    assert more.protocol.queries_in_gallery


def test_ls_vid_in_its_other_layout(made: Make) -> None:
    folder = made("ls-vid")
    data = read_dataset("ls-vid", folder)
    (folder / "test").mkdir()
    (folder / "info/data").rename(folder / "test/data")
    (folder / "info/list_sequence").rename(folder / "list_sequence")
    assert read_dataset("ls-vid", folder) == data


def test_sysu_mm01(made: Make) -> None:
    data = read_dataset("sysu-mm01", made("sysu-mm01"), "all-single-1")
    assert {one.identity for one in data.train} == {1, 2}
    assert len(data.train) == 2 * 6 * 2
    assert people(data.query) == [(p, c) for p in (3, 4) for c in (3, 3, 6, 6)]
    # Person 4 was never at camera 2.
    assert people(data.gallery) == [(3, 1), (3, 2), (3, 4), (3, 5), (4, 1), (4, 4), (4, 5)]
    assert {names(one)[0] for one in data.gallery if one.identity == 3} == {"0002.jpg"}
    assert data.protocol.camera_groups == {2: 2, 3: 2}
    assert data.protocol.unique_identities
    assert not data.protocol.ignore_same_camera


def test_sysu_mm01_indoors_with_several_shots(made: Make) -> None:
    data = read_dataset("sysu-mm01", made("sysu-mm01"), "indoor-multi-2")
    assert sorted(people(data.gallery)) == [(3, 1), (3, 1), (3, 2), (3, 2), (4, 1), (4, 1)]


def test_sysu_mm01_draws_one_image_of_each_by_seed(made: Make) -> None:
    folder = made("sysu-mm01")
    shutil.rmtree(folder / "cam4")
    (folder / "cam4").mkdir()
    (folder / "exp/rand_perm_cam.mat").unlink()
    trials = [read_dataset("sysu-mm01", folder, f"all-python-{n}") for n in range(1, 11)]
    assert people(trials[0].gallery) == [(3, 1), (3, 2), (3, 5), (4, 1), (4, 5)]
    assert len({trial.gallery for trial in trials}) > 1
    assert trials[4] == read_dataset("sysu-mm01", folder, "all-python-5")


def test_regdb(made: Make) -> None:
    folder = made("regdb")
    data = read_dataset("regdb", folder)
    assert people(data.train) == [(0, 1), (0, 1), (0, 2), (0, 2)]
    assert people(data.query) == [(1, 1), (1, 1)]
    assert people(data.gallery) == [(1, 2), (1, 2)]
    assert [names(clip) for clip in data.query] == [["v_1.bmp"], ["v_2.bmp"]]
    back = read_dataset("regdb", folder, "thermal-to-visible-10")
    assert (people(back.query), people(back.gallery)) == ([(1, 2)], [(1, 1)])


def test_own_folder(made: Make) -> None:
    folder = made("folder")
    data = read_dataset("folder", folder)
    assert people(data.train) == [(1, 1), (1, 2), (2, 2)]  # anna door, anna yard, ben yard
    assert names(data.train[1]) == ["1.jpg", "2.jpg"]
    assert data.train == data.query == data.gallery
    assert data.protocol.queries_in_gallery and data.protocol.ignore_same_camera
    images = read_dataset("folder", folder, "images")
    assert people(images.train) == [(1, 1), (1, 2), (1, 2), (2, 2)]
    assert {len(clip.frames) for clip in images.train} == {1}


@pytest.mark.parametrize(
    ("name", "split", "missing"),
    [
        ("market1501", "single", "query"),
        ("market1501", "single", "bounding_box_test"),
        ("market1501", "multi", "gt_bbox"),
        ("msmt17", "official", "train"),
        ("msmt17", "official", "list_gallery.txt"),
        ("mars", "official", "bbox_test"),
        ("mars", "official", "info/test_name.txt"),
        ("mars", "official", "info/tracks_train_info.mat"),
        ("mars", "official", "info/query_IDX.mat"),
        ("ilids-vid", "1", "i-LIDS-VID/sequences/cam2/person319"),
        ("ilids-vid", "1", "train-test people splits/train_test_splits_ilidsvid.mat"),
        ("prid2011", "1", "splits_prid2011.json"),
        ("prid2011", "1", "multi_shot/cam_b"),
        ("ls-vid", "official", "info/list_sequence/list_seq_train.txt"),
        ("ls-vid", "official", "info/data/info_test.mat"),
        ("ls-vid", "official", "tracklet_test/0101"),
        ("sysu-mm01", "all-single-1", "exp/test_id.txt"),
        ("sysu-mm01", "all-single-1", "exp/rand_perm_cam.mat"),
        ("sysu-mm01", "all-python-1", "cam5"),
        ("regdb", "visible-to-thermal-1", "idx/test_thermal_1.txt"),
    ],
)
def test_what_is_missing_is_named_in_one_line(
    made: Make, name: str, split: str, missing: str
) -> None:
    folder = made(name)
    path = folder / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(DatasetError) as caught:
        read_dataset(name, folder, split)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, UserError)


def damage_name(folder: Path) -> None:
    (folder / "query/0003_c1s1_000001_00.jpg").rename(folder / "query/somebody.jpg")


def damage_list(folder: Path) -> None:
    (folder / "list_query.txt").write_text("0000/0000_000_02_noon_0015_0.jpg\n")


def damage_camera(folder: Path) -> None:
    (folder / "list_query.txt").write_text("0000/picture.jpg 0\n")


def damage_rows(folder: Path) -> None:
    rows = np.array([[1, 2, 1, 1], [3, 5, 3, 6]], np.int32)
    savemat(folder / "info/tracks_train_info.mat", {"track_train_info": rows})


def damage_owner(folder: Path) -> None:
    rows = np.array([[1, 3, 1, 1]], np.int32)  # the third image is of person 3
    savemat(folder / "info/tracks_train_info.mat", {"track_train_info": rows})


def damage_key(folder: Path) -> None:
    savemat(folder / "info/query_IDX.mat", {"query": np.array([[1]], np.uint16)})


def damage_query(folder: Path) -> None:
    savemat(folder / "info/query_IDX.mat", {"query_IDX": np.array([[1, 7]], np.uint16)})


def damage_matrix(folder: Path) -> None:
    (folder / "info/query_IDX.mat").write_bytes(b"nothing of the kind" * 20)


def damage_splits(folder: Path) -> None:
    shutil.rmtree(folder / "i-LIDS-VID/sequences/cam1/person319")


def damage_halves(folder: Path) -> None:
    (folder / "splits_prid2011.json").write_text('[{"train": ["person_0001"]}]')


def damage_person(folder: Path) -> None:
    shutil.rmtree(folder / "multi_shot/cam_b/person_0003")


def damage_info(folder: Path) -> None:
    (folder / "info/data/info_test.mat").write_bytes(b"no HDF5")


def damage_ids(folder: Path) -> None:
    (folder / "exp/val_id.txt").write_text("1;2\n")


def damage_folders(folder: Path) -> None:
    shutil.rmtree(folder / "anna")
    shutil.rmtree(folder / "ben/yard")


@pytest.mark.parametrize(
    ("name", "damage", "message"),
    [
        ("market1501", damage_name, "somebody.jpg: expected a name like"),
        ("msmt17", damage_list, "list_query.txt: expected `path identity`"),
        ("msmt17", damage_camera, "list_query.txt: expected images like"),
        ("mars", damage_rows, "row 2: expected images from 1 to 4, got 3 to 5"),
        ("mars", damage_owner, "expected images 0001C1T..., got 0003C6T0002F001.jpg"),
        ("mars", damage_key, "expected the variable query_IDX, got query"),
        ("mars", damage_query, "expected numbers from 1 to 6, got 1 to 7"),
        ("mars", damage_matrix, "query_IDX.mat: expected a MATLAB file"),
        ("ilids-vid", damage_splits, "expected 10 splits of the 3 people"),
        ("prid2011", damage_halves, "splits_prid2011.json: expected a list of ten"),
        ("prid2011", damage_person, "cam_b/person_0003: expected by the split"),
        ("ls-vid", damage_info, "info_test.mat: expected HDF5 with `query`"),
        ("sysu-mm01", damage_ids, "val_id.txt: expected one line of numbers"),
        ("folder", damage_folders, "expected identity/camera/*.jpg"),
    ],
)
def test_what_is_malformed_is_named_in_one_line(
    made: Make, name: str, damage: Callable[[Path], None], message: str
) -> None:
    folder = made(name)
    damage(folder)
    with pytest.raises(DatasetError) as caught:
        read_dataset(name, folder)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "split", "message"),
    [
        ("mars2", "", "mars2: expected a data set of market1501, "),
        ("mars", "offical", "mars: expected a split of official, python, "),
        ("mars", "official", "nowhere: expected a folder of the data set"),
    ],
)
def test_what_is_asked_for_wrongly(tmp_path: Path, name: str, split: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read_dataset(name, tmp_path / "nowhere", split)
