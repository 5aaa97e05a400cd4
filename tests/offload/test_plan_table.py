from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurodeploy.errors import UserError
from neurodeploy.ir.program import Program
from partitioner.files.plan_table import MOST_BYTES, all_pins, parse_pin, pins_of_plan, read_plan
from partitioner.options import Pin
from tests.partitioner.make import dense, join, lif, network, source


def plan(folder: Path, content: str | bytes) -> Path:
    path = folder / "plan.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_the_columns_to_change_are_read_and_the_others_are_not(tmp_path: Path) -> None:
    text = (
        'name,device,rows,blocks,chip,kind,reason\n"a,b",Host,,,,island,"because, it"\nc, chip ,64,1,2,,\nd,,,,,,\n\n'
    )
    assert read_plan(plan(tmp_path, text)) == {
        "a,b": Pin(device="host"),
        "c": Pin(64, 1, 2, "chip"),
        "d": Pin(),
    }


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_as_spreadsheets_write_it(tmp_path: Path, mark: str, end: str) -> None:
    """Semicolons, a byte order mark, empty columns at the end, other columns in front."""
    text = mark + end.join(["Chip;NAME;device;;", "3;x;;;", ";y;host;;", ""])
    assert read_plan(plan(tmp_path, text)) == {"x": Pin(chip=3), "y": Pin(device="host")}


BAD = {
    "no file": (None, "ND2061"),
    "Latin-1": ("name,device\ncafé,chip\n".encode("latin-1"), "ND2061"),
    "UTF-16": ("name,device\na,chip\n".encode("utf-16"), "ND2061"),
    "empty": ("", "ND2062"),
    "no name": ("device\nchip\n", "ND2062"),
    "nothing to change": ("name,reason\na,b\n", "ND2062"),
    "a column that is not ours": ("name,device,speed\na,chip,9\n", "ND2062"),
    "a column twice": ("name,device,device\na,chip,host\n", "ND2062"),
    "a line too long": ("name,device\na,chip,host\n", "ND2062"),
    "a line without a name": ("name,device\n,chip\n", "ND2062"),
    "an open quote": ('name,device\n"a,chip\n', "ND2062"),
    "a null byte": ("name,device\na\x00b,chip,,\n", None),
    "a huge field": ("name,device\n" + "a" * 200_000 + ",chip\n", "ND2062"),
    "an image": (b"\x89PNG\r\n\x1a\n\x00\x00", "ND2061"),
    "JSON": ('{"name": "a"}', "ND2062"),
    "a name twice": ("name,device\na,chip\na,host\n", "ND2066"),
    "an unknown device": ("name,device\na,gpu\n", "ND2064"),
    "rows as words": ("name,rows\na,many\n", "ND2065"),
    "rows as a fraction": ("name,rows\na,1.5\n", "ND2065"),
    "no rows": ("name,rows\na,0\n", "ND2065"),
    "a negative chip": ("name,chip\na,-1\n", "ND2065"),
    "endless digits": ("name,chip\na," + "9" * 5000 + "\n", "ND2065"),
    "digits of another script": ("name,chip\na,٣\n", "ND2065"),
    "a superscript": ("name,chip\na,²\n", "ND2065"),
    "cores for the host": ("name,device,rows\na,host,4\n", "ND2066"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_tables(tmp_path: Path, case: str) -> None:
    content, code = BAD[case]
    path = tmp_path / "none.csv" if content is None else plan(tmp_path, content)
    try:
        read_plan(path)
    except UserError as error:
        assert code is None or error.code == code
        assert error.fix
        assert len(str(error)) < 1000
    else:
        assert code is None


def test_a_table_larger_than_any_plan(tmp_path: Path) -> None:
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + 1)
    with pytest.raises(UserError, match="ND2061"):
        read_plan(path)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda t: ("name,device,rows\n" + t).encode())))
def test_any_bytes_give_pins_or_a_coded_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = plan(tmp_path_factory.getbasetemp(), data)
    try:
        found = read_plan(path)
    except UserError as error:
        assert error.code in ("ND2061", "ND2062", "ND2064", "ND2065", "ND2066")
    else:
        assert all(isinstance(pin, Pin) for pin in found.values())


def test_hints() -> None:
    assert parse_pin("layers.0.attention=rows:64, blocks:1,chip:2") == ("layers.0.attention", Pin(64, 1, 2))
    assert parse_pin("a=b=device:HOST") == ("a=b", Pin(device="host"))


@pytest.mark.parametrize(
    "text", ["", "a", "a=", "=rows:1", "a=rows", "a=rows:", "a=speed:3", "a=rows:1,rows:2", "a=rows:1,", "a:rows=1"]
)
def test_hints_that_cannot_be_read(text: str) -> None:
    with pytest.raises(UserError, match="ND2067"):
        parse_pin(text)


def test_a_hint_and_the_table_must_agree() -> None:
    assert all_pins({"a": Pin(rows=4)}, [("a", Pin(chip=1)), ("b", Pin())]) == {"a": Pin(rows=4, chip=1), "b": Pin()}
    with pytest.raises(UserError, match="ND2066"):
        all_pins({"a": Pin(rows=4)}, [("a", Pin(rows=5))])
    with pytest.raises(UserError, match="ND2066"):
        all_pins({"a": Pin(device="host")}, [("a", Pin(rows=5))])


def test_populations_of_a_network() -> None:
    net = Program.of(network([source("in", 20), lif("p", 10)], join("w", "in", "p", dense(10, 20))))
    assert pins_of_plan(net, {"p": Pin(5, 2, 1, "chip"), "in": Pin(device="host")}, 2) == {"p": Pin(5, 2, 1, "chip")}
    for pins, code in (
        ({"q": Pin()}, "ND2063"),
        ({"in": Pin(device="chip")}, "ND2064"),
        ({"in": Pin(rows=3)}, "ND2066"),
        ({"p": Pin(rows=11)}, "ND2065"),
        ({"p": Pin(blocks=21)}, "ND2065"),
        ({"p": Pin(chip=2)}, "ND2065"),
    ):
        with pytest.raises(UserError, match=code):
            pins_of_plan(net, pins, 2)
