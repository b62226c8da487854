"""Text files without names: refused, and nothing of the real row that stands in line 1 is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from synthgate.errors import DataError
from synthgate.tables import open_table


def written(folder: Path, text: str) -> Path:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "39,State-gov,77516\n50,Private,83311\n38,State-gov,215646\n",
        "5.1,setosa\n4.9,setosa\n7.0,virginica\n",
        "-1.5\n2.25\n",
        "2020-01-31,17\n2020-02-01,39\n",
        "31.01.2020;3,5;anna\n01.02.2020;4,25;anna\n",
        "17,39,17\n1,2,3\n",
        "anna,w,71,2.5\nbert,m,38,1.75\ncora,w,39,0.5\n",
    ],
)
def test_a_row_in_line_1_is_refused_and_not_told(tmp_path, text):
    path = written(tmp_path, text)
    with pytest.raises(DataError, match="no column names") as caught:
        open_table(path)
    told = str(caught.value).replace(str(tmp_path), "")
    fields = [field for field in text.splitlines()[0].replace(";", ",").split(",") if len(field) > 1]
    assert fields
    assert all(field not in told for field in fields)
    assert "line 1" in told


def test_doubled_numbers_among_names_are_not_told(tmp_path):
    with pytest.raises(DataError, match="2, 4") as caught:
        open_table(written(tmp_path, "anna,7731,bert,7731,cora\na,b,c,d,e\n"))
    assert "7731" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "0,1,2\n0.5,0.25,1\n",
        "0\n1.5\n",
        "country,2019,2021\nAT,1,2\nCH,3,4\n",
        "10,20,30\n1,2,3\n",
        "age,town\n3,Bern\nage,town\n4,Graz\n",
        "other,kind\nother,a\nnone,b\n",
        "x\n1\n",
        "a,b\n",
        'x,"y"\n1,"open\n',
    ],
)
def test_names_are_left_alone(tmp_path, text):
    assert "no column names" not in _refusal(written(tmp_path, text))


def _refusal(path: Path) -> str:
    """Return why a table is refused, or nothing."""
    try:
        open_table(path)
    except DataError as error:
        return str(error)
    return ""
