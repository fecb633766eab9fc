"""What managers upload is looked at before it is read, and lies where it can do no harm."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from voicebot.console.campaign_desk import LARGEST_UPLOAD, check_upload, upload_place
from voicebot.domain.errors import DataError

pytestmark = pytest.mark.unit
ZIP = b"PK\x03\x04 anything"


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("list.exe", b"number\n1\n", ".exe is no list"),
        ("list", b"number\n1\n", "without a kind"),
        ("list.csv", ZIP, "not what its name says"),
        ("list.xlsx", b"number\n1\n", "not what its name says"),
        ("list.csv", b"number\n\0\n", "not what its name says"),
        ("list.csv", b"", "not what its name says"),
    ],
)
def test_what_is_no_list_is_refused(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    file = tmp_path / "upload"
    file.write_bytes(content)
    with pytest.raises(DataError, match=why):
        check_upload(name, file)


def test_a_list_that_is_too_large_is_refused_and_another_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "upload"
    file.write_bytes(b"number\n13800138000\n")
    check_upload("名单.CSV", file)
    file.write_bytes(ZIP)
    check_upload("名单.xlsx", file)
    with file.open("r+b") as large:
        large.truncate(LARGEST_UPLOAD + 1)
    with pytest.raises(DataError, match="too large"):
        check_upload("名单.xlsx", file)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("名单 (1).csv", "名单__1_.csv"),
        ("../../../etc/passwd", "_.._.._etc_passwd"),
        ("..", "list"),
        ("a" * 300 + ".csv", "a" * 56 + ".csv"),
    ],
)
def test_an_upload_lies_in_a_folder_of_its_own(tmp_path: Path, name: str, kept: str) -> None:
    house = SimpleNamespace(settings=SimpleNamespace(home=tmp_path))
    places = [upload_place(house, name) for _ in range(2)]  # type: ignore[arg-type]  # its home is all that counts
    assert [place.name for place in places] == [kept, kept]
    assert places[0].parent != places[1].parent
    assert {place.parent.parent for place in places} == {tmp_path / "uploads"}
    assert {place.parent.stat().st_mode & 0o777 for place in places} == {0o700}
