"""The reader of Excel files (.xlsx), using calamine: the first visible sheet, whose first row names the columns."""

import zipfile
from collections.abc import Sequence
from typing import Any

from distsearch.data.raw import Raw, Selection, Table, quoted, reading
from distsearch.data.readers.columns import choose, join_names, spare_of
from distsearch.data.readers.values import cells_of, objects, side_by_side
from distsearch.errors import DataError
from distsearch.errors.importing import importing
from distsearch.machine import memory

CELL_COPIES = 4  # of what the archive unpacks to, as Python's values
BLOCK = 1 << 20  # bytes
CELL_BYTES = 40


def read(path: str, selection: Selection) -> Raw:
    """Read the first visible sheet. An empty cell is a missing value; empty rows at the end are none."""
    with importing(
        "python_calamine", f"reading {path} needs", package="python-calamine", extra="excel", error=DataError
    ):
        from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum
    with reading(path, "an Excel file (.xlsx)", damage=(Exception,)):  # on damage, anything is raised
        _check_size(path)
        with CalamineWorkbook.from_path(path) as book:
            shown = (each for each in book.sheets_metadata if each.visible == SheetVisibleEnum.Visible)
            tables = [each.name for each in shown if each.typ == SheetTypeEnum.WorkSheet]
            if not tables:
                raise DataError(f"{path}: expected a sheet of cells, but all are hidden or charts; show one of them")
            sheet = book.get_sheet_by_name(tables[0])
            height, width = sheet.total_height, sheet.total_width
            memory.require(f"{path} of {height:,} rows", height * width * CELL_BYTES, "save the table as CSV")
            rows = sheet.to_python(skip_empty_area=False)
    note = f"{path} has {len(tables)} sheets, of which only the first, {quoted(tables[0])}, is read"
    return _raw(path, rows, selection, (note,) if len(tables) > 1 and selection.features is None else ())


def _check_size(path: str) -> None:
    """Unpack the archive bit by bit, so that nobody unpacks more than it declares or memory holds."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        memory.require(f"{path}", CELL_COPIES * sum(each.file_size for each in members), "save the table as CSV")
        for member in members:
            with archive.open(member) as file:
                while file.read(BLOCK):
                    pass


def _raw(path: str, rows: Sequence[Sequence[Any]], selection: Selection, notes: tuple[str, ...]) -> Raw:
    filled = [(number, row) for number, row in enumerate(rows, start=1) if any(cell not in ("", None) for cell in row)]
    if not filled:
        raise DataError(f"{path} is empty; expected a row of column names, and examples")
    (_, header), *examples = filled
    width = max(len(row) for _, row in filled)
    names = [str(_label(cell)).strip() for cell in header] + [""] * (width - len(header))
    nameless = {index for index, name in enumerate(names) if not name}
    labels = ([_label(cell) for cell in row] for _, row in examples)
    spare, left_out = spare_of(nameless, labels) if selection.features is None else (nameless, "")
    notes = (*notes, f"{path}: {left_out}") if left_out else notes
    choice = choose(path, names, selection, spare)

    def place(example: int) -> str:
        return f"row {examples[example][0]}"

    def where(example: int) -> str:
        return f"{path}, {place(example)}" if examples else path

    def values(index: int) -> list[Any]:
        return [None if row[index] == "" else row[index] for _, row in examples]

    features = tuple(
        cells_of(values(index), where, names[index], text=names[index] in selection.texts) for index in choice.features
    )
    targets = [objects([_label(value) for value in values(index)]) for index in choice.targets]
    return Raw(
        path,
        Table(features, len(examples)),
        side_by_side(targets),
        tuple(names[index] for index in choice.features),
        join_names([names[index] for index in choice.targets]),
        place=place,
        notes=notes,
        beside={names[index]: objects(values(index)) for index in choice.beside},
    )


def _label(value: Any) -> Any:
    """A cell as a target or a name: Excel keeps every number as a float, so whole ones are whole."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
